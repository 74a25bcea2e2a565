// Pools that decide how buffers travel: what decides, how it went, what should change, and the way back to rules.
import { api } from "./api.js";
import { when_theme_changes } from "./charts.js";
import { ask_reason } from "./dialogs.js";
import { announce, by_id, enable, h, microseconds, moment, number, set_state, set_text, size, us_to_ms } from "./dom.js";
import { List, facts, moment_of, percent } from "./lists.js";
import { Latency_chart, Threshold_chart } from "./pool_charts.js";

const refresh_ms = 5000;
const absent_ms = 60000;
const slow_ms = 30000;     // latency over the last hour and regressions change no faster
const shown_changes = 12;
const legend = [["base", "●", "threshold now"], ["baseline", "✕", "as configured"], ["muted", "·", "before"], ["band", "▒", "quick path: left grpc, right zero_copy"]];
const latency_legend = [["base", "━", "grpc p50"], ["base", "╌", "p99"], ["baseline", "━", "zero_copy p50"], ["baseline", "╌", "p99"]];
const snoozes = [["3600", "1 h"], ["86400", "1 day"], ["604800", "1 week"]];

const part_of = (some, all) => (Number(all) ? percent(Number(some) / Number(all)) : "–");
const legend_of = (rows) => h("p", { class: "legend", "aria-hidden": "true" }, ...rows.map(([c, sign, text]) => h("span", {}, h("i", { class: `c-${c}` }, sign), ` ${text}`)));
const table = (caption, head, rows) => h("table", {}, h("caption", { class: "unseen" }, caption), h("thead", {}, h("tr", {}, ...head.map((t) => h("th", { scope: "col" }, t)))),
  h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((c) => h("td", {}, c))))));
const gain_words = (share, low, high) => `${percent(share)} of transfer time (${percent(low)} to ${percent(high)})`;

const value_words = (key, value) => (/^(zero_copy|minimum|maximum)_threshold$/.test(key) ? size(value) : value);

function describe_advice(a, row) {
  if (!row.snooze) {
    row.snooze = h("select", {}, ...snoozes.map(([value, text]) => h("option", { value }, text)));
    row.extra.append(h("label", {}, " Snooze for ", row.snooze));
  }
  const o = a.outcome;
  return [
    h("div", { class: "bar" }, h("h3", {}, a.key), h("span", { class: "badge" }, a.state)),
    h("p", {}, h("span", { class: "muted" }, value_words(a.key, a.before)), " → ", h("strong", {}, value_words(a.key, a.value))),
    facts([["Why", a.evidence], ["Expected", a.gain === undefined || a.gain === null ? "the records cannot tell" : gain_words(a.gain, a.gain_low, a.gain_high)],
      ["Effort", ["", "one key, reversible", "moves a limit of the quick path", "changes how it learns"][a.effort]],
      ["Decided", [a.decision, a.decided_by && `by ${a.decided_by}`].filter(Boolean).join(" ")], ["Proposal", a.proposal && `#${a.proposal}`],
      ["Until", Number(a.snoozed_until_us) ? moment_of(a.snoozed_until_us) : ""], ["Applied", moment_of(a.applied_us)],
      ["Measured", o ? `${o.verdict.replaceAll("_", " ")}${o.final ? "" : " so far"}: ${o.text}` : ""]]),
    a.state === "open" ? h("details", {}, h("summary", {}, "Configuration"), h("pre", { class: "snippet" }, a.snippet)) : null,
  ].filter(Boolean);
}

class PoolCard {
  constructor(name, now) {
    this.name = name;
    this.now = now;
    const id = encodeURIComponent(name);
    this.badges = ["learning", "pressure", "step"].map(() => h("span", { class: "badge" }));
    this.facts = h("span", { class: "muted" });
    this.rules = h("button", { type: "button", class: "danger", "data-verb": "rules", onclick: () => this.to_rules() }, "Back to rules…");
    this.message = h("p", { class: "message", role: "status" });
    this.share = h("div", { class: "shares", role: "img" }, h("i", { class: "grpc" }), h("i", { class: "zero_copy" }));
    this.share_words = h("p", { class: "legend" });
    this.trouble = h("p", { class: "reasons", hidden: true });
    this.canvases = [0, 1].map(() => h("canvas", { role: "img" }));
    this.regressions = h("div");
    this.changes = h("div", { class: "scroll" });
    this.policy = h("div");
    const title = h("h3", { id: `pool-${id}` }, name), figure = (canvas, text, words) => h("figure", {}, h("figcaption", {}, h("b", {}, text)), h("div", { class: "plot" }, canvas), legend_of(words));
    this.element = h("article", { class: "panel pool", "aria-labelledby": title.id, "data-pool": name },
      h("div", { class: "bar" }, title, ...this.badges, this.facts, h("div", { class: "actions", role: "group", "aria-label": `Commands for ${name}` }, this.rules)),
      this.message, this.trouble, this.share, this.share_words,
      h("div", { class: "figures" }, figure(this.canvases[0], "Thresholds by data type", legend), figure(this.canvases[1], "Latency, last hour", latency_legend)),
      this.regressions,
      h("details", { class: "alt changes" }, h("summary", {}, "Thresholds, and why they moved"), this.changes),
      h("details", { class: "alt" }, h("summary", {}, "Policy and model"), this.policy),
      h("h4", {}, "Recommendations ", h("b", { id: `pool-advice-count-${id}` })), h("div", { id: `pool-advice-${id}`, class: "advice" }));
  }

