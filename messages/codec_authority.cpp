// What the authority keeps.
#include "messages/codec.hpp"
#include "messages/codec_change.hpp"
#include "messages/codec_fields.hpp"
#include "messages/state.pb.h"

namespace homeostat {

void codec::put_terms(google::protobuf::RepeatedPtrField<v1::RiskTerm>* out, const risk_assessment& risk) {
  for (const risk_term& term : risk.terms) {
    v1::RiskTerm* t = out->Add();
    t->set_text(text(term.text));
    t->set_steps(term.steps);
  }
}

namespace {

using codec::enum_of, codec::get, codec::malformed, codec::put, codec::text, codec::to_instant, codec::to_us;

void put(v1::StoredChange* out, const wanted_change& x) {
  out->set_loop(text(x.loop));
  out->set_base_revision(x.base_revision);
  put(out->mutable_before(), x.before);
  put(out->mutable_values(), x.values);
  out->set_steps_taken(x.steps_taken);
  out->set_done(x.done);
}

void get(const v1::StoredChange& in, wanted_change& x) {
  x.loop = in.loop();
  x.base_revision = in.base_revision();
  get(in.before(), x.before);
  get(in.values(), x.values);
  x.steps_taken = in.steps_taken();
  x.done = in.done();
}

void put(v1::ConfigProposal* out, const config_proposal& x) {
  out->set_id(x.id);
  out->set_version(x.version);
  for (const wanted_change& change : x.changes) put(out->add_changes(), change);
  out->set_classification(std::string(name_of(x.classification)));
  out->set_source(text(x.source));
  out->set_author(text(x.author));
  out->set_rationale(text(x.rationale));
  out->set_evidence(text(x.evidence));
  out->set_confidence(x.confidence);
  if (x.expected_gain) out->set_expected_gain(*x.expected_gain);
  out->set_may_apply_itself(x.may_apply_itself);
  out->set_risk(std::string(name_of(x.risk.result)));
  codec::put_terms(out->mutable_risk_terms(), x.risk);
  out->set_state(std::string(name_of(x.state)));
  out->set_created_us(to_us(x.created));
  if (x.acknowledged) out->set_acknowledged_us(to_us(*x.acknowledged));
  if (x.decided) out->set_decided_us(to_us(*x.decided));
  out->set_reminded(x.reminded);
  out->set_decided_by(text(x.decided_by));
  out->set_by_person(x.by_person);
  out->set_decision(text(x.decision));
  out->set_refusals(x.refusals);
  if (x.retry_at) out->set_retry_at_us(to_us(*x.retry_at));
  out->set_counted(x.counted);
  out->set_complete(true);
}

void get(const v1::ConfigProposal& in, config_proposal& x) {
  if (!in.complete()) throw malformed("is cut short");
  x.id = in.id();
  x.version = in.version();
  for (const auto& change : in.changes()) get(change, x.changes.emplace_back());
  x.classification = enum_of<change_class>(in.classification(), codec::change_classes, "classification");
  x.source = in.source();
  x.author = in.author();
  x.rationale = in.rationale();
  x.evidence = in.evidence();
  x.confidence = in.confidence();
  if (in.has_expected_gain()) x.expected_gain = in.expected_gain();
  x.may_apply_itself = in.may_apply_itself();
  x.risk.result = enum_of<risk_class>(in.risk(), risk_class_count, "risk");
  for (const auto& term : in.risk_terms()) x.risk.terms.push_back({.text = term.text(), .steps = term.steps()});
  x.state = enum_of<review_state>(in.state(), review_state_count, "state");
  x.created = to_instant(in.created_us());
  if (in.has_acknowledged_us()) x.acknowledged = to_instant(in.acknowledged_us());
  if (in.has_decided_us()) x.decided = to_instant(in.decided_us());
  if (x.state == review_state::acknowledged && !x.acknowledged) throw malformed("acknowledged at no time");
  x.reminded = in.reminded();
  x.decided_by = in.decided_by();
  x.by_person = in.by_person();
  x.decision = in.decision();
  x.refusals = in.refusals();
  if (in.has_retry_at_us()) x.retry_at = to_instant(in.retry_at_us());
  x.counted = in.counted();
}

void put(v1::StoredRecommendation* out, const config_recommendation& x) {
  out->set_id(text(x.id));
  out->set_state(std::string(name_of(x.state)));
  out->set_loop(text(x.loop));
  out->set_source(text(x.source));
  out->set_author(text(x.author));
  out->set_base_revision(x.base_revision);
  put(out->mutable_before(), x.before);
  put(out->mutable_values(), x.values);
  out->set_evidence(text(x.evidence));
  out->set_confidence(x.confidence);
  if (x.expected_gain) out->set_expected_gain(*x.expected_gain);
  out->set_first_seen_us(to_us(x.first_seen));
  out->set_last_seen_us(to_us(x.last_seen));
  out->set_seen(x.seen);
  if (x.snoozed_until) out->set_snoozed_until_us(to_us(*x.snoozed_until));
  out->set_decided_by(text(x.decided_by));
  out->set_decision(text(x.decision));
  out->set_complete(true);
}

void get(const v1::StoredRecommendation& in, config_recommendation& x) {
  if (!in.complete()) throw malformed("is cut short");
  x.id = in.id();
  x.state = enum_of<advice_state>(in.state(), advice_state_count, "state");
  x.loop = in.loop();
  x.source = in.source();
  x.author = in.author();
  x.base_revision = in.base_revision();
  get(in.before(), x.before);
  get(in.values(), x.values);
  x.evidence = in.evidence();
  x.confidence = in.confidence();
  if (in.has_expected_gain()) x.expected_gain = in.expected_gain();
  x.first_seen = to_instant(in.first_seen_us());
  x.last_seen = to_instant(in.last_seen_us());
  x.seen = in.seen();
  if (in.has_snoozed_until_us()) x.snoozed_until = to_instant(in.snoozed_until_us());
  x.decided_by = in.decided_by();
  x.decision = in.decision();
}

void put(v1::AuthorityIndex* out, const authority_index& x) {
  out->set_last_id(x.ledger.last_id);
  put(out->mutable_changes(), x.ledger.changes);
  for (const auto& [rule, at] : x.ledger.rule_fired) {
    auto* r = out->add_rules();
    r->set_rule(text(rule));
    r->set_at_us(to_us(at));
  }
  for (const auto& [who, at] : x.ledger.source_used) {
    auto* s = out->add_sources();
    s->set_source(text(who.first));
    s->set_loop(text(who.second));
    s->set_at_us(to_us(at));
  }
  for (const std::uint64_t id : x.proposals) out->add_proposals(id);
  for (const std::string& id : x.advice) out->add_advice(text(id));
  out->set_complete(true);
}

void get(const v1::AuthorityIndex& in, authority_index& x) {
  if (!in.complete()) throw malformed("is cut short");
  x.ledger.last_id = in.last_id();
  get(in.changes(), x.ledger.changes);
  for (const auto& r : in.rules()) x.ledger.rule_fired[r.rule()] = to_instant(r.at_us());
  for (const auto& s : in.sources()) x.ledger.source_used[{s.source(), s.loop()}] = to_instant(s.at_us());
  x.proposals.assign(in.proposals().begin(), in.proposals().end());
  x.advice.assign(in.advice().begin(), in.advice().end());
}

template <class Message, class T> std::string to_bytes(const T& x) {
  Message message;
  put(&message, x);
  return message.SerializeAsString();
}

} // namespace

std::string encode(const config_proposal& x) { return to_bytes<v1::ConfigProposal>(x); }
std::string encode(const config_recommendation& x) { return to_bytes<v1::StoredRecommendation>(x); }
std::string encode(const authority_index& x) { return to_bytes<v1::AuthorityIndex>(x); }

template <> std::expected<config_proposal, std::string> decode<config_proposal>(std::string_view b) {
  return codec::from_bytes<v1::ConfigProposal, config_proposal>(b, [](const auto& m, auto& x) { get(m, x); });
}

template <> std::expected<config_recommendation, std::string> decode<config_recommendation>(std::string_view b) {
  return codec::from_bytes<v1::StoredRecommendation, config_recommendation>(b,
                                                                            [](const auto& m, auto& x) { get(m, x); });
}

template <> std::expected<authority_index, std::string> decode<authority_index>(std::string_view b) {
  return codec::from_bytes<v1::AuthorityIndex, authority_index>(b, [](const auto& m, auto& x) { get(m, x); });
}

} // namespace homeostat
