#include "runtime/node/advice_message.hpp"

#include "messages/transfer_names.hpp"

namespace homeostat {

namespace {

std::int64_t us_of(instant t) { return t.time_since_epoch().count(); }
instant instant_of(std::int64_t us) { return instant{duration{us}}; }

} // namespace

v1::TransferAdvice message_of(const transfer_recommendation& r) {
  v1::TransferAdvice one;
  one.set_id(r.id);
  one.set_state(std::string(name_of(r.state)));
  one.set_key(r.key);
  one.set_value(r.value);
  one.set_before(r.before);
  one.set_snippet(r.snippet);
  one.set_evidence(r.evidence);
  if (r.gain) {
    one.set_gain(r.gain->share);
    one.set_gain_low(r.gain->low);
    one.set_gain_high(r.gain->high);
  }
  one.set_effort(r.effort);
  one.set_score(r.score);
  one.set_first_seen_us(us_of(r.first_seen));
  one.set_last_seen_us(us_of(r.last_seen));
  one.set_seen(r.seen);
  one.set_decided_by(r.decided_by);
  one.set_decision(r.decision);
  if (r.decided) one.set_decided_us(us_of(*r.decided));
  if (r.snoozed_until) one.set_snoozed_until_us(us_of(*r.snoozed_until));
  one.set_proposal(r.proposal);
  if (r.applied) one.set_applied_us(us_of(*r.applied));
  if (r.outcome) {
    v1::AdviceOutcome& o = *one.mutable_outcome();
    o.set_verdict(std::string(name_of(r.outcome->verdict)));
    o.set_share(r.outcome->measured.share);
    o.set_low(r.outcome->measured.low);
    o.set_high(r.outcome->measured.high);
    o.set_slots_before(r.outcome->slots_before);
    o.set_slots_after(r.outcome->slots_after);
    o.set_text(r.outcome->text);
    o.set_final(r.measured);
  }
  return one;
}

v1::TransferAdviceList message_of(const std::vector<transfer_recommendation>& advice) {
  v1::TransferAdviceList list;
  for (const transfer_recommendation& r : advice) *list.add_advice() = message_of(r);
  return list;
}

std::expected<transfer_recommendation, std::string> advice_from(const v1::TransferAdvice& m, std::string pool) {
  const auto state = named_or_first<advice_state, advice_state_count>(m.state(), "state");
  if (!state) return std::unexpected("advice " + m.id() + ": " + state.error());
  transfer_recommendation r;
  r.id = m.id();
  r.state = *state;
  r.pool = std::move(pool);
  r.key = m.key();
  r.value = m.value();
  r.before = m.before();
  r.snippet = m.snippet();
  r.evidence = m.evidence();
  if (m.has_gain()) r.gain = {.share = m.gain(), .low = m.gain_low(), .high = m.gain_high()};
  r.effort = m.effort();
  r.score = m.score();
  r.first_seen = instant_of(m.first_seen_us());
  r.last_seen = instant_of(m.last_seen_us());
  r.seen = m.seen();
  r.decided_by = m.decided_by();
  r.decision = m.decision();
  if (m.has_decided_us()) r.decided = instant_of(m.decided_us());
  if (m.has_snoozed_until_us()) r.snoozed_until = instant_of(m.snoozed_until_us());
  r.proposal = m.proposal();
  if (m.has_applied_us()) r.applied = instant_of(m.applied_us());
  if (m.has_outcome()) {
    const v1::AdviceOutcome& o = m.outcome();
    const auto verdict = named_or_first<outcome_verdict, outcome_verdict_count>(o.verdict(), "verdict");
    if (!verdict) return std::unexpected("advice " + m.id() + ": " + verdict.error());
    r.outcome = {.verdict = *verdict,
                 .measured = {.share = o.share(), .low = o.low(), .high = o.high()},
                 .slots_before = o.slots_before(),
                 .slots_after = o.slots_after(),
                 .text = o.text()};
    r.measured = o.final();
  }
  return r;
}

} // namespace homeostat
