// Asks for a reason before something that is not undone by one more click.
import { by_id, set_text } from "./dom.js";

let answer = null;

function finish(reason) {
  by_id("ask").close();
  answer?.(reason);
  answer = null;
}

export function set_up_dialog() {
  by_id("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    finish(by_id("ask-reason").value.trim());
  });
  by_id("ask-cancel").addEventListener("click", () => finish(null));
  by_id("ask").addEventListener("cancel", (event) => { event.preventDefault(); finish(null); });
}

/** @param body  elements that say what will happen. @returns the reason, or null when the person thought better of it. */
export function ask_reason(title, body, confirm) {
  set_text(by_id("ask-title"), title);
  by_id("ask-body").replaceChildren(...body);
  set_text(by_id("ask-confirm"), confirm);
  by_id("ask-reason").value = "";
  by_id("ask").showModal();
  by_id("ask-reason").focus();
  return new Promise((done) => { answer = done; });
}
