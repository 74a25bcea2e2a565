// Structured or chaotic: the confusion table over generated landscapes, and the awkward cases.
#include "policies/search/classify.hpp"

#include "policies/search/normal.hpp"
#include "policies/search/probe.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <iomanip>
#include <iostream>

namespace homeostat {
namespace {

search_space cube(std::size_t n) {
  std::vector<knob_spec> knobs(n);
  for (std::size_t i = 0; i < n; ++i) knobs[i].name = "x" + std::to_string(i);
  return std::move(*search_space::create(std::move(knobs)));
}

struct family {
  const char* name;
  bool structured;
  std::function<double(const unit_point&, const unit_point& centre, chacha8_rng& rng)> value;
};

double squares(const unit_point& x, const unit_point& c, double weight = 1) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (1 + weight * static_cast<double>(i)) * std::pow(x[i] - c[i], 2);
  return sum;
}
double waves(const unit_point& x, const unit_point& c, double frequency) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += 1 - std::cos(frequency * (x[i] - c[i]));
  return sum;
}

const std::vector<family>& families() {
  static const std::vector<family> all{
      {"bowl", true, [](auto& x, auto& c, auto&) { return squares(x, c); }},
      {"long bowl", true, [](auto& x, auto& c, auto&) { return squares(x, c, 20); }},
      {"bowl, steep walls", true, [](auto& x, auto& c, auto&) { return std::exp(8 * squares(x, c)); }},
      {"bowl, 10 % noise", true, [](auto& x, auto& c, auto& r) { return squares(x, c) * (1 + 0.1 * normal(r)); }},
      {"bowl, 5 % outliers", true,
       [](auto& x, auto& c, auto& r) { return squares(x, c) + (r.uniform() < 0.05 ? 1e6 : 0.0); }},
      {"bowl with a plateau", true, [](auto& x, auto& c, auto&) { return std::min(squares(x, c), 0.5); }},
      {"slope", true, [](auto& x, auto& c, auto&) { return x[0] * (1 + c[0]) - x[1]; }},
      {"small ripples", true, [](auto& x, auto& c, auto&) { return squares(x, c) + 0.01 * waves(x, c, 40); }},
      {"ripples", false, [](auto& x, auto& c, auto&) { return 0.05 * squares(x, c) + waves(x, c, 40); }},
      {"noise", false, [](auto&, auto&, auto& r) { return normal(r); }},
      {"bowl under noise", false, [](auto& x, auto& c, auto& r) { return squares(x, c) + 3 * normal(r); }},
      {"two-valued", false, [](auto& x, auto& c, auto&) { return waves(x, c, 60) > 2 ? 1.0 : 0.0; }},
      {"heavy tails", false, [](auto&, auto&, auto& r) { return normal(r) / (std::abs(normal(r)) + 1e-3); }},
  };
  return all;
}

TEST(Classify, ConfusionTableOnGeneratedLandscapes) {
  constexpr int draws = 40;
  int right = 0;
  int total = 0;
  std::cout << "| landscape | knobs | points | structured | chaotic | mean score |\n|---|---|---|---|---|---|\n";
  for (const family& f : families())
    for (const std::size_t n : {2U, 5U}) {
      const search_space space = cube(n);
      const std::size_t points = 10 * n;
      int structured = 0;
      double score = 0;
      for (std::uint64_t draw = 0; draw < draws; ++draw) {
        chacha8_rng rng(draw, n);
        unit_point centre(n);
        for (double& c : centre) c = 0.2 + 0.6 * rng.uniform();
        std::vector<observation> told;
        for (std::uint64_t i = 0; i < points; ++i) {
          const unit_point x = probe_point({.seed = draw}, i, n);
          told.push_back({x, f.value(x, centre, rng)});
        }
        const landscape seen = classify(space, told);
        structured += seen.kind == landscape_kind::structured;
        score += seen.score / draws;
      }
      std::cout << "| " << f.name << " | " << n << " | " << points << " | " << structured << " | " << draws - structured
                << " | " << std::fixed << std::setprecision(2) << score << " |\n";
      right += f.structured ? structured : draws - structured;
      total += draws;
    }
  std::cout << "right: " << right << " of " << total << '\n';
  EXPECT_GE(right, total * 9 / 10);
}

TEST(Classify, FewPointsAndFlatOnesAreUnknownAndTreatedWithCare) {
  const search_space space = cube(3);
  std::vector<observation> told;
  EXPECT_FALSE(classify(space, told).known);
  for (std::uint64_t i = 0; i < 5; ++i) told.push_back({probe_point({}, i, 3), static_cast<double>(i)});
  EXPECT_FALSE(classify(space, told).known) << "n + 2 points";
  told.clear();
  for (std::uint64_t i = 0; i < 50; ++i) told.push_back({probe_point({}, i, 3), 7.0});
  const landscape flat = classify(space, told);
  EXPECT_FALSE(flat.known);
  EXPECT_EQ(flat.kind, landscape_kind::chaotic);
}

} // namespace
} // namespace homeostat
