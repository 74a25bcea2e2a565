#include "policies/transfer/rank_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <utility>

namespace homeostat {

namespace {

constexpr std::size_t most_observations = 200; // 40,000 pairs: a millisecond
constexpr std::size_t exact_limit = 25;        // per side; beyond, the normal approximation is as good

std::span<const double> newest(std::span<const double> values) {
  return values.size() > most_observations ? values.last(most_observations) : values;
}

struct u_statistic {
  double u;        ///< pairs in which now is larger, ties by half
  double tie_term; ///< sum of t^3 - t over groups of equal values
};

u_statistic u_of(std::span<const double> before, std::span<const double> now) {
  struct entry {
    double value;
    bool is_now;
  };
  std::vector<entry> all;
  for (double v : before) all.push_back({v, false});
  for (double v : now) all.push_back({v, true});
  std::ranges::sort(all, {}, &entry::value);
  double rank_sum = 0, tie_term = 0;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i;
    std::size_t ours = 0;
    for (; end < all.size() && all[end].value == all[i].value; ++end) ours += all[end].is_now ? 1 : 0;
    const auto t = static_cast<double>(end - i);
    rank_sum += static_cast<double>(ours) * (static_cast<double>(i + 1 + end) / 2);
    tie_term += t * t * t - t;
    i = end;
  }
  const auto n = static_cast<double>(now.size());
  return {.u = rank_sum - n * (n + 1) / 2, .tie_term = tie_term};
}

/// @returns the probability of each value of U without a difference, by Mann and Whitney's recurrence over the number
/// of partitions.
std::vector<double> exact_distribution(std::size_t m, std::size_t n) {
  // The generating function is the Gaussian binomial: multiply by (1 - x^(n+i)) and divide by (1 - x^i), i = 1..m.
  const std::size_t top = m * n;
  std::vector<double> counts(top + 1, 0.0);
  counts[0] = 1;
  for (std::size_t i = 1; i <= m; ++i) {
    for (std::size_t u = top; u >= n + i; --u) counts[u] -= counts[u - n - i];
    for (std::size_t u = i; u <= top; ++u) counts[u] += counts[u - i];
  }
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  for (double& c : counts) c /= total;
  return counts;
}

double p_of(const u_statistic& s, std::size_t before, std::size_t now, double inflation) {
  if (inflation == 1 && s.tie_term == 0 && before <= exact_limit && now <= exact_limit) {
    const std::vector<double> chance = exact_distribution(before, now);
    double p = 0;
    for (auto u = static_cast<std::size_t>(s.u); u < chance.size(); ++u) p += chance[u];
    return std::clamp(p, 0.0, 1.0);
  }
  const auto m = static_cast<double>(before), n = static_cast<double>(now), both = m + n;
  const double variance = both < 2 ? 0 : inflation * m * n / 12 * (both + 1 - s.tie_term / (both * (both - 1)));
  if (variance <= 0) return 1; // everything is tied
  return normal_cdf(-(s.u - m * n / 2 - 0.5) / std::sqrt(variance));
}

} // namespace

rank_comparison compare_ranks(std::span<const double> before, std::span<const double> now, double confidence,
                              double inflation) {
  before = newest(before);
  now = newest(now);
  rank_comparison result;
  if (before.empty() || now.empty()) return result;
  result.p = p_of(u_of(before, now), before.size(), now.size(), inflation);

  std::vector<double> shifts;
  shifts.reserve(before.size() * now.size());
  for (double b : before)
    for (double a : now) shifts.push_back(a - b);
  std::ranges::sort(shifts);
  const std::size_t pairs = shifts.size();
  result.shift = (shifts[(pairs - 1) / 2] + shifts[pairs / 2]) / 2;
  const auto m = static_cast<double>(before.size()), n = static_cast<double>(now.size());
  const double reach = normal_quantile(0.5 + confidence / 2) * std::sqrt(inflation * m * n * (m + n + 1) / 12);
  const double low = std::floor(m * n / 2 - reach); // pairs outside the interval, on either side
  const std::size_t outside = low > 0 ? static_cast<std::size_t>(low) : 0;
  result.shift_low = shifts[outside];
  result.shift_high = shifts[pairs - 1 - outside];
  return result;
}

double serial_inflation(std::span<const double> in_order) {
  const auto n = static_cast<double>(in_order.size());
  if (in_order.size() < 4) return 1;
  const double mean = std::accumulate(in_order.begin(), in_order.end(), 0.0) / n;
  double variance = 0, together = 0;
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    const double off = in_order[i] - mean;
    variance += off * off;
    if (i > 0) together += off * (in_order[i - 1] - mean);
  }
  if (variance <= 0) return 1;
  const double r = together / variance;
  const double unbiased = std::clamp(r + (1 + 4 * r) / n, 0.0, 0.95);
  return (1 + unbiased) / (1 - unbiased);
}

std::vector<double> adjust_for_many(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(p[i], i); });
  std::vector<double> adjusted(p.size());
  double least = 1;
  for (std::size_t rank = order.size(); rank > 0; --rank) {
    const std::size_t i = order[rank - 1];
    least = std::min(least, p[i] * static_cast<double>(p.size()) / static_cast<double>(rank));
    adjusted[i] = least;
  }
  return adjusted;
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double normal_quantile(double p) {
  double low = -40, high = 40;
  for (int i = 0; i < 100 && high - low > 1e-12; ++i) {
    const double middle = (low + high) / 2;
    (normal_cdf(middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

} // namespace homeostat
