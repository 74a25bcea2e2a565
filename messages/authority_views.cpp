#include "messages/authority_views.hpp"

#include "messages/codec_change.hpp"
#include "messages/codec_fields.hpp"
#include "policies/find_named.hpp"
#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

using google::protobuf::Value;

std::string text_of(const Value& value) {
  switch (value.kind_case()) {
  case Value::kNumberValue: return number_text(value.number_value());
  case Value::kStringValue: return "'" + value.string_value() + "'";
  case Value::kBoolValue: return value.bool_value() ? "true" : "false";
  case Value::kNullValue: return "null";
  default: return "a list or an object";
  }
}

std::expected<double, std::string> number_of(const knob_spec* knob, const Value& value) {
  if (value.kind_case() == Value::kNumberValue) return value.number_value();
  // Of a knob nobody knows the authority says so; its value does not matter.
  if (!knob) return 0;
  if (knob->type == knob_type::boolean && value.kind_case() == Value::kBoolValue) return value.bool_value() ? 1 : 0;
  if (knob->type == knob_type::categorical && value.kind_case() == Value::kStringValue)
    if (const auto found = std::ranges::find(knob->categories, value.string_value()); found != knob->categories.end())
      return static_cast<double>(found - knob->categories.begin());
  std::string expected = "a number";
  if (knob->type == knob_type::boolean) expected = "true or false";
  if (knob->type == knob_type::categorical) {
    expected = "one of";
    for (const std::string& name : knob->categories) expected += " " + name;
  }
  return std::unexpected("is " + text_of(value) + ", expected " + expected);
}

void add_planned(google::protobuf::RepeatedPtrField<v1::PlannedChange>* out, const authority_config& config,
                 const std::vector<wanted_change>& changes) {
  for (const wanted_change& change : changes) {
    v1::PlannedChange* c = out->Add();
    c->set_loop(codec::text(change.loop));
    c->set_base_revision(change.base_revision);
    c->set_steps_taken(change.steps_taken);
    c->set_done(change.done);
    if (const governed_loop* loop = find_named(config.loops, change.loop))
      add_changes(c->mutable_knobs(), loop->knobs, change.before, change.values);
  }
}

std::string next_text(const config_proposal& p, const review_outlook& next) {
  if (next.event == review_event::expiry && p.risk.result != risk_class::low) return "needs an approval, else expires";
  return std::string(name_of(next.event));
}

} // namespace

std::string value_text(const knob_spec& knob, double value) {
  if (knob.type == knob_type::boolean && (value == 0 || value == 1)) return value == 1 ? "true" : "false";
  if (knob.type == knob_type::categorical && value >= 0 && value < static_cast<double>(knob.categories.size()))
    return knob.categories[static_cast<std::size_t>(value)];
  return number_text(value);
}

void add_changes(google::protobuf::RepeatedPtrField<v1::KnobChange>* out, std::span<const knob_spec> knobs,
                 const knob_values& before, const knob_values& after) {
  if (before.size() != knobs.size() || after.size() != knobs.size()) return; // of a configuration that is gone
  for (std::size_t i = 0; i < knobs.size(); ++i) {
    if (before[i] == after[i]) continue;
    v1::KnobChange* c = out->Add();
    c->set_knob(knobs[i].name);
    c->set_unit(codec::text(knobs[i].unit));
    c->set_before(before[i]);
    c->set_after(after[i]);
    c->set_before_text(codec::text(value_text(knobs[i], before[i])));
    c->set_after_text(codec::text(value_text(knobs[i], after[i])));
  }
}

std::expected<new_proposal, std::string> wish_of(const authority_config& config, const v1::ProposalRequest& request) {
  new_proposal wish;
  for (const v1::ChangeRequest& change : request.changes()) {
    wanted_values& wanted = wish.changes.emplace_back();
    wanted.loop = change.loop();
    if (change.has_base_revision()) wanted.base_revision = change.base_revision();
    const governed_loop* loop = find_named(config.loops, change.loop());
    for (const auto& [name, value] : change.knobs()) {
      const knob_spec* knob = loop ? find_named(loop->knobs, name) : nullptr;
      const auto number = number_of(knob, value);
      if (!number) return std::unexpected("loop " + change.loop() + ": knob " + name + " " + number.error());
      wanted.knobs.emplace_back(name, *number);
    }
  }
  wish.source = request.source();
  wish.rationale = request.rationale();
  wish.evidence = request.evidence();
  wish.confidence = request.confidence();
  if (request.has_expected_gain()) wish.expected_gain = request.expected_gain();
  return wish;
}

