// The first duty of `adaptive`: no plant is worse off with it than with the static default.
#include "tests/policies/search/online/drifting_plant.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <string_view>

namespace homeostat {

namespace {

using path = std::function<online_point(int)>; ///< where the optimum is at a step

/// Where the optimum may be: away from the default, or there would be nothing to gain and any trial at all would cost.
online_point drawn_place(chacha8_rng& rng, std::size_t dimensions) {
  for (;;) {
    online_point place;
    double square = 0;
    for (std::size_t i = 0; i < dimensions; ++i) {
      place.push_back(0.1 + 0.8 * rng.uniform());
      square += (place.back() - 0.5) * (place.back() - 0.5);
    }
    if (square >= 0.03 * static_cast<double>(dimensions)) return place;
  }
}

struct named_path {
  std::string name;
  std::function<path(chacha8_rng&, std::size_t)> make;
};

const std::array<named_path, 6>& paths() {
  static const std::array<named_path, 6> all{{
      {"still", [](chacha8_rng& rng, std::size_t d) -> path { return [at = drawn_place(rng, d)](int) { return at; }; }},
      {"incident", // a short spell of another workload, twice
       [](chacha8_rng& rng, std::size_t d) -> path {
         return [a = drawn_place(rng, d), b = drawn_place(rng, d)](int t) { return t % 900 > 820 ? b : a; };
       }},
      {"three_in_turn",
       [](chacha8_rng& rng, std::size_t d) -> path {
         return [at = std::array{drawn_place(rng, d), drawn_place(rng, d), drawn_place(rng, d)}](int t) {
           return at[static_cast<std::size_t>(t / 220 % 3)];
         };
       }},
      {"slow_move_that_stops",
       [](chacha8_rng& rng, std::size_t d) -> path {
         return [a = drawn_place(rng, d), b = drawn_place(rng, d)](int t) {
           const double share = std::clamp((t - 400) / 800.0, 0.0, 1.0);
           online_point at = a;
           for (std::size_t i = 0; i < at.size(); ++i) at[i] += share * (b[i] - a[i]);
           return at;
         };
       }},
      {"day",
       [](chacha8_rng& rng, std::size_t d) -> path {
         return [phase = 6 * rng.uniform(), d](int t) {
           online_point at;
           for (std::size_t i = 0; i < d; ++i)
             at.push_back(0.5 + 0.3 * std::sin(2 * std::numbers::pi * t / 700 + phase + static_cast<double>(i)));
           return at;
         };
       }},
      {"irregular",
       [](chacha8_rng& rng, std::size_t d) -> path {
         return [a = drawn_place(rng, d), b = drawn_place(rng, d)](int t) { return t / 137 * 7 % 5 < 2 ? a : b; };
       }},
  }};
  return all;
}

/// f(offset from the optimum) >= 0, over axes turned against the knobs.
struct named_shape {
  std::string_view name;
  double (*cost)(std::span<const double>);
};

double squares(std::span<const double> z, double first_weight) {
  double sum = 0, weight = first_weight;
  for (double x : z) sum += weight * x * x, weight *= 1.7;
  return sum;
}

constexpr std::array<named_shape, 6> shapes{{
    {"bowl", [](std::span<const double> z) { return 10 * squares(z, 0.6); }},
    {"edge", [](std::span<const double> z) { return 4 * std::sqrt(squares(z, 1)); }},
    {"flat_bottom", [](std::span<const double> z) { return 60 * std::pow(squares(z, 1), 2) + squares(z, 1); }},
    {"basin_in_a_plain",
     [](std::span<const double> z) { return 4 * (1 - std::exp(-4 * squares(z, 1))) + squares(z, 1); }},
    {"steep_on_one_side",
     [](std::span<const double> z) {
       double sum = 0;
       for (double x : z) sum += (x > 0 ? 25 : 6) * x * x;
       return sum;
     }},
    {"cliff", [](std::span<const double> z) { return 8 * squares(z, 1) + (z[0] > 0.25 ? 40 * (z[0] - 0.25) : 0); }},
}};

/// A random rotation of the axes, so that no model of single knobs is flattered: one Householder reflection.
std::vector<double> drawn_mirror(chacha8_rng& rng, std::size_t dimensions) {
  std::vector<double> normal(dimensions);
  double square = 0;
  for (double& x : normal) x = test_normal(rng), square += x * x;
  for (double& x : normal) x /= std::sqrt(square);
  return normal;
}

drifting_plant drawn_plant(const named_shape& shape, const named_path& way, std::uint64_t seed) {
  chacha8_rng rng(seed, 41);
  drifting_plant plant;
  plant.name = std::string(shape.name) + "/" + way.name;
  plant.dimensions = 1 + static_cast<std::size_t>(rng.uniform() * 6);
  plant.noise = 0.3 * std::exp(std::log(0.3) + rng.uniform() * std::log(2 / 0.3)); // x 0.3 to 2
  const double unit = std::exp(-2 + 6 * rng.uniform());                            // of the objective
  plant.noise *= unit;
  plant.cost = [cost = shape.cost, at = way.make(rng, plant.dimensions), mirror = drawn_mirror(rng, plant.dimensions),
                unit](int t, const online_point& x) {
    const online_point optimum = at(t);
    std::vector<double> z(x.size());
    double along = 0;
    for (std::size_t i = 0; i < z.size(); ++i) z[i] = x[i] - optimum[i], along += z[i] * mirror[i];
    for (std::size_t i = 0; i < z.size(); ++i) z[i] -= 2 * along * mirror[i];
    return unit * cost(z);
  };
  return plant;
}

/// Every shape on every path, free and under the `balanced` guardrails' step.
class NoHarm : public testing::TestWithParam<std::optional<double>> {};
TEST_P(NoHarm, AdaptiveIsNeverWorseThanTheDefault) {
  std::uint64_t seed = 100;
  double sum = 0;
  for (const named_shape& shape : shapes)
    for (const named_path& way : paths()) {
      const drifting_plant plant = drawn_plant(shape, way, ++seed);
      online_settings settings = unit_settings(plant.dimensions, seed);
      settings.max_delta_per_step = GetParam();
      const double ratio = run_on(plant, settings).ratio;
      sum += ratio;
      EXPECT_LE(ratio, 1.02) << plant.name << ", " << plant.dimensions << " knobs, noise " << plant.noise << ", seed "
                             << seed;
    }
  EXPECT_LE(sum / static_cast<double>(shapes.size() * paths().size()), 0.3) << "and on the whole it is far better";
}
INSTANTIATE_TEST_SUITE_P(Limits, NoHarm, testing::Values(std::optional<double>{}, std::optional<double>{0.1}),
                         [](const auto& limit) { return limit.param.has_value() ? "Balanced" : "Free"; });

} // namespace
} // namespace homeostat
