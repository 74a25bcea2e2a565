#include "policies/safety/movement.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr duration minute = 60s;

std::int64_t second_of(instant t) { return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count(); }

int direction_of(double move, const guardrails& g) {
  if (!exceeds(std::abs(move), g.flip_deadband)) return 0;
  return move > 0 ? 1 : -1;
}

bool flips(const knob_movement& m, double move, const guardrails& g) {
  const int direction = direction_of(move, g);
  return direction != 0 && m.direction != 0 && direction != m.direction;
}

} // namespace

double cumulative_delta(const knob_movement& m, instant now) {
  double sum = 0;
  for (const auto& total : m.totals)
    if (second_of(now) - total.second <= 60) sum += total.distance;
  return sum;
}

std::uint32_t flips_in_minute(const knob_movement& m, instant now) {
  return static_cast<std::uint32_t>(std::ranges::count_if(m.flips, [&](instant at) { return now - at < minute; }));
}

std::optional<violation> judge_move(std::span<const knob_spec> knobs, std::span<const knob_movement> movement,
                                    std::span<const double> moves, const guardrails& g, instant now) {
  for (std::size_t i = 0; i < knobs.size(); ++i) {
    if (moves[i] == 0) continue;
    const knob_movement& m = movement[i];
    if (flips(m, moves[i], g) && flips_in_minute(m, now) + 1 > g.direction_flip_limit)
      return violation{.code = violation_code::direction_flip,
                       .knob = knobs[i].name,
                       .value = static_cast<double>(flips_in_minute(m, now) + 1),
                       .limit = static_cast<double>(g.direction_flip_limit),
                       .retry_at = std::nullopt};
    const double sum = cumulative_delta(m, now) + std::abs(moves[i]);
    if (exceeds(sum, g.max_cumulative_delta_per_minute)) {
      const bool time_cures = !m.totals.empty();
      const instant oldest_leaves =
          time_cures ? instant(std::chrono::seconds(m.totals.front().second + 61)) : instant(now);
      return violation{.code = violation_code::cumulative_delta,
                       .knob = knobs[i].name,
                       .value = sum,
                       .limit = g.max_cumulative_delta_per_minute,
                       .retry_at = time_cures ? std::optional(std::max(oldest_leaves, now + 1s)) : std::nullopt};
    }
  }
  return std::nullopt;
}

void record_move(std::span<knob_movement> movement, std::span<const double> moves, const guardrails& g, instant now) {
  for (std::size_t i = 0; i < movement.size(); ++i) {
    knob_movement& m = movement[i];
    while (!m.totals.empty() && second_of(now) - m.totals.front().second > 60) m.totals.erase(m.totals.begin());
    if (moves[i] == 0) continue;
    if (!m.totals.empty() && m.totals.back().second == second_of(now))
      m.totals.back().distance += std::abs(moves[i]);
    else
      m.totals.push_back({second_of(now), std::abs(moves[i])});
    // A clock that was set back can leave more seconds than a minute has: the oldest then count as long as the next.
    while (m.totals.size() > 62) {
      m.totals[1].distance += m.totals[0].distance;
      m.totals.erase(m.totals.begin());
    }
    if (flips(m, moves[i], g)) {
      m.flips.push_back(now);
      while (m.flips.size() > g.direction_flip_limit + 1) m.flips.erase(m.flips.begin());
    }
    if (const int direction = direction_of(moves[i], g)) m.direction = direction;
  }
}

} // namespace homeostat
