// Proposals: the riskiest first, then the oldest; what happens next and when; decisions on the version that was read.
import { api } from "./api.js";
import { h, set_text, span, us_to_ms } from "./dom.js";
import { List, diff_table, facts, moment_of, percent } from "./lists.js";

const risk_rank = { HIGH: 0, MEDIUM: 1, LOW: 2 };
const risk_signs = { HIGH: "▲▲▲", MEDIUM: "▲▲", LOW: "▲" };
const rank = (p) => risk_rank[p.risk] ?? 0; // a risk we do not know goes first

export const by_risk_then_age = (a, b) => rank(a) - rank(b) || Number(a.created_us) - Number(b.created_us);

const is_open = (p) => ["pending", "acknowledged", "approved"].includes(p.state);

function verbs(p) {
  const all = { acknowledge: ["ack", "Acknowledge"], approve: ["approve", "Approve", "primary"], reject: ["reject", "Reject", "danger"], withdraw: ["withdraw", "Withdraw"] };
  if (p.state === "pending") return [all.acknowledge, all.approve, all.reject, all.withdraw];
  if (p.state === "acknowledged") return [all.approve, all.reject, all.withdraw];
  return [];
}

function next_words(p, now) {
  if (!p.next) return "";
  if (p.next_us === undefined || p.next_us === null) return p.next;
  const left = us_to_ms(p.next_us) - now;
  return left > 0 ? `${p.next} in ${span(left)} (${moment_of(p.next_us)})` : `${p.next}: due now`;
}

function describe(p, row, now) {
  const next = h("strong", { class: "next" }), age = h("span");
  row.tick = () => {
    set_text(next, next_words(row.item, now()));
    set_text(age, `${span(now() - us_to_ms(p.created_us))} ago (${moment_of(p.created_us)})`);
  };
  row.tick();
  const loops = [...new Set((p.changes ?? []).map((c) => c.loop))].join(", ");
  return [
    h("div", { class: "bar" }, h("h3", {}, `#${p.id} ${loops}`),
      h("span", { class: `badge risk-${p.risk.toLowerCase()}` }, h("span", { "aria-hidden": "true" }, `${risk_signs[p.risk] ?? "?"} `), `${p.risk} risk`),
      h("span", { class: "badge" }, p.state), p.classification ? h("span", { class: "muted" }, p.classification) : null),
    p.next ? h("p", {}, "Next: ", next) : null,
    ...(p.changes ?? []).map((c) => diff_table(`${c.loop}, from revision ${c.base_revision}${c.done ? ", done" : c.steps_taken ? `, ${c.steps_taken} steps taken` : ""}`, c.knobs ?? [])),
    facts([["Rationale", p.rationale], ["Evidence", p.evidence], ["Risk", (p.risk_terms ?? []).map((t) => (t.steps ? `${t.text} (+${t.steps})` : t.text)).join("; ")],
      ["Confidence", percent(p.confidence)], ["Expected gain", p.expected_gain === undefined || p.expected_gain === null ? "" : percent(p.expected_gain)],
      ["From", [p.author, p.source].filter(Boolean).join(" via ")], ["Proposed", age],
      ["Decided", [p.decision, p.decided_by && `by ${p.decided_by}`].filter(Boolean).join(" ")]]),
  ];
}

/** @param now  the daemon's clock, in ms. */
export function make_proposals(now) {
  const list = new List({
    id: "proposal-list", count: "count-proposals", empty: "Nothing waits for a decision.",
    load: async () => (await api.proposals()).proposals ?? [],
    key: (p) => String(p.id), order: by_risk_then_age, open: is_open, verbs,
    describe: (p, row) => describe(p, row, now),
    decide: (p, verb, text) => api.decide(p.id, verb, p.version, text),
  });
  setInterval(() => list.rows.forEach((row) => row.tick?.()), 1000);
  return list;
}
