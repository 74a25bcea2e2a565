#include "policies/learning/calibration.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

} // namespace

std::array<confidence_bin, confidence_bins> reliability(std::span<const judged_choice> choices) {
  std::array<confidence_bin, confidence_bins> bins{};
  for (const judged_choice& c : choices) {
    const double place = (std::clamp(c.confidence, 0.5, 1.0) - 0.5) * 2 * static_cast<double>(confidence_bins);
    confidence_bin& bin = bins[std::min(static_cast<std::size_t>(place), confidence_bins - 1)];
    ++bin.count;
    bin.confidence += c.confidence;
    bin.accuracy += c.right ? 1 : 0;
  }
  for (confidence_bin& bin : bins) {
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return bins;
}

double expected_calibration_error(std::span<const judged_choice> choices) {
  double error = 0;
  for (const confidence_bin& bin : reliability(choices))
    error += share(bin.count, choices.size()) * std::abs(bin.accuracy - bin.confidence);
  return error;
}

double accuracy_of(std::span<const judged_choice> choices) {
  return share(static_cast<std::size_t>(std::ranges::count_if(choices, &judged_choice::right)), choices.size());
}

bool is_within(const judged_latency& l, double tolerance) {
  return l.actual_us > 0 && std::abs(l.predicted_us - l.actual_us) <= tolerance * l.actual_us;
}

double within_share(std::span<const judged_latency> latencies, double tolerance) {
  const auto within = [&](const judged_latency& l) { return is_within(l, tolerance); };
  return share(static_cast<std::size_t>(std::ranges::count_if(latencies, within)), latencies.size());
}

} // namespace homeostat
