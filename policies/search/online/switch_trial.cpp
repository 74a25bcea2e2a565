#include "policies/search/online/switch_trial.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace homeostat {

namespace {

struct alternative {
  std::size_t knob;
  double position;
};

/// @returns how many alternatives there are beside the present point.
std::uint64_t count_alternatives(std::span<const knob_spec> knobs) {
  std::uint64_t count = 0;
  for (const knob_spec& k : knobs)
    if (!is_ordered(k)) count += static_cast<std::uint64_t>(std::llround(k.max - k.min));
  return count;
}

alternative alternative_at(std::span<const knob_spec> knobs, const online_point& present, std::uint64_t index) {
  for (std::size_t i = 0; i < knobs.size(); ++i) {
    if (is_ordered(knobs[i])) continue;
    const auto others = static_cast<std::uint64_t>(std::llround(knobs[i].max - knobs[i].min));
    if (index >= others) {
      index -= others;
      continue;
    }
    const double now = value_at(knobs[i], present[i]);
    const double value = knobs[i].min + static_cast<double>(index);
    return {i, position_of(knobs[i], value < now ? value : value + 1)};
  }
  return {0, present[0]};
}

void finish(switch_trial& trial) {
  trial.running = trial.on = false;
  trial.waited = 0;
}

} // namespace

bool start_if_due(switch_trial& trial, std::span<const knob_spec> knobs, const online_point& present, bool quiet,
                  const trial_tuning& tuning) {
  const std::uint64_t count = count_alternatives(knobs);
  if (count == 0 || trial.running) return false;
  ++trial.waited;
  const auto rounds = std::min<std::uint64_t>(trial.fruitless / count, 16);
  const std::uint64_t pause = trial.turn == 0 ? tuning.first : std::uint64_t{tuning.interval} << rounds;
  if (!quiet || trial.waited < std::min<std::uint64_t>(pause, tuning.longest)) return false;
  const alternative next = alternative_at(knobs, present, trial.turn++ % count);
  trial.running = trial.on = true;
  trial.knob = next.knob;
  trial.position = next.position;
  trial.pairs = 0;
  trial.sum = trial.squares = 0;
  return true;
}

trial_verdict judge(switch_trial& trial, double value, double noise, const trial_tuning& tuning) {
  if (trial.on) {
    trial.value_on = value;
    trial.on = false;
    return trial_verdict::open;
  }
  const double difference = trial.value_on - value;
  trial.on = true;
  ++trial.pairs;
  trial.sum += difference;
  trial.squares += difference * difference;
  const double n = trial.pairs;
  const double mean = trial.sum / n;
  const double spread = n < 2 ? 0 : std::sqrt(std::max(trial.squares - n * mean * mean, 0.0) / (n - 1));
  const double error = std::max(spread, noise * std::sqrt(0.5)) / std::sqrt(n);
  const bool enough = trial.pairs >= tuning.least_pairs;
  trial_verdict verdict = trial_verdict::open;
  if (difference > tuning.shock * noise * std::sqrt(2.0) || (enough && mean > tuning.loss * error) ||
      trial.pairs >= tuning.most_pairs)
    verdict = trial_verdict::keep;
  if (enough && mean < -tuning.gain * error) verdict = trial_verdict::take;
  if (verdict == trial_verdict::open) return verdict;
  trial.fruitless = verdict == trial_verdict::take ? 0 : trial.fruitless + 1;
  finish(trial);
  return verdict;
}

void call_off(switch_trial& trial, bool plant_changed) {
  finish(trial);
  if (plant_changed) trial.fruitless = 0;
}

} // namespace homeostat
