// What the lists of proposals, drift and recommendations have in common: rows that stay while nothing about them changes,
// decisions with a reason, "not available in this version".
import { by_id, enable, h, moment, number, set_state, set_text, us_to_ms } from "./dom.js";

const refresh_ms = 5000;
const burst_ms = 300;
const absent_ms = 60000;   // how often a part that the daemon does not have is asked for again
let row_number = 0;

/** before → after, with the unit and the relative change. */
export function diff_table(caption, knobs) {
  const text = (value, words) => words || number(value);
  return h("div", { class: "scroll" }, h("table", { class: "diff" }, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...["Knob", "Before", "After", "Change"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, ...knobs.map((k) => h("tr", {}, h("th", { scope: "row" }, k.knob),
      h("td", { class: "num before" }, text(k.before, k.before_text), k.unit ? ` ${k.unit}` : ""),
      h("td", { class: "num after" }, text(k.after, k.after_text), k.unit ? ` ${k.unit}` : ""),
      h("td", { class: "num muted" }, relative(k)))))));
}

function relative({ before, after, before_text }) {
  const is_number = !before_text || Number.isFinite(Number(before_text));
  if (!is_number || !before || before === after) return before === after ? "none" : "";
  const percent = ((after - before) / Math.abs(before)) * 100;
  return `${percent > 0 ? "+" : "−"}${number(Math.abs(percent).toPrecision(2))} %`;
}

export function facts(pairs) {
  return h("dl", { class: "facts" }, ...pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export const percent = (fraction) => `${number((Number(fraction) * 100).toPrecision(3))} %`;
export const moment_of = (us) => (Number(us) ? moment(us_to_ms(us)) : "");

/** One row with its buttons. @param make  builds the element's content from the item. */
class Row {
  constructor(list, key) {
    this.list = list;
    this.key = key;
    this.id = `row-${++row_number}`;
    this.content = h("div");
    this.message = h("p", { class: "message", role: "status" });
    this.reason = h("input", { maxlength: 400, autocomplete: "off", id: `${this.id}-reason` });
    this.extra = h("span");
    this.actions = h("div", { class: "actions", role: "group", "aria-label": "Decide" });
    this.form = h("div", { class: "decide" }, h("label", { for: this.reason.id }, "Reason "), this.reason, this.extra, this.actions);
    this.element = h("article", { class: "panel row", "data-key": key, tabindex: "-1" }, this.content, this.form, this.message);
  }

  show(item) {
    const now = JSON.stringify(item);
    if (now === this.shown) return;
    this.shown = now;
    this.item = item;
    const focused = this.actions.contains(document.activeElement) ? document.activeElement.dataset.verb : null;
    this.content.replaceChildren(...this.list.describe(item, this));
    const verbs = this.list.verbs(item);
    this.form.hidden = verbs.length === 0;
    this.actions.replaceChildren(...verbs.map(([verb, label, look]) =>
      h("button", { type: "button", class: look ?? "", "data-verb": verb, onclick: () => this.press(verb) }, label)));
    if (focused) (this.actions.querySelector(`[data-verb="${focused}"]`) ?? this.element).focus();
  }

  async press(verb) {
    if (this.busy) return;
    this.busy = true;
    for (const b of this.actions.children) enable(b, false);
    set_state(this.message, "", "…");
    try {
      await this.list.decide(this.item, verb, this.reason.value.trim(), this);
      set_state(this.message, "ok", `${verb}: done`);
      this.reason.value = "";
    } catch (problem) {
      set_state(this.message, "bad", problem.words ?? problem.message);
    }
    this.busy = false;
    await this.list.refresh();
    for (const b of this.actions.children) enable(b, true);
  }
}

export class List {
  /** @param o  {id, count, load(): items, key(item), describe(item, row), verbs(item), decide(item, verb, text, row),
   *             open(item): still to be decided, order(a, b), empty: words} */
  constructor(o) {
    Object.assign(this, o);
    this.rows = new Map();
    this.open_rows = h("div");
    this.done_rows = h("div");
    this.done_summary = h("summary");
    this.done = h("details", { class: "alt", hidden: true }, this.done_summary, this.done_rows);
    this.note = h("p", { class: "muted" });
    by_id(this.id).replaceChildren(this.note, this.open_rows, this.done);
  }

  start() {
    this.running = true;
    if (!this.timer) this.tick();
  }
  stop() { this.running = false; clearTimeout(this.timer); this.timer = null; }

  async tick() {
    const absent = (await this.refresh()) === false;
    if (this.running) this.timer = setTimeout(() => this.tick(), absent ? absent_ms : refresh_ms);
  }

  /** Something happened: once for a burst of events, and not where there is nothing to ask. */
  refresh_soon() {
    if (this.absent || this.soon) return;
    this.soon = setTimeout(() => { this.soon = null; if (this.running) this.refresh(); }, burst_ms);
  }

  /** @returns false if this daemon does not have it. */
  async refresh() {
    try {
      this.show(await this.load());
      this.absent = false;
      return true;
    } catch (problem) {
      const absent = this.absent = problem.status === 404 || problem.status === 405;
      if (absent) this.show([]);
      set_text(this.note, absent ? "Not available in this version." : problem.words ?? problem.message);
      this.note.hidden = false;
      if (absent) set_text(by_id(this.count), "");
      return !absent;
    }
  }

  show(items) {
    const sorted = [...items].sort(this.order);
    const open = sorted.filter(this.open), done = sorted.filter((i) => !this.open(i)).slice(0, 20);
    const keys = new Set([...open, ...done].map((i) => this.key(i)));
    for (const [key, row] of this.rows) if (!keys.has(key)) { row.element.remove(); this.rows.delete(key); }
    for (const [place, list] of [[this.open_rows, open], [this.done_rows, done]])
      list.forEach((item, i) => {
        const key = this.key(item);
        if (!this.rows.has(key)) this.rows.set(key, new Row(this, key));
        const row = this.rows.get(key);
        row.show(item);
        // Moved only where the order changed: moving an element would take the focus from it.
        if (place.children[i] !== row.element) place.insertBefore(row.element, place.children[i] ?? null);
      });
    this.done.hidden = done.length === 0;
    set_text(this.done_summary, `Decided (${done.length})`);
    this.note.hidden = open.length > 0;
    set_text(this.note, this.empty);
    set_text(by_id(this.count), open.length ? String(open.length) : "");
  }
}

