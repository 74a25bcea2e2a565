// What the charts show: bounded series per loop, from status messages and audit records. Every list here has a cap; past it
// the older half is thinned, so that hours stay visible at less detail.
import { number, us_to_ms, with_unit } from "./dom.js";

const max_points = 1500;
const max_marks = 400;
const max_intents = 64;

export class Series {
  constructor() { this.points = []; }
  push(x, y) {
    const p = this.points;
    let at = p.length;
    while (at > 0 && p[at - 1].x > x) --at; // records may arrive after a younger status
    if (at > 0 && p[at - 1].x === x) p[at - 1].y = y;
    else p.splice(at, 0, { x, y });
    if (p.length > max_points) this.points = thinned(p);
  }
  last() { return this.points.at(-1); }
  /** The value that held at a time; undefined before the first. */
  at(x) {
    const p = this.points;
    let low = 0, high = p.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (p[middle].x <= x) low = middle + 1; else high = middle;
    }
    return p[low - 1]?.y;
  }
}

const thinned = (points) => points.filter((_, i) => i >= points.length / 2 || i % 2 === 0);

/** Which mark a record is in a chart, or null. A probe that is taken back is a probe's mark too: it moved no base point. */
export function mark_kind(record) {
  switch (record.kind) {
    case "committed":
      if (record.source === "return to base point") return "probe";
      if (record.classification === "rollback") return "rolled back";
      return record.change === "apply_plus" || record.change === "apply_minus" ? "probe" : "applied";
    case "rejected": case "aborted": return "rejected";
    default: return null;
  }
}

const change_names = { apply_plus: "plus probe", apply_minus: "minus probe", update: "update" };

/** One line on what a record did, without its values. */
export function describe(record) {
  const kind = record.kind.replaceAll("_", " ");
  const change = change_names[record.change] ?? (record.classification !== "proposal" ? record.source || record.classification : "");
  const reason = record.reason?.code ? reason_text(record.reason) : "";
  return [kind, change, reason, record.text].filter(Boolean).join(" · ");
}

export function reason_text(reason) {
  return reason.code + (reason.knob ? ` (${reason.knob}: ${number(reason.value)}, limit ${number(reason.limit)})` : "");
}

export class LoopHistory {
  constructor() {
    this.objective = new Series();
    this.knobs = [];                                // {live, base} in the loop's order
    this.marks = { applied: [], probe: [], rejected: [], "rolled back": [] };
    this.frozen = [];                               // {from, to}: safe mode; to is null while it lasts
    this.reasons = new Set();                       // that hold it there
    this.intents = new Map();                       // by generation: what proposed it, on which evidence
    this.changes = [];                              // the latest records that are marks
  }
  knob(i) { return (this.knobs[i] ??= { live: new Series(), base: new Series() }); }

  take_status(loop, now) {
    if (Number.isFinite(loop.objective)) this.objective.push(now, loop.objective);
    (loop.knobs ?? []).forEach((k, i) => {
      this.knob(i).live.push(now, k.value);
      this.knob(i).base.push(now, k.base);
    });
    this.reasons = new Set(loop.safe_mode_reasons);
    this.set_frozen(loop.state === "safe mode", now);
  }

  set_frozen(frozen, at) {
    const open = this.frozen.at(-1)?.to === null;
    if (frozen && !open) this.frozen.push({ from: at, to: null });
    if (!frozen && open) this.frozen.at(-1).to = Math.max(at, this.frozen.at(-1).from);
    if (this.frozen.length > max_marks) this.frozen.shift();
  }

  take_record(entry) {
    const record = entry.record, at = us_to_ms(record.time_us);
    if (record.kind === "intent") {
      this.intents.set(record.generation, record);
      if (this.intents.size > max_intents) this.intents.delete(this.intents.keys().next().value);
    }
    if (record.kind === "safe_mode_entered") this.set_frozen(this.reasons.add(record.source).size > 0, at);
    if (record.kind === "safe_mode_left" && this.reasons.delete(record.source)) this.set_frozen(this.reasons.size > 0, at);
    const kind = mark_kind(record);
    if (record.kind === "committed")
      record.after?.forEach((value, i) => {
        this.knob(i).live.push(at, value);
        if (kind !== "probe" || record.source === "return to base point") this.knob(i).base.push(at, value);
      });
    if (!kind) return;
    const intent = this.intents.get(record.generation);
    const mark = { x: at, kind, record, sequence: entry.sequence, source: intent?.source || record.source,
                   evidence: intent?.evidence || record.evidence };
    for (const list of [this.marks[kind], this.changes]) {
      list.push(mark);
      if (list.length > max_marks) list.shift();
    }
  }
}

/** The words of a mark's tooltip. @param knobs  of the loop's status. @param only  index of the knob shown, or null: all. */
export function mark_text(mark, knobs, only) {
  const { record } = mark;
  const lines = [`${mark.kind}: ${describe(record)}`];
  (record.after ?? []).forEach((after, i) => {
    if (only !== null && only !== i) return;
    const before = record.before?.[i], unit = knobs[i]?.unit ?? "";
    lines.push(`${knobs[i]?.name ?? `knob ${i}`} ${before === undefined ? "" : `${number(before)} → `}${with_unit(after, unit)}`);
  });
  const who = [mark.source && `by ${mark.source}`, record.actor && record.actor !== "homeostat" && record.actor].filter(Boolean).join(", ");
  lines.push([who, mark.evidence].filter(Boolean).join("; "), `record ${mark.sequence}${Number(record.generation) ? `, generation ${record.generation}` : ""}`);
  return lines.filter(Boolean);
}
