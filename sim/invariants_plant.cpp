// I1, I2, I3, I5: what the plant got, against limits counted again from the list of what it got before.
#include "sim/invariants.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat::sim {

namespace {

constexpr double rounding = 1e-6;
// A value taken to its place on the scale and back may come out one bit different: that is no move.
constexpr double rounding_of_values = 1e-12;

std::string generation_text(std::uint64_t generation) { return "generation " + std::to_string(generation); }

void forget_before(std::vector<duration>& times, duration limit) {
  const auto keep = std::ranges::find_if(times, [&](duration t) { return t >= limit; });
  times.erase(times.begin(), keep);
}

} // namespace

void invariants::check_record(const change& c) {
  const std::uint64_t g = c.generation;
  if (introduced_.size() <= g || introduced_[g] != 1)
    return fail("I2", generation_text(g) + " is visible, and the audit durably holds " +
                          std::to_string(introduced_.size() <= g ? 0 : introduced_[g]) + " records of it instead of 1");
  if (g <= last_applied_) fail("I2", generation_text(g) + " is visible after " + std::to_string(last_applied_));
}

void invariants::check_bounds(const change& c) {
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const double value = c.wanted[i];
    if (!std::isfinite(value)) return fail("I1", knobs_[i].name + " is set to " + number_text(value));
    const bool human = c.overridden && c.origin == change_origin::operator_change;
    if (ranges_[i].takes(value) || human) continue;
    // What a person once set beyond the bounds may be restored; nothing else may.
    const bool restores = c.origin != change_origin::proposal && c.origin != change_origin::operator_change;
    if (restores && (shadow_.base[i] == value || shadow_.baseline[i] == value)) continue;
    return fail("I1", generation_text(c.generation) + " sets " + knobs_[i].name + " to " + number_text(value) +
                          ", allowed " + number_text(ranges_[i].min) + " to " + number_text(ranges_[i].max));
  }
}

void invariants::check_step(const change& c) {
  for (std::size_t i = 0; i < ranges_.size(); ++i)
    if (!ranges_[i].step_allowed(shadow_.base[i], c.wanted[i], scenario_.governor.limits.max_delta_per_step))
      return fail("I3", generation_text(c.generation) + " moves " + knobs_[i].name + " from " +
                            number_text(shadow_.base[i]) + " to " + number_text(c.wanted[i]) +
                            ", more than one step may");
}

void invariants::check_pace(const change& c, duration at) {
  const guardrails& g = scenario_.governor.limits;
  if (last_applied_at_ && at - *last_applied_at_ < g.min_interval)
    fail("I3", generation_text(c.generation) + " comes " + number_text(seconds_of(at - *last_applied_at_)) +
                   " s after the change before it, less than " + number_text(seconds_of(g.min_interval)) + " s");
  const auto count_rate = [&](std::vector<duration>& times, double rate, const char* what) {
    const double count = std::max(1.0, std::floor(rate));
    const duration span(static_cast<std::int64_t>(count / rate * 1e6) - 1);
    forget_before(times, at - span + 1us);
    times.push_back(at);
    if (static_cast<double>(times.size()) > count)
      fail("I3", generation_text(c.generation) + " is " + what + " number " + std::to_string(times.size()) +
                     " within " + number_text(seconds_of(span)) + " s, allowed " + number_text(count));
  };
  count_rate(proposals_applied_, g.max_updates_per_second, "update");
  if (is_probe(c.kind)) count_rate(probes_applied_, g.max_updates_per_second * g.probe_share, "probe");
}

void invariants::check_base_move(const change& c, duration at) {
  const guardrails& g = scenario_.governor.limits;
  std::erase_if(moves_, [&](const base_move& m) { return at - m.at >= 120s; });
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const double move = ranges_[i].fraction(shadow_.base[i], c.wanted[i]);
    if (std::abs(move) < rounding_of_values) continue;
    double sum = std::abs(move);
    int direction = 0;
    std::uint32_t flips = 0;
    const auto turns = [&](double m) { return std::abs(m) > g.flip_deadband * (1 + rounding) + 1e-9; };
    const auto turn = [&](double m, bool counts) {
      if (!turns(m)) return;
      const int to = m > 0 ? 1 : -1;
      if (counts && direction != 0 && to != direction) ++flips;
      direction = to;
    };
    for (const base_move& m : moves_) {
      const bool recent = at - m.at < 60s;
      if (recent) sum += std::abs(m.moves[i]);
      turn(m.moves[i], recent);
    }
    turn(move, true);
    if (!(sum <= g.max_cumulative_delta_per_minute * (1 + rounding) + rounding))
      return fail("I3", generation_text(c.generation) + " brings " + knobs_[i].name + " to " + number_text(sum) +
                            " of its range within a minute, allowed " + number_text(g.max_cumulative_delta_per_minute));
    if (turns(move) && flips > g.direction_flip_limit) {
      // Only a change that turns itself can break the limit; people and rollbacks may have used it up before.
      const auto last =
          std::find_if(moves_.rbegin(), moves_.rend(), [&](const base_move& m) { return turns(m.moves[i]); });
      if (last != moves_.rend() && (last->moves[i] > 0) != (move > 0))
        return fail("I3", generation_text(c.generation) + " is direction flip number " + std::to_string(flips) +
                              " of " + knobs_[i].name + " within a minute, allowed " +
                              std::to_string(g.direction_flip_limit));
    }
    if (!ranges_[i].ordered() || !c.automatic) continue; // the distance is a person's to widen
    const double before = std::abs(ranges_[i].fraction(shadow_.baseline[i], shadow_.base[i]));
    const double after = std::abs(ranges_[i].fraction(shadow_.baseline[i], c.wanted[i]));
    if (!(after <= g.max_baseline_distance * (1 + rounding) + rounding) && !(after <= before))
      return fail("I3", generation_text(c.generation) + " takes " + knobs_[i].name + " " + number_text(after) +
                            " of its range away from the tested baseline, allowed " +
                            number_text(g.max_baseline_distance));
  }
}

void invariants::check_restore(change& c, duration at) {
  if (c.origin == change_origin::operator_change) return;
  forget_before(restores_applied_, at - 60s);
  restores_applied_.push_back(at);
  constexpr std::size_t restores_per_minute = 240;
  if (restores_applied_.size() > restores_per_minute)
    fail("I12", std::to_string(restores_applied_.size()) + " returns to safer values within a minute: the loop spins");
  if (c.origin != change_origin::rollback) {
    if (!(c.wanted == shadow_.base))
      fail("I5", generation_text(c.generation) + " returns to values that are not the base point's");
    return;
  }
  if (!(c.wanted == shadow_.baseline))
    return fail("I5", generation_text(c.generation) + " rolls back to values that are not the baseline's");
  // A second attempt at the same rollback restores nothing new, and shutdown is not the loop's own change of mind.
  if (!c.automatic || stop_at_ || last_applied_values_ == c.wanted) return;
  forget_before(rollbacks_applied_, at - 3600s + 1us);
  rollbacks_applied_.push_back(at);
  if (rollbacks_applied_.size() > scenario_.governor.rollback.max_rollbacks_per_hour)
    fail("I5", generation_text(c.generation) + " is automatic rollback number " +
                   std::to_string(rollbacks_applied_.size()) + " within an hour, allowed " +
                   std::to_string(scenario_.governor.rollback.max_rollbacks_per_hour));
}

} // namespace homeostat::sim
