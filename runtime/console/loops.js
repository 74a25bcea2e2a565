// The loops: state, charts, and what an operator may do to them. A card is made once per loop and then kept up to date, so
// that focus and open tables stay where they are.
import { api } from "./api.js";
import { Chart_view, is_log, when_theme_changes } from "./charts.js";
import { ask_reason } from "./dialogs.js";
import { announce, by_id, clock, enable, h, number, set_state, set_text, with_unit } from "./dom.js";
import { LoopHistory, describe } from "./history.js";

const table_rows = 20;
const message_ms = 10000;
const legend = [["live", "━", "live value"], ["base", "━", "base point"], ["baseline", "╌", "baseline"], ["band", "▒", "bounds"],
                ["ok", "●", "applied"], ["muted", "·", "probe"], ["bad", "✕", "rejected"], ["warn", "▼", "rolled back"], ["frozen", "■", "safe mode"]];
const verbs = [["pause", "Pause"], ["resume", "Resume"], ["rollback", "Roll back…"], ["safe-mode-reset", "Reset safe mode…"]];
const state_signs = { running: "●", "safe mode": "■", starting: "◌", stopping: "◌", down: "✕" };

const states_that_matter = (loop) => `${loop.state} ${(loop.safe_mode_reasons ?? []).join(", ")}`.trim();

class LoopCard {
  constructor(name, history) {
    this.name = name;
    this.history = history;
    this.visible = true;
    this.busy = false;
    this.state = h("span", { class: "badge state" });
    this.facts = h("span", { class: "muted facts" });
    this.reasons = h("p", { class: "reasons", hidden: true });
    this.message = h("p", { class: "message", role: "status" });
    this.buttons = Object.fromEntries(verbs.map(([verb, label]) =>
      [verb, h("button", { type: "button", class: verb === "rollback" ? "danger" : "", "data-verb": verb, onclick: () => this.press(verb) }, label)]));
    this.objective = h("div");
    this.figures = h("div", { class: "figures" });
    this.table = h("div", { class: "scroll" });
    this.details = h("details", { class: "alt", ontoggle: () => this.fill_table() }, h("summary", {}, "The latest changes as a table"), this.table);
    const title = h("h3", { id: `loop-${encodeURIComponent(name)}` }, name);
    this.element = h("article", { class: "panel loop", "aria-labelledby": title.id, "data-loop": name },
      h("div", { class: "bar" }, title, this.state, this.facts, h("div", { class: "actions", role: "group", "aria-label": `Commands for ${name}` }, ...Object.values(this.buttons))),
      this.reasons, this.message,
      h("p", { class: "legend", "aria-hidden": "true" }, ...legend.map(([c, sign, text]) => h("span", {}, h("i", { class: `c-${c}` }, sign), ` ${text}`))),
      this.objective, this.figures, this.details);
    new IntersectionObserver((seen) => { this.visible = seen.at(-1).isIntersecting; if (this.visible) this.draw(); }).observe(this.element);
  }

  remove() {
    this.charts?.forEach((c) => c.view.destroy());
    this.element.remove();
  }

  update(loop) {
    const said = states_that_matter(loop);
    if (this.said !== undefined && this.said !== said) announce(`Loop ${this.name}: ${said}`);
    this.said = said;
    this.loop = loop;
    const frozen = loop.state === "safe mode", manual = (loop.safe_mode_reasons ?? []).includes("Manual");
    set_state(this.state, loop.state, `${state_signs[loop.state] ?? "?"} ${loop.state}${manual ? " (paused)" : ""}`);
    const rejected = Object.values(loop.rejected ?? {}).reduce((sum, n) => sum + Number(n), 0);
    set_text(this.facts, `generation ${loop.generation} · ${loop.applied} applied · ${rejected} rejected · ${loop.rollbacks} rolled back` +
                         (Number(loop.restarts) ? ` · ${loop.restarts} restarts` : ""));
    this.reasons.hidden = !frozen && !loop.text;
    set_text(this.reasons, [frozen ? `Frozen because of: ${(loop.safe_mode_reasons ?? []).join(", ") || "no reason given"}. Nothing changes but by rollback and by people.` : "", loop.text].filter(Boolean).join(" "));
    this.offer();
    this.make_charts(loop);
    this.draw();
    this.fill_table();
  }

