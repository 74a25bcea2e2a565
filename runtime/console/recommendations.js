// Drift and recommendations: what somebody changed outside, and advice that is never applied by itself.
import { api } from "./api.js";
import { h, moment, us_to_ms } from "./dom.js";
import { List, diff_table, facts, percent } from "./lists.js";

export function make_drift() {
  return new List({
    id: "drift-list", count: "count-drift", empty: "Live values are as decided.",
    load: async () => (await api.drift()).drifts ?? [],
    key: (d) => `${d.loop}/${d.revision}`, open: () => true,
    order: (a, b) => Number(a.found_us) - Number(b.found_us),
    verbs: () => [["accept", "Accept the live values", "primary"], ["revert", "Revert", "danger"]],
    decide: (d, verb, text) => api.settle_drift(d.loop, d.revision, verb, text),
    describe: (d) => [
      h("div", { class: "bar" }, h("h3", {}, d.loop), ...(d.tags ?? []).map((t) => h("span", { class: "badge risk-medium" }, t))),
      h("p", {}, `Somebody changed values outside; found ${moment(us_to_ms(d.found_us))}, kept as revision ${d.revision}.`),
      diff_table("desired → found", d.knobs ?? []),
    ],
  });
}

const snoozes = [["3600", "1 h"], ["28800", "8 h"], ["86400", "1 day"], ["604800", "1 week"]];

export function make_recommendations() {
  return new List({
    id: "recommendation-list", count: "count-recommendations", empty: "No advice at the moment.",
    load: async () => (await api.recommendations()).recommendations ?? [],
    key: (r) => r.id, open: (r) => r.state === "open",
    order: (a, b) => Number(b.last_seen_us) - Number(a.last_seen_us),
    verbs: (r) => (r.state === "open" ? [["accept", "Accept", "primary"], ["dismiss", "Dismiss"], ["snooze", "Snooze"]] : []),
    decide: (r, verb, text, row) =>
      api.answer_recommendation(r.id, verb, verb === "snooze" ? { text, snooze_seconds: Number(row.snooze.value) } : { text }),
    describe: (r, row) => {
      if (!row.snooze) {
        row.snooze = h("select", {}, ...snoozes.map(([value, text]) => h("option", { value }, text)));
        row.extra.append(h("label", {}, " Snooze for ", row.snooze));
      }
      return [
        h("div", { class: "bar" }, h("h3", {}, r.loop), h("span", { class: "badge" }, r.state)),
        diff_table("now → advised", r.knobs ?? []),
        facts([["Evidence", r.evidence], ["Source", r.source], ["Confidence", percent(r.confidence)],
          ["Expected gain", r.expected_gain === undefined || r.expected_gain === null ? "" : percent(r.expected_gain)],
          ["Seen", `${r.seen} times since ${moment(us_to_ms(r.first_seen_us))}`],
          ["Until", r.until_us ? moment(us_to_ms(r.until_us)) : ""], ["Decided", [r.decision, r.decided_by && `by ${r.decided_by}`].filter(Boolean).join(" ")]]),
      ];
    },
  });
}