  /** Once its element is in the page. */
  begin() {
    const id = encodeURIComponent(this.name);
    this.thresholds = new Threshold_chart(this.canvases[0]);
    this.latency = new Latency_chart(this.canvases[1]);
    this.advice = new List({
      id: `pool-advice-${id}`, count: `pool-advice-count-${id}`, empty: "Nothing is worth changing, as far as the records tell.",
      load: async () => ((await api.pool_advice(this.name)).advice ?? []).filter((a) => a.state !== "expired"),
      key: (a) => a.id, open: (a) => a.state === "open", order: (a, b) => b.score - a.score,
      verbs: (a) => (a.state === "open" ? [["accept", "Propose", "primary"], ["dismiss", "Dismiss"], ["snooze", "Snooze"]] : []),
      decide: (a, verb, text, row) => api.answer_pool_advice(this.name, a.id, verb, verb === "snooze" ? { text, snooze_seconds: Number(row.snooze.value) } : { text }),
      describe: describe_advice,
    });
    this.advice.start();
  }

  remove() {
    this.advice.stop();
    this.thresholds.destroy();
    this.latency.destroy();
    this.element.remove();
  }

  show(pool) {
    const { policy, model = {} } = pool, shared = Number(pool.zero_copy), serialised = Number(pool.grpc), all = shared + serialised;
    const [learning, pressure, step] = this.badges;
    set_state(learning, policy.learning_enabled ? "on" : "off", policy.learning_enabled ? "learns" : "rules only");
    set_state(pressure, pool.pressure === "none" ? "" : "pressed", pool.pressure === "none" ? "no pressure" : `pressure: ${pool.pressure}`);
    set_state(step, "", model.step ? `model ${model.model}: ${model.step.replaceAll("_", " ")}` : "no model");
    set_text(this.facts, `${policy.goal.replaceAll("_", " ")} · ${pool.decisions} decisions · ${pool.transfers} transfers · ${part_of(pool.explored, pool.transfers)} explored · ${pool.failed} failed` +
                         (Number(pool.lost) ? ` · ${pool.lost} reports lost` : ""));
    this.share.children[0].style.flexGrow = serialised;
    this.share.children[1].style.flexGrow = shared;
    this.share.hidden = all === 0;
    const words = all ? `grpc ${part_of(serialised, all)}, zero_copy ${part_of(shared, all)} of ${all} transfers; ${percent(pool.within_15)} of ${pool.predicted} predictions within 15 %` : "No transfer was reported yet.";
    set_text(this.share_words, words);
    this.share.setAttribute("aria-label", words);
    const trouble = [model.failure && `Model: ${model.failure}`, pool.metrics_error && `Metrics are not written: ${pool.metrics_error}`].filter(Boolean).join(". ");
    this.trouble.hidden = !trouble;
    set_text(this.trouble, trouble);
    const shape = JSON.stringify([pool.thresholds, pool.changes, policy, model]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.thresholds.update(pool);
    this.canvases[0].setAttribute("aria-label", `Thresholds: ${(pool.thresholds ?? []).map((t) => `${t.type} ${size(t.threshold)}`).join(", ")}. The table below says why they moved.`);
    this.show_changes(pool);
    this.policy.replaceChildren(facts([["Threshold", size(policy.zero_copy_threshold)], ["Quick path", `below ${size(policy.minimum_threshold)} grpc, from ${size(policy.maximum_threshold)} zero_copy`],
      ["Exploration", `${percent(policy.exploration_rate)} of decisions, at most ${percent(policy.exploration_budget)} of the time`], ["Marginal", percent(policy.marginal_benefit)],
      ["Pressure", `from ${percent(policy.memory_pressure_threshold)} of memory, ${percent(policy.cpu_pressure_threshold)} of the processors`],
      ["Rules", (policy.rules ?? []).map((r) => `${r.name}: ${r.use} when ${r.when} (priority ${r.priority})`).join("; ")],
      ["Training", `${model.samples ?? 0} transfers held, ${model.drifts ?? 0} drifts seen${model.training ? ", one under way" : ""}`], ["Gate", model.gate]]));
  }

  show_changes(pool) {
    const { thresholds = [], changes = [] } = pool;
    this.changes.replaceChildren(
      table(`Thresholds of ${this.name}`, ["Type", "Configured", "Threshold", "Performance factor"], thresholds.map((t) => [t.type, size(t.base), size(t.threshold), `${number(t.performance_factor)}×`])),
      changes.length ? table(`Changes of thresholds of ${this.name}`, ["Time", "Type", "Change", "Why"],
        changes.slice(-shown_changes).reverse().map((c) => [moment(us_to_ms(c.time_us)), c.type, `${size(c.from)} → ${size(c.to)}`, c.rationale])) : h("p", { class: "muted" }, "None has moved yet."));
  }

  async show_slow() {
    const [grpc, zero_copy, report] = await Promise.all([api.pool_latency(this.name, "grpc"), api.pool_latency(this.name, "zero_copy"), api.pool_regressions(this.name)]);
    this.latency.update({ grpc: grpc.points, zero_copy: zero_copy.points }, this.now());
    const said = [["grpc", grpc.total], ["zero_copy", zero_copy.total]].filter(([, t]) => Number(t?.delivered)).map(([m, t]) => `${m} p50 ${microseconds(t.p50_us)}, p99 ${microseconds(t.p99_us)}`);
    this.canvases[1].setAttribute("aria-label", `Latency of the last hour: ${said.join("; ") || "nothing was delivered"}.`);
    const found = report.findings ?? [], text = JSON.stringify(found);
    if (text === this.found) return;
    if (this.found !== undefined && found.length) announce(`Pool ${this.name}: ${found.length} regressions`);
    this.found = text;
    this.regressions.replaceChildren(...(found.length ? [h("h4", {}, `Regressions (${found.length})`), h("ul", { class: "regressions" }, ...found.map((f) => h("li", {}, f.text)))] : []));
  }

  async to_rules() {
    if (this.rules.getAttribute("aria-disabled") === "true") return;
    const reason = await ask_reason(`Send ${this.name} back to its rules?`,
      [h("p", {}, "What it learned is forgotten, its model is removed from the disk, and it stops learning. The configured thresholds and your rules decide from then on.")], "Back to rules");
    if (reason === null) return this.rules.focus();
    enable(this.rules, false);
    set_state(this.message, "", "…");
    try {
      this.show(await api.pool_to_rules(this.name, reason));
      set_state(this.message, "ok", "Thresholds and rules decide; learning is off.");
    } catch (problem) {
      set_state(this.message, "bad", problem.words ?? problem.message);
    }
    enable(this.rules, true);
    this.rules.focus();
  }
}

/** Behaves like a list: start, stop, refresh, refresh_soon. A daemon without pools has no such section. */
export class Pools {
  /** @param now  the daemon's clock, in ms. */
  constructor(now) {
    this.now = now;
    this.cards = new Map();
    when_theme_changes(() => this.cards.forEach((card) => { card.thresholds.repaint(); card.latency.repaint(); }));
  }

