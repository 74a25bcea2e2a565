// May this proposal pass? Every guard, in the order in which a refusal says most.
#include "policies/safety/governor_turn.hpp"

#include <cmath>
#include <utility>

namespace homeostat {

std::optional<violation> governor_turn::review(const proposal& p) const {
  if (auto v = review_standing(p)) return v;
  if (auto v = review_values(p.values)) return v;
  if (auto v = review_pace(p)) return v;
  return review_distance(p);
}

std::optional<violation> governor_turn::review_standing(const proposal& p) const {
  const auto refusal = [](violation_code code, std::uint64_t value, std::uint64_t limit) {
    return violation{.code = code,
                     .knob = {},
                     .value = static_cast<double>(value),
                     .limit = static_cast<double>(limit),
                     .retry_at = {}};
  };
  // A newer epoch means that this governor is no longer the owner: it must not act either (I8).
  if (p.epoch != config_.epoch) return refusal(violation_code::stale_epoch, p.epoch, config_.epoch);
  if (!p.approved) return refusal(violation_code::not_approved, 0, 0);
  if (is_frozen(state_.safe_mode) || state_.stopping || !state_.live_known) {
    violation v = refusal(violation_code::in_safe_mode, 0, 0);
    for (const auto& hold : state_.safe_mode.holds)
      if (hold && hold->until && (!v.retry_at || *hold->until > *v.retry_at)) v.retry_at = hold->until;
    return v;
  }
  if (!state_.baseline) return refusal(violation_code::no_baseline, 0, 0);
  if (p.base_revision != state_.revision)
    return refusal(violation_code::stale_revision, p.base_revision, state_.revision);
  if (p.base_generation != state_.generation)
    return refusal(violation_code::stale_generation, p.base_generation, state_.generation);
  return std::nullopt;
}

std::optional<violation> governor_turn::review_values(const knob_values& values) const {
  const std::size_t n = config_.knobs.size();
  if (values.size() != n)
    return violation{.code = violation_code::unknown_knob,
                     .knob = {},
                     .value = static_cast<double>(values.size()),
                     .limit = static_cast<double>(n),
                     .retry_at = {}};
  for (std::size_t i = 0; i < n; ++i)
    if (!std::isfinite(values[i]))
      return violation{.code = violation_code::non_finite,
                       .knob = config_.knobs[i].name,
                       .value = values[i],
                       .limit = 0,
                       .retry_at = {}};
  for (std::size_t i = 0; i < n; ++i) {
    const knob_spec& knob = config_.knobs[i];
    if (is_admissible(knob, values[i])) continue;
    const double nearest = values[i] < knob.min   ? knob.min
                           : values[i] > knob.max ? knob.max
                                                  : value_at(knob, position_of(knob, values[i]));
    return violation{
        .code = violation_code::out_of_bounds, .knob = knob.name, .value = values[i], .limit = nearest, .retry_at = {}};
  }
  return std::nullopt;
}

std::optional<violation> governor_turn::review_pace(const proposal& p) const {
  if (state_.pending)
    return violation{.code = violation_code::rate_limit_exceeded, .knob = {}, .value = 2, .limit = 1, .retry_at = {}};
  if (state_.stable_until && now_ < *state_.stable_until)
    return violation{.code = violation_code::cooldown_active,
                     .knob = {},
                     .value = seconds_of(*state_.stable_until - now_),
                     .limit = 0,
                     .retry_at = state_.stable_until};
  // The limit that holds longest is the one to name.
  std::optional<violation> longest;
  const auto consider = [&](std::optional<instant> retry_at, std::uint32_t events, std::uint32_t limit) {
    if (!retry_at || (longest && *retry_at <= *longest->retry_at)) return;
    longest = violation{.code = violation_code::rate_limit_exceeded,
                        .knob = {},
                        .value = static_cast<double>(events) + 1,
                        .limit = static_cast<double>(limit),
                        .retry_at = retry_at};
  };
  consider(next_allowed(state_.updates, now_), events_in(state_.updates, now_), state_.updates.count);
  if (is_probe(p.kind))
    consider(next_allowed(state_.probes, now_), events_in(state_.probes, now_), state_.probes.count);
  if (state_.last_change && now_ - *state_.last_change < config_.limits.min_interval)
    consider(*state_.last_change + config_.limits.min_interval, 1, 1);
  return longest;
}

std::optional<violation> governor_turn::review_distance(const proposal& p) const {
  std::vector<double> moves = displacements(state_.base, p.values);
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const knob_spec& knob = config_.knobs[i];
    const double limit = step_limit_of(knob, state_.base[i], p.values[i], config_.limits.max_delta_per_step);
    if (exceeds(std::abs(moves[i]), limit))
      return violation{.code = violation_code::delta_too_large,
                       .knob = knob.name,
                       .value = std::abs(moves[i]),
                       .limit = limit,
                       .retry_at = {}};
  }
  if (is_probe(p.kind)) return std::nullopt;
  for (std::size_t i = 0; i < moves.size() && p.approver.empty(); ++i) { // the cap holds where no person decided
    const knob_spec& knob = config_.knobs[i];
    if (!is_ordered(knob)) continue;
    const double before = std::abs(displacement(knob, state_.baseline->values[i], state_.base[i]));
    const double after = std::abs(displacement(knob, state_.baseline->values[i], p.values[i]));
    if (after > before && exceeds(after, config_.limits.max_baseline_distance))
      return violation{.code = violation_code::baseline_distance,
                       .knob = knob.name,
                       .value = after,
                       .limit = config_.limits.max_baseline_distance,
                       .retry_at = {}};
  }
  return judge_move(config_.knobs, state_.movement, moves, config_.limits, now_);
}

