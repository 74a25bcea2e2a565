#include "policies/learning/rollout.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace homeostat {

namespace {

/// One of the three requirements with its words.
struct requirement {
  good_share rollout_evidence::* cases;
  rollout_rule rollout_settings::* rule;
  const char* what;
};
constexpr std::array<requirement, 3> requirements{{
    {&rollout_evidence::choices, &rollout_settings::choices, "method choices right"},
    {&rollout_evidence::latencies, &rollout_settings::latencies, "latencies as foretold"},
    {&rollout_evidence::deliveries, &rollout_settings::deliveries, "transfers delivered"},
}};

std::string percent(double share) { return number_text(std::round(share * 1000) / 10) + " %"; }

std::string words(const good_share& t, const char* what) {
  return percent(t.share()) + " of " + std::to_string(t.count) + " " + what;
}

rollout_change hold(const rollout_state& state, const rollout_settings& settings, std::string reason) {
  const rollout_step step = step_of(state, settings);
  return {.from = step, .to = step, .above = confidence_limit(state, settings), .reason = std::move(reason)};
}

rollout_change move_to(rollout_state& state, const rollout_settings& settings, std::size_t stage, std::string reason,
                       instant now) {
  rollout_change c{.from = step_of(state, settings), .reason = std::move(reason), .moved = stage != state.stage};
  state.stage = stage;
  state.since = now;
  state.block = {};
  state.total = {};
  c.to = step_of(state, settings);
  c.above = confidence_limit(state, settings);
  return c;
}

} // namespace

std::string_view name_of(rollout_step step) noexcept {
  constexpr std::array<std::string_view, 4> names{"observe", "high_confidence", "lower", "full"};
  const auto i = static_cast<std::size_t>(step);
  return i < names.size() ? names[i] : "?";
}

std::expected<void, std::string> check(const rollout_settings& s) {
  const auto wrong = [](const std::string& name, double value, const char* expected) {
    return std::unexpected(name + " is " + number_text(value) + ", expected " + expected);
  };
  if (s.observation < 0us) return wrong("observation", seconds_of(s.observation), "0 s or more");
  if (s.dwell < 0us) return wrong("dwell", seconds_of(s.dwell), "0 s or more");
  if (s.confidences.empty() || s.confidences.size() > 16)
    return wrong("number of confidences", static_cast<double>(s.confidences.size()), "1 to 16");
  double last = 1;
  for (const double c : s.confidences) {
    if (!(c >= 0.5 && c < last)) return wrong("confidence", c, "0.5 or more, below 1 and below the one before");
    last = c;
  }
  const std::array<std::pair<const char*, const rollout_rule*>, 3> rules{
      {{"choices", &s.choices}, {"latencies", &s.latencies}, {"deliveries", &s.deliveries}}};
  for (const auto& [name, rule] : rules) {
    if (rule->count < 1) return wrong(std::string(name) + ".count", 0, "1 or more");
    if (!(rule->forward >= 0 && rule->forward <= 1))
      return wrong(std::string(name) + ".forward", rule->forward, "0..1");
    if (!(rule->back >= 0 && rule->back <= rule->forward))
      return wrong(std::string(name) + ".back", rule->back, "0 to forward");
  }
  return {};
}

rollout_state fresh_rollout(instant now) {
  rollout_state s;
  s.since = now;
  return s;
}

rollout_step step_of(const rollout_state& state, const rollout_settings& settings) noexcept {
  if (state.stage == 0) return rollout_step::observe;
  if (state.stage > settings.confidences.size()) return rollout_step::full;
  return state.stage == 1 ? rollout_step::high_confidence : rollout_step::lower;
}

std::optional<double> confidence_limit(const rollout_state& state, const rollout_settings& settings) noexcept {
  if (state.stage == 0) return std::nullopt;
  return state.stage > settings.confidences.size() ? 0.0 : settings.confidences[state.stage - 1];
}

bool may_decide(const rollout_state& state, const rollout_settings& settings, double confidence) noexcept {
  const std::optional<double> limit = confidence_limit(state, settings);
  return limit && confidence > *limit;
}

rollout_change on_gate(rollout_state& state, const rollout_settings& settings, bool passed, instant now) {
  state.gate = passed;
  if (passed) return hold(state, settings, "the model passed the gate");
  if (state.stage == 0) return hold(state, settings, "the gate refused the model");
  return move_to(state, settings, 0, "the gate refused the model", now);
}

rollout_change on_evidence(rollout_state& state, const rollout_settings& settings, const rollout_evidence& seen,
                           instant now) {
  for (const requirement& r : requirements) {
    const rollout_rule& rule = settings.*r.rule;
    good_share& block = state.block.*r.cases;
    block += seen.*r.cases;
    if (block.count < rule.count) continue;
    if (block.share() < rule.back && state.stage > 0)
      return move_to(state, settings, state.stage - 1,
                     "only " + words(block, r.what) + ", step back below " + percent(rule.back), now);
    // What speaks for the next step begins anew after a bad block: a poor first day must not weigh for weeks.
    if (block.share() < rule.back)
      state.total.*r.cases = {};
    else
      state.total.*r.cases += block;
    block = {};
  }
  return hold(state, settings, "the evidence gives no cause to step back");
}

rollout_change on_review(rollout_state& state, const rollout_settings& settings, instant now) {
  if (state.stage > settings.confidences.size()) return hold(state, settings, "the model decides already");
  if (!state.gate) return hold(state, settings, "no model that passed the gate");
  const duration least = state.stage == 0 && !state.observed ? settings.observation : settings.dwell;
  if (now - state.since < least)
    return hold(state, settings, "this step lasts " + number_text(seconds_of(least) / 3600) + " h");
  std::string reason;
  for (const requirement& r : requirements) {
    if (state.stage == 0 && r.cases == &rollout_evidence::deliveries) continue;
    const rollout_rule& rule = settings.*r.rule;
    const good_share& total = state.total.*r.cases;
    if (total.count < rule.count)
      return hold(state, settings,
                  std::to_string(total.count) + " cases of " + r.what + " so far, " + std::to_string(rule.count) +
                      " needed");
    if (!(total.share() > rule.forward))
      return hold(state, settings, words(total, r.what) + ", more than " + percent(rule.forward) + " needed");
    reason += (reason.empty() ? "" : ", ") + words(total, r.what);
  }
  state.observed = true;
  return move_to(state, settings, state.stage + 1, std::move(reason), now);
}

rollout_change withdraw(rollout_state& state, const rollout_settings& settings, std::string reason, instant now) {
  return move_to(state, settings, 0, std::move(reason), now);
}

} // namespace homeostat