  offer() {
    const { state, safe_mode_reasons = [] } = this.loop, manual = safe_mode_reasons.includes("Manual");
    const possible = { pause: state === "running" || (state === "safe mode" && !manual), resume: manual, rollback: state !== "starting" && state !== "down", "safe-mode-reset": state === "safe mode" };
    for (const [verb, button] of Object.entries(this.buttons)) enable(button, possible[verb] && !this.busy && !this.stale);
  }

  make_charts(loop) {
    const shape = JSON.stringify(loop.knobs.map((k) => k.name));
    if (shape === this.shape) return;
    this.shape = shape;
    this.charts?.forEach((c) => c.view.destroy());
    this.charts = [null, ...loop.knobs.keys()].map((index) => {
      const canvas = h("canvas", { role: "img" }), caption = h("figcaption");
      const element = h("figure", { class: index === null ? "objective" : "knob" }, caption, h("div", { class: "plot" }, canvas));
      return { index, canvas, caption, element };
    });
    this.objective.replaceChildren(this.charts[0].element);
    this.figures.replaceChildren(...this.charts.slice(1).map((c) => c.element));
    for (const c of this.charts) c.view = new Chart_view(c.canvas, c.index);
  }

  draw() {
    if (!this.loop) return;
    for (const c of this.charts) {
      const knob = c.index === null ? null : this.loop.knobs[c.index];
      const value = knob ? with_unit(knob.value, knob.unit) : Number.isFinite(this.loop.objective) ? number(this.loop.objective) : "no value yet";
      const more = knob ? `base ${number(knob.base)} · baseline ${number(knob.baseline)} · bounds ${number(knob.min)} to ${number(knob.max)}${is_log(knob) ? ", log axis" : ""}`
                        : "lower is better";
      c.name ??= h("b"); c.value ??= h("span", { class: "value" }); c.more ??= h("span", { class: "muted" });
      if (!c.name.parentNode) c.caption.append(c.name, " ", c.value, " ", c.more);
      set_text(c.name, knob ? knob.name : "objective"); set_text(c.value, value); set_text(c.more, more);
      c.canvas.setAttribute("aria-label", `${knob ? knob.name : "Objective"} over time: now ${value}, ${more}. ${this.counts()}`);
      if (this.visible && !document.hidden) c.view.update(this.loop, this.history, this.now(), this.span_ms());
    }
  }

  counts() {
    const m = this.history.marks;
    return `Marks: ${m.applied.length} applied, ${m.probe.length} probes, ${m.rejected.length} rejected, ${m["rolled back"].length} rolled back. The table below lists the latest.`;
  }