v1::ProposalView view_of(const authority_config& config, const config_proposal& p) {
  v1::ProposalView out;
  out.set_id(p.id);
  out.set_version(p.version);
  out.set_state(std::string(name_of(p.state)));
  out.set_risk(std::string(name_of(p.risk.result)));
  codec::put_terms(out.mutable_risk_terms(), p.risk);
  add_planned(out.mutable_changes(), config, p.changes);
  out.set_classification(std::string(name_of(p.classification)));
  out.set_source(codec::text(p.source));
  out.set_author(codec::text(p.author));
  out.set_rationale(codec::text(p.rationale));
  out.set_evidence(codec::text(p.evidence));
  out.set_confidence(p.confidence);
  if (p.expected_gain) out.set_expected_gain(*p.expected_gain);
  out.set_created_us(codec::to_us(p.created));
  const review_outlook next = next_review(p, config.review);
  if (next.at) {
    out.set_next_us(codec::to_us(*next.at));
    out.set_next(next_text(p, next));
  } else if (p.state == review_state::approved) {
    if (p.retry_at) out.set_next_us(codec::to_us(*p.retry_at));
    out.set_next("is being applied");
  }
  out.set_decided_by(codec::text(p.decided_by));
  out.set_decision(codec::text(p.decision));
  return out;
}

v1::RecommendationView view_of(const authority_config& config, const config_recommendation& r) {
  v1::RecommendationView out;
  out.set_id(r.id);
  out.set_state(std::string(name_of(r.state)));
  out.set_loop(codec::text(r.loop));
  if (const governed_loop* loop = find_named(config.loops, r.loop))
    add_changes(out.mutable_knobs(), loop->knobs, r.before, r.values);
  out.set_source(codec::text(r.source));
  out.set_evidence(codec::text(r.evidence));
  out.set_confidence(r.confidence);
  if (r.expected_gain) out.set_expected_gain(*r.expected_gain);
  out.set_first_seen_us(codec::to_us(r.first_seen));
  out.set_last_seen_us(codec::to_us(r.last_seen));
  out.set_seen(r.seen);
  if (const auto until = next_advice(r, config.advice_expires)) out.set_until_us(codec::to_us(*until));
  out.set_decided_by(codec::text(r.decided_by));
  out.set_decision(codec::text(r.decision));
  return out;
}

v1::PlanView view_of(const authority_config& config, const change_plan& plan,
                     const std::vector<std::vector<violation>>& findings) {
  v1::PlanView out;
  add_planned(out.mutable_changes(), config, plan.draft.changes);
  bool admissible = true;
  for (std::size_t code = 0; code < violation_code_count; ++code) {
    v1::PlanView::Guard* guard = out.add_guards();
    guard->set_name(std::string(name_of(static_cast<violation_code>(code))));
    guard->set_ok(true);
    for (std::size_t i = 0; i < findings.size(); ++i)
      for (const violation& v : findings[i])
        if (v.code == static_cast<violation_code>(code)) {
          guard->set_ok(false);
          guard->set_text(codec::text("loop " + plan.draft.changes[i].loop + ": " + describe(v)));
          admissible = false;
        }
  }
  out.set_admissible(admissible);
  out.set_risk(std::string(name_of(plan.draft.risk.result)));
  codec::put_terms(out.mutable_risk_terms(), plan.draft.risk);
  std::uint32_t steps = 0;
  for (const std::uint32_t s : plan.steps) steps += s;
  out.set_steps(steps);
  const review_outlook next = next_review(plan.draft, config.review);
  if (next.at)
    out.set_next(next_text(plan.draft, next) + " after " +
                 number_text(std::round(seconds_of(*next.at - plan.draft.created))) + " s");
  return out;
}

} // namespace homeostat
