// Ask and tell of every search strategy at 8 dimensions, on a valley with a little noise.
#include "bench/row.hpp"
#include "policies/search/online/online_strategy.hpp"
#include "policies/search/solver.hpp"

#include <chrono>
#include <cstdlib>
#include <span>

namespace homeostat::bench {

namespace {

using clock = std::chrono::steady_clock;
constexpr std::size_t dimensions = 8;

std::vector<knob_spec> make_space() {
  std::vector<knob_spec> knobs(dimensions);
  for (std::size_t i = 0; i < dimensions; ++i) {
    knobs[i].name = "x" + std::to_string(i);
    knobs[i].min = -2;
    knobs[i].max = 2;
  }
  return knobs;
}

double objective(std::span<const double> x, chacha8_rng& noise) {
  double sum = 0.01 * noise.uniform();
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {
    const double a = x[i + 1] - x[i] * x[i];
    const double b = 1 - x[i];
    sum += 100 * a * a + b * b;
  }
  return sum;
}

double microseconds(clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

/// The first method of a local simplex costs microseconds; those that fit a model, up to a millisecond.
double budget_of(std::string_view strategy) { return strategy == "nelder-mead" || strategy == "probe" ? 20 : 1000; }

row batch(std::string_view strategy) {
  std::vector<double> samples;
  chacha8_rng noise(7);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    auto search =
        solver::create({.space = make_space(), .seed = seed, .budget = 200, .strategy = std::string(strategy)});
    if (!search) std::abort();
    while (!search->finished()) {
      const auto begin = clock::now();
      const std::vector<trial> asked = search->ask(1);
      auto spent = clock::now() - begin;
      if (asked.empty()) break;
      const double value = objective(asked.front().values, noise);
      const auto told = clock::now();
      if (!search->tell(asked.front().id, value)) std::abort();
      spent += clock::now() - told;
      samples.push_back(microseconds(spent));
    }
  }
  return at_most("ask_tell_" + std::string(strategy) + "_8_p99", quantile(samples, 0.99), "us", budget_of(strategy));
}

row online() {
  online_settings settings;
  settings.knobs = make_space();
  online_state state = fresh_online(settings);
  std::vector<double> samples;
  chacha8_rng noise(7);
  for (int i = 0; i < 5000; ++i) {
    const auto begin = clock::now();
    const online_step step = next_point(state, settings);
    auto spent = clock::now() - begin;
    const knob_values values = values_of(step, settings);
    const double value = objective({values.begin(), values.size()}, noise);
    const auto told = clock::now();
    if (!record(state, settings, value)) std::abort();
    spent += clock::now() - told;
    samples.push_back(microseconds(spent));
  }
  return at_most("ask_tell_adaptive_8_p99", quantile(samples, 0.99), "us", 1000);
}

} // namespace

std::vector<row> search_rows() {
  std::vector<row> rows;
  for (std::string_view strategy : strategy_names()) rows.push_back(batch(strategy));
  rows.push_back(online());
  return rows;
}

} // namespace homeostat::bench
