// Puts the page together.
import { own_name, set_own_name, set_token, token, when_sign_in_is_needed, api } from "./api.js";
import { Audit } from "./audit.js";
import { set_up_dialog } from "./dialogs.js";
import { announce, by_id, clock, set_state, set_text } from "./dom.js";
import { Events } from "./events.js";
import { Loops } from "./loops.js";
import { Pools } from "./pools.js";
import { make_proposals } from "./proposals.js";
import { make_drift, make_recommendations } from "./recommendations.js";

const list_kinds = new Set(["intent", "committed", "rejected"]);   // these say nothing new about proposals, drift and advice

set_up_dialog();
const loops = new Loops(() => api.status().then(take_status, () => {}));
const audit = new Audit();
const lists = [make_proposals(() => loops.now()), make_drift(), make_recommendations(), new Pools(() => loops.now())];
const alarms = { connection: "", chain: "", store: "" };
let heard = 0, connection = "connecting";

function show_alarms() {
  const text = Object.values(alarms).filter(Boolean).join(" ");
  by_id("alarm").hidden = !text;
  set_text(by_id("alarm"), text);
}
audit.on_broken = (text) => { alarms.chain = text; show_alarms(); };

function take_status(status) {
  heard = Date.now();
  set_text(by_id("node"), `${status.name} · ${status.version}`);
  document.title = `${status.loops?.some((l) => l.state !== "running") ? "■ " : ""}${status.name} · Homeostat`;
  alarms.store = status.audit === "ok" ? "" : `The audit store: ${status.audit}. Nothing is changed that cannot be recorded.`;
  show_alarms();
  loops.take_status(status);
  audit.take_status(status);
  show_connection();
}

const words = { connecting: "connecting", live: "● live", polling: "● every 2 s", lost: "✕ no connection", "signed out": "signed out" };
function show_connection() { set_state(by_id("connection"), connection, words[connection]); }

const events = new Events({
  status: take_status,
  audit(entries, live) {
    loops.take_audit(entries, live);
    audit.take(entries);
    if (live && entries.some((e) => !list_kinds.has(e.record.kind))) lists.forEach((l) => l.refresh_soon());
  },
  connection(state, problem) {
    const before = connection;
    connection = state;
    if (state === "lost") {
      loops.lost();
      alarms.connection = `No connection to the daemon${heard ? ` since ${clock(heard)}; what is shown is that old` : ""}. Trying again.` +
                          (problem?.status > 0 ? ` It said: ${problem.words}` : "");
    } else {
      alarms.connection = "";
      if (before === "lost") { announce("Connected again"); lists.forEach((l) => l.refresh()); audit.check_chain(); }
    }
    show_alarms();
    show_connection();
  },
});

// ---- signing in
function begin() {
  by_id("sign-in").hidden = true;
  by_id("main").hidden = false;
  by_id("who").hidden = Boolean(token());
  by_id("sign-out").hidden = !token();
  // One request first: without a token each of them would be a refusal on record.
  api.status().catch((problem) => problem).then((answer) => {
    if (answer.status === 401) return;
    events.start();
    lists.forEach((l) => l.start());
    audit.check_chain();
  });
}

function ask_for_token(said = "") {
  if (!by_id("sign-in").hidden) return;
  events.stop();
  lists.forEach((l) => l.stop());
  clearTimeout(audit.timer);
  set_text(by_id("sign-in-error"), token() ? "This token is not accepted." : said);
  set_token("");
  by_id("main").hidden = true;
  by_id("sign-in").hidden = false;
  by_id("sign-out").hidden = true;
  connection = "signed out";
  alarms.connection = "";
  show_alarms();
  show_connection();
  by_id("token").focus();
}
when_sign_in_is_needed(ask_for_token);
by_id("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  set_token(by_id("token").value.trim());
  by_id("token").value = "";
  begin();
});
by_id("sign-out").addEventListener("click", () => { set_token(""); location.reload(); });
by_id("name").value = own_name();
by_id("name").addEventListener("change", (event) => set_own_name(event.target.value.trim()));

begin();