  start() {
    this.running = true;
    this.cards.forEach((card) => card.advice.start());
    if (!this.timer) this.tick();
  }
  stop() {
    this.running = false;
    clearTimeout(this.timer);
    this.timer = null;
    this.cards.forEach((card) => card.advice.stop());
  }
  async tick() {
    const absent = (await this.refresh()) === false;
    if (this.running) this.timer = setTimeout(() => this.tick(), absent ? absent_ms : refresh_ms);
  }
  refresh_soon() { this.cards.forEach((card) => card.advice.refresh_soon()); }

  /** @returns false if this daemon has no pools. */
  async refresh() {
    let pools = [];
    try {
      pools = (await api.pools()).pools ?? [];
      set_text(by_id("pools-note"), "");
    } catch (problem) {
      if (problem.status !== 404 && problem.status !== 405) {
        set_text(by_id("pools-note"), problem.words ?? problem.message);
        return true;
      }
    }
    this.show(pools);
    for (const id of ["pools", "pools-link"]) by_id(id).hidden = pools.length === 0;
    set_text(by_id("count-pools"), pools.length ? String(pools.length) : "");
    if (!document.hidden && Date.now() - (this.slow_at ?? 0) >= slow_ms) {
      this.slow_at = Date.now();
      await Promise.all([...this.cards.values()].map((card) => card.show_slow().catch((problem) => set_text(by_id("pools-note"), problem.words ?? problem.message))));
    }
    return pools.length > 0;
  }

  show(pools) {
    for (const [name, card] of this.cards)
      if (!pools.some((p) => p.name === name)) { card.remove(); this.cards.delete(name); }
    for (const pool of pools) {
      if (!this.cards.has(pool.name)) {
        const card = new PoolCard(pool.name, this.now);
        by_id("pool-list").append(card.element);
        by_id("pools").hidden = false;   // a chart needs its box
        card.begin();
        this.cards.set(pool.name, card);
      }
      this.cards.get(pool.name).show(pool);
    }
  }
}
