// The audit trail: newest first, searched in the page; and whether its hash chain holds.
import { api } from "./api.js";
import { by_id, enable, h, moment, number, set_state, set_text, us_to_ms } from "./dom.js";
import { describe, reason_text } from "./history.js";

const page_size = 50;
const max_kept = 10000;   // what the daemon gives at most in one answer
const kinds = ["started", "intent", "committed", "aborted", "rejected", "safe_mode_entered", "safe_mode_left", "baseline_set", "drift", "operator_command", "stopped"];
const recheck_ms = 60000;

/** All that a search looks at, in one line. */
export function haystack(entry) {
  const r = entry.record;
  return [entry.sequence, entry.hash, r.kind, r.kind.replaceAll("_", " "), r.loop, r.change, r.classification, r.source, r.actor, r.evidence, r.text,
          r.reason ? reason_text(r.reason) : "", `generation ${r.generation}`, `revision ${r.revision}`].join(" ").toLowerCase();
}

export class Audit {
  constructor() {
    this.entries = [];   // by ascending sequence
    this.knobs = {};     // names by loop
    this.page = 0;
    this.fetched = 1000;
    this.kind_names = [];
    this.add_kinds(kinds);
    const again = () => { this.page = 0; this.draw(true); };
    by_id("audit-filter").addEventListener("input", again);
    by_id("audit-filter").addEventListener("submit", (event) => event.preventDefault());
    by_id("audit-newer").addEventListener("click", () => this.turn(-1));
    by_id("audit-older").addEventListener("click", () => this.turn(1));
    by_id("audit-more").addEventListener("click", () => this.fetch_more());
    by_id("chain-again").addEventListener("click", () => this.check_chain());
  }

  add_kinds(names) {
    for (const name of names.filter((n) => !this.kind_names.includes(n))) {
      this.kind_names.push(name);
      by_id("audit-kind").append(h("option", { value: name }, name.replaceAll("_", " ")));
    }
  }

  take_status(status) {
    for (const loop of status.loops ?? []) {
      if (!this.knobs[loop.name]) by_id("audit-loop").append(h("option", { value: loop.name }, loop.name));
      this.knobs[loop.name] = loop.knobs.map((k) => k.name);
    }
  }

  take(entries) {
    // A younger record that is older than what we have: another store took the place of ours.
    if (this.entries.length && Number(entries[0].sequence) <= Number(this.entries.at(-1).sequence)) this.merge(entries);
    else this.entries.push(...entries);
    if (this.entries.length > max_kept) this.entries.splice(0, this.entries.length - max_kept);
    for (const e of entries) e.text = haystack(e);
    this.add_kinds([...new Set(entries.map((e) => e.record.kind))]);
    this.draw_soon();
  }

  merge(entries) {
    const known = new Map(this.entries.map((e) => [e.sequence, e]));
    const other = entries.some((e) => known.has(e.sequence) && known.get(e.sequence).hash !== e.hash);
    if (other) known.clear();
    for (const e of entries) known.set(e.sequence, e);
    this.entries = [...known.values()].sort((a, b) => Number(a.sequence) - Number(b.sequence));
  }

  draw_soon() {
    if (this.pending) return;
    this.pending = setTimeout(() => { this.pending = null; this.draw(); }, 500);
  }

