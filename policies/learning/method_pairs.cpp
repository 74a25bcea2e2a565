#include "policies/learning/method_pairs.hpp"

#include "policies/median.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>

namespace homeostat {

namespace {

/// Candidates looked at on each side of a transfer: bounds the work where thousands share one size.
constexpr std::size_t search_limit = 256;

struct neighbour {
  std::size_t sample{0};
  double size{0}; ///< log2 of bytes
};

/// Gathers scaled latencies of one transfer's neighbours, nearest first, per method.
class neighbourhood {
public:
  neighbourhood(std::span<const transfer_metrics> samples, const pairing_settings& settings)
      : samples_(samples), settings_(settings) {}

  void gather(std::span<const neighbour> group, std::size_t centre) {
    for (auto& list : latencies_) list.clear();
    const neighbour& c = group[centre];
    std::size_t left = centre, right = centre + 1, steps = 0; // left is one past the next candidate
    take(c, c);
    while (steps++ < 2 * search_limit && !full()) {
      const double below = left > 0 ? c.size - group[left - 1].size : beyond;
      const double above = right < group.size() ? group[right].size - c.size : beyond;
      if (std::min(below, above) > settings_.size_radius) break;
      // Equal distances alternate, so that of many equal sizes those nearest in time are taken from both sides.
      const bool down = below < above || (below == above && steps % 2 == 0);
      take(c, down ? group[--left] : group[right++]);
    }
  }

  [[nodiscard]] std::vector<double>& of(transfer_method m) { return latencies_[static_cast<std::size_t>(m)]; }
  [[nodiscard]] bool enough() const {
    return std::ranges::all_of(latencies_, [&](const auto& list) { return list.size() >= settings_.per_method; });
  }

private:
  static constexpr double beyond = 1e9;

  [[nodiscard]] bool full() const {
    return std::ranges::all_of(latencies_, [&](const auto& list) { return list.size() >= settings_.at_most; });
  }

  void take(const neighbour& centre, const neighbour& n) {
    const transfer_metrics& other = samples_[n.sample];
    const double load = std::abs(other.conditions.cpu_load - samples_[centre.sample].conditions.cpu_load);
    std::vector<double>& list = of(other.method);
    if (!(load <= settings_.load_radius) || list.size() >= settings_.at_most) return;
    list.push_back(other.latency_us * std::exp2(centre.size - n.size));
  }

  std::span<const transfer_metrics> samples_;
  const pairing_settings& settings_;
  std::array<std::vector<double>, transfer_method_count> latencies_;
};

} // namespace

std::vector<method_label> label_methods(std::span<const transfer_metrics> samples, const pairing_settings& settings) {
  std::map<std::tuple<data_type, data_format, bool>, std::vector<neighbour>> groups;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const transfer_metrics& m = samples[i];
    if (m.failed || !(std::isfinite(m.latency_us) && m.latency_us > 0) || m.data.data_size == 0) continue;
    groups[{m.data.type, m.data.format, m.data.compressed}].push_back(
        {.sample = i, .size = std::log2(static_cast<double>(m.data.data_size))});
  }
  std::vector<method_label> labels;
  neighbourhood near(samples, settings);
  for (auto& [kind, group] : groups) {
    std::ranges::sort(group, {},
                      [&](const neighbour& n) { return std::tuple(n.size, samples[n.sample].timestamp, n.sample); });
    for (std::size_t i = 0; i < group.size(); ++i) {
      near.gather(group, i);
      if (!near.enough()) continue;
      const double grpc = median_in(near.of(transfer_method::grpc));
      const double zero_copy = median_in(near.of(transfer_method::zero_copy));
      const double gap = std::max(grpc, zero_copy) / std::min(grpc, zero_copy) - 1;
      labels.push_back({.sample = group[i].sample,
                        .faster = zero_copy < grpc ? transfer_method::zero_copy : transfer_method::grpc,
                        .gap = gap,
                        .weight = std::min(1.0, gap / settings.full_weight),
                        .near_tie = gap < settings.near_tie});
    }
  }
  std::ranges::sort(labels, {}, &method_label::sample);
  return labels;
}

} // namespace homeostat