  fill_table() {
    if (!this.details.open || !this.loop) return;
    const newest = this.history.changes.at(-1)?.sequence;
    if (this.table_of === newest) return;
    this.table_of = newest;
    const head = ["Time", "Mark", "What", ...this.loop.knobs.map((k) => k.unit ? `${k.name} [${k.unit}]` : k.name)];
    const rows = this.history.changes.slice(-table_rows).reverse().map(({ x, kind, record }) =>
      h("tr", {}, h("td", {}, clock(x)), h("td", {}, kind), h("td", {}, describe(record)), ...this.loop.knobs.map((_, i) =>
        h("td", { class: "num" }, `${number(record.before?.[i])} → ${number(record.after?.[i])}`))));
    this.table.replaceChildren(h("table", {}, h("caption", { class: "unseen" }, `Latest changes of ${this.name}`),
      h("thead", {}, h("tr", {}, ...head.map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, ...rows)));
  }

  async press(verb) {
    if (this.buttons[verb].getAttribute("aria-disabled") === "true") return;
    let reason = "console";
    if (verb === "rollback") reason = await ask_reason(`Roll ${this.name} back to its baseline?`, [this.way_back()], "Roll back");
    if (verb === "safe-mode-reset")
      reason = await ask_reason(`End safe mode of ${this.name}?`, [h("p", {}, `It is frozen because of ${this.loop.safe_mode_reasons.join(", ")}. It will change the system again at once.`)], "End safe mode");
    if (reason === null) return this.buttons[verb].focus();
    this.busy = true;
    this.offer();
    this.say("", "…");
    try {
      const answer = await api.command(this.name, verb, reason);
      this.say("ok", answer.text || `${verb}: done`);
      this.after_command();
    } catch (problem) {
      this.say("bad", `${verb}: ${problem.words ?? problem.message}`);
    }
    this.busy = false;
    this.offer();
    this.buttons[verb].focus();
  }

  say(state, text) {
    set_state(this.message, state, text);
    clearTimeout(this.fading);
    if (state === "ok") this.fading = setTimeout(() => set_state(this.message, "", ""), message_ms); // refusals stay
  }

  way_back() {
    return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Knob", "Now", "Baseline"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...this.loop.knobs.map((k) => h("tr", {}, h("td", {}, k.name), h("td", { class: "num" }, with_unit(k.value, k.unit)), h("td", { class: "num" }, with_unit(k.baseline, k.unit)))))));
  }
}

export class Loops {
  /** @param refresh  asks for the status at once. */
  constructor(refresh) {
    this.cards = new Map();
    this.histories = new Map();
    this.span_ms = 600000;
    this.refresh = refresh;
    this.skew = 0;
    this.lateness = [];
    by_id("spans").addEventListener("change", (event) => { this.span_ms = Number(event.target.value) * 1000; this.redraw(); });
    when_theme_changes(() => this.cards.forEach((card) => card.charts?.forEach((c) => c.view.repaint())));
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.redraw(); });
  }

  /** The daemon's clock: charts must not break where the browser's is wrong. */
  now() { return Date.now() - this.skew; }

  history(name) {
    if (!this.histories.has(name)) this.histories.set(name, new LoopHistory());
    return this.histories.get(name);
  }

  take_audit(entries, live) {
    for (const entry of entries) {
      if (live) this.check_clock(Number(entry.record.time_us) / 1000);
      if (entry.record.loop) this.history(entry.record.loop).take_record(entry);
    }
  }

  check_clock(at) {
    const late = Date.now() - at;
    this.lateness = [...this.lateness.slice(-4), late];
    const least = Math.min(...this.lateness);
    // A record from the future proves a wrong clock at once; late ones only when they are all equally late.
    const steady = this.lateness.length === 5 && Math.max(...this.lateness) - least < 2000;
    if (late < this.skew - 250 || (steady && least > this.skew + 60000)) this.skew = late;
  }

  take_status(status) {
    const loops = status.loops ?? [], list = by_id("loop-list");
    for (const name of [...this.cards.keys()].filter((n) => !loops.some((l) => l.name === n))) {
      this.cards.get(name).remove();
      this.cards.delete(name);
      this.histories.delete(name);
    }
    if (this.cards.size === 0) list.replaceChildren(...(loops.length ? [] : [h("p", { class: "muted" }, "No loop is configured on this node.")]));
    for (const loop of loops) {
      this.history(loop.name).take_status(loop, this.now());
      if (!this.cards.has(loop.name)) {
        const card = new LoopCard(loop.name, this.history(loop.name));
        card.now = () => this.now();
        card.span_ms = () => this.span_ms;
        card.after_command = () => this.refresh();
        this.cards.set(loop.name, card);
        list.append(card.element);
      }
      const card = this.cards.get(loop.name);
      card.stale = false;
      card.update(loop);
    }
    const frozen = loops.filter((l) => l.state === "safe mode").length, down = loops.filter((l) => l.state === "down").length;
    set_text(by_id("count-loops"), [String(loops.length), frozen && `${frozen} in safe mode`, down && `${down} down`].filter(Boolean).join(" · "));
  }

  /** Without the daemon nothing can be commanded, and what is shown is old. */
  lost() {
    for (const card of this.cards.values()) { card.stale = true; if (card.loop) card.offer(); }
  }

  redraw() { this.cards.forEach((card) => card.draw()); }
}