bool governor_turn::may_override(const knob_values& values) const {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const knob_spec& knob = config_.knobs[i];
    if (is_admissible(knob, values[i])) continue;
    const bool fractional = knob.type == knob_type::integer && std::nearbyint(values[i]) != values[i];
    const bool off_scale = knob.scale == knob_scale::log && values[i] <= 0;
    if (!is_ordered(knob) || fractional || off_scale) return false;
  }
  return true;
}

void governor_turn::refuse(const proposal& p, const violation& v) {
  effects_.verdict = proposal_verdict{.proposal_id = p.id, .accepted = std::nullopt, .refused = v};
  if (!next_allowed(state_.recorded_refusals, now_)) {
    accept(state_.recorded_refusals, now_);
    audit_record& r = record(audit_kind::rejected);
    r.change = p.kind;
    r.classification = p.classification;
    r.source = p.source;
    r.evidence = p.evidence;
    r.before = state_.live;
    r.after = p.values;
    r.reason = v;
    if (state_.unrecorded_refusals > 0)
      r.text = "and " + std::to_string(std::exchange(state_.unrecorded_refusals, 0)) +
               " refusals before it, not recorded one by one";
  } else {
    ++state_.unrecorded_refusals;
  }
  if (v.code == violation_code::direction_flip)
    freeze(safe_mode_reason::thrashing, now_ + config_.limits.cooldown_after_flip, describe(v));
  const auto count = [&](rate_window& window, safe_mode_reason reason) {
    accept(window, now_);
    if (events_in(window, now_) >= window.count) freeze(reason, now_ + config_.safe_mode.cooldown, describe(v));
  };
  if (is_hostile(v.code)) count(state_.hostile, safe_mode_reason::repeated_violations);
  if (v.code == violation_code::cumulative_delta) count(state_.cumulative, safe_mode_reason::cumulative_budget);
}

proposal_verdict governor_turn::rehearse(const proposal& p) const {
  proposal_verdict verdict{.proposal_id = p.id, .accepted = std::nullopt, .refused = std::nullopt};
  const auto hear = [&](std::optional<violation> v) {
    if (v) verdict.findings.push_back(std::move(*v));
  };
  hear(review_standing(p));
  const std::optional<violation> values = review_values(p.values);
  hear(values);
  hear(review_pace(p));
  if (!values || values->code == violation_code::out_of_bounds) hear(review_distance(p));
  if (verdict.findings.empty())
    verdict.accepted = receipt{.generation = state_.generation,
                               .revision = state_.revision,
                               .applied_at = state_.last_change.value_or(now_),
                               .values = state_.live};
  else
    verdict.refused = verdict.findings.front();
  return verdict;
}

proposal_verdict rehearse(const governor_config& config, const governor_state& state, const proposal& p, instant now) {
  return governor_turn(config, state, now).rehearse(p);
}

void governor_turn::on(const proposal& p) {
  if (p.kind == proposal_kind::no_change) return;
  if (p.rehearsal) {
    effects_.verdict = rehearse(p);
    return;
  }
  if (auto v = review(p)) return refuse(p, *v);
  pending_change change;
  change.origin = change_origin::proposal;
  change.kind = p.kind;
  change.proposal_id = p.id;
  change.wanted = p.values;
  change.actor = p.approver.empty() ? "homeostat" : p.approver;
  change.request = p.request;
  // A proposer says which pattern it follows; what people and guards do is not for it to claim.
  const bool claimable =
      p.classification != change_class::operator_change && p.classification != change_class::rollback;
  change.classification = claimable ? p.classification : change_class::proposal;
  begin_change(std::move(change), p.source, p.evidence);
}

} // namespace homeostat