  found() {
    const words = by_id("audit-text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const loop = by_id("audit-loop").value, kind = by_id("audit-kind").value;
    return this.entries.filter((e) => (!loop || e.record.loop === loop) && (!kind || e.record.kind === kind) && words.every((w) => e.text.includes(w))).reverse();
  }

  /** A record that is open, focused or selected is being read: new ones wait then. */
  is_read() {
    const table = by_id("audit-table"), selection = getSelection();
    return table.querySelector("details[open]") || table.contains(document.activeElement) || (!selection.isCollapsed && table.contains(selection.anchorNode));
  }

  /** @param wanted  the person asked for other records. */
  draw(wanted = false) {
    const found = this.found(), pages = Math.max(1, Math.ceil(found.length / page_size));
    this.page = Math.min(this.page, pages - 1);
    const rows = found.slice(this.page * page_size, (this.page + 1) * page_size);
    const first = this.entries[0]?.sequence ?? 0, last = this.entries.at(-1)?.sequence ?? 0;
    set_text(by_id("audit-summary"), `${found.length} of ${this.entries.length} records (${first} to ${last}) · page ${this.page + 1} of ${pages}`);
    enable(by_id("audit-newer"), this.page > 0);
    enable(by_id("audit-older"), this.page + 1 < pages);
    enable(by_id("audit-more"), this.entries.length < max_kept && Number(first) > 1);
    const shape = JSON.stringify(rows.map((e) => e.hash));
    if (shape === this.shape) return;
    if (!wanted && this.is_read()) return set_text(by_id("audit-summary"), `${by_id("audit-summary").textContent} · new records wait while you read one`);
    this.shape = shape;
    by_id("audit-table").replaceChildren(h("table", { class: "records" }, h("caption", { class: "unseen" }, "Audit records, newest first"),
      h("thead", {}, h("tr", {}, ...["#", "Time", "Loop", "What", "Values", "Who"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...rows.map((e) => this.row(e)))));
  }

  row(entry) {
    const r = entry.record, loop = r.loop || (/^loop (.+?): /.exec(r.text)?.[1] ?? ""); // what concerns several loops says which in its text
    const names = this.knobs[loop] ?? [], after = r.after ?? [];
    const changed = after.map((_, i) => i).filter((i) => r.before?.[i] !== after[i]);
    const values = (changed.length ? changed : after.map((_, i) => i))
      .map((i) => `${names[i] ?? `knob ${i + 1}`} ${r.before?.length ? `${number(r.before[i])} → ` : ""}${number(after[i])}`).join(", ");
    const more = [["Evidence", r.evidence], ["Source", r.source], ["Class", r.classification], ["Generation", r.generation], ["Revision", r.revision], ["Hash", entry.hash]];
    return h("tr", { class: `kind-${r.kind}` }, h("td", { class: "num", "data-label": "#" }, entry.sequence), h("td", { "data-label": "Time" }, moment(us_to_ms(r.time_us))),
      h("td", { "data-label": "Loop" }, loop),
      h("td", { "data-label": "What" }, h("details", {}, h("summary", {}, describe(r)),
        h("dl", { class: "facts" }, ...more.filter(([, v]) => v && v !== "0").map(([n, v]) => h("div", {}, h("dt", {}, n), h("dd", {}, v)))))),
      h("td", { "data-label": "Values" }, values), h("td", { "data-label": "Who" }, r.actor));
  }

  turn(by) {
    if (by_id(by < 0 ? "audit-newer" : "audit-older").getAttribute("aria-disabled") === "true") return;
    this.page += by;
    this.draw(true);
  }

  async fetch_more() {
    if (by_id("audit-more").getAttribute("aria-disabled") === "true") return;
    this.fetched = Math.min(max_kept, this.fetched * 4);
    try {
      this.take((await api.audit(this.fetched, by_id("audit-loop").value)).entries ?? []);
    } catch (problem) {
      set_text(by_id("audit-summary"), problem.words);
    }
  }

  async check_chain() {
    clearTimeout(this.timer);
    const chain = by_id("chain");
    let again = recheck_ms;
    try {
      const verdict = await api.verify();
      const n = Number(verdict.checked);
      if (verdict.intact) set_state(chain, "ok", `✓ chain verified, ${n} records`);
      else {
        set_state(chain, "bad", "✕ CHAIN BROKEN");
        const f = verdict.findings?.[0];
        this.on_broken(`The audit chain is broken: ${verdict.findings_total} findings` + (f ? `, first: record ${f.sequence} ${f.fault}` : "") +
                       ". Somebody or something changed the record. Do not trust it; keep a copy of the store; see homeostat audit verify.");
      }
      if (verdict.intact) this.on_broken("");
    } catch (problem) {
      if (problem.status === 404 || problem.status === 405) set_state(chain, "", "chain check: not available in this version");
      else set_state(chain, "", problem.status === 503 ? "checking the chain" : "chain not checked");
      again = problem.status === 503 ? 1000 * (problem.retry_after || 2) : 10000;
    }
    this.timer = setTimeout(() => this.check_chain(), again);
  }
  on_broken() {}
}
