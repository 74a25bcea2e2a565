// I6: the truth behind every digest that was counted, and behind every window made of them.
#include "sim/invariants.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat::sim {

void invariants::measured(std::uint32_t truth, duration begin, duration end) {
  if (truths_.size() <= truth) truths_.resize(truth + 1), used_.resize(truth + 1);
  truths_[truth] = {.begin = begin, .end = end};
}

void invariants::misdated(std::uint32_t truth) { truths_[truth].misdated = true; }

void invariants::counted(std::uint32_t truth, const telemetry_digest& digest, instant now) {
  if (now - digest.at > scenario_.window.max_age)
    fail("I6", "a digest " + number_text(seconds_of(now - digest.at)) + " s old was counted, stale after " +
                   number_text(seconds_of(scenario_.window.max_age)) + " s");
  if (digest.at > now) fail("I6", "a digest from the future was counted");
  const auto known = [](std::optional<double> v) { return !v || std::isfinite(*v); };
  if (!std::isfinite(digest.objective) || !known(digest.p99_latency_ms()) || !known(digest.throughput_per_s()) ||
      !known(digest.error_rate()) || !known(digest.constraint_margin()))
    fail("I6", "a digest that is not finite was counted");
  if (used_[truth]) fail("I6", "a digest was counted twice");
  used_[truth] = true;
  collected_.push_back({.truth = truth, .objective = digest.objective});
}

bool invariants::tainted(const objective_window& window) const {
  return std::ranges::find(tainted_, std::pair(window.generation, window.end)) != tainted_.end();
}

void invariants::window_closed(const objective_window& window) {
  if (window.digests != collected_.size() || collected_.empty())
    return fail("I6", "a window of " + std::to_string(window.digests) + " digests was closed after " +
                          std::to_string(collected_.size()));
  double sum = 0;
  std::string wrong;
  bool misdated = false;
  bool adopted = false;
  for (const collected& c : collected_) {
    sum += c.objective;
    const interval& truth = truths_[c.truth];
    misdated |= truth.misdated;
    // The era in force until the end of the measurement must have begun, and settled, before its start.
    const auto after = std::ranges::lower_bound(eras_, truth.end, {}, &era::since);
    const era& e = after == eras_.begin() ? *after : *std::prev(after);
    adopted |= e.adopted;
    const duration settled = e.since + (e.by_apply ? scenario_.window.settle_time : 0us);
    if (e.generation != window.generation)
      wrong = "a window of generation " + std::to_string(window.generation) + " holds a digest measured under " +
              std::to_string(e.generation);
    else if (truth.begin < settled)
      wrong = "a window of generation " + std::to_string(window.generation) + " holds a digest begun " +
              number_text(seconds_of(settled - truth.begin)) + " s before the change had settled";
  }
  if (!wrong.empty() && !misdated) {
    // Where the sensor stamps, nobody can know before the governor has spoken; where the plant does, everybody can.
    if (!scenario_.habits.stamped_by_sensor && shadow_.live_known && !adopted) return fail("I6", wrong);
    if (tainted_.size() == 64) tainted_.pop_front();
    tainted_.emplace_back(window.generation, window.end);
  }
  const double mean = sum / static_cast<double>(collected_.size());
  if (!(std::abs(window.mean - mean) <= 1e-9 * std::abs(mean) + 1e-300))
    fail("I6", "a window's mean is " + number_text(window.mean) + ", its digests' is " + number_text(mean));
  collected_.clear();
}

} // namespace homeostat::sim
