// One prediction of a transfer model's size: 100 complete trees of depth 6 over ten features.
#include "bench/row.hpp"
#include "policies/learning/forest.hpp"
#include "policies/search/chacha8.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>

namespace homeostat::bench {

namespace {

using clock = std::chrono::steady_clock;
constexpr std::size_t features = 10;
constexpr std::size_t batch =
    64; // rows timed at once: a clock reading would weigh as much as a tenth of one prediction

forest complete_forest() {
  chacha8_rng rng(1);
  model_structure model{.output = model_output::identity, .base = 0, .feature_count = features, .trees = {}};
  for (int t = 0; t < 100; ++t) {
    tree_nodes tree(127);
    for (std::int32_t i = 0; i < 127; ++i) {
      tree_node& n = tree[static_cast<std::size_t>(i)];
      n.value = static_cast<float>(rng.uniform());
      if (i >= 63) continue;
      n.left = 2 * i + 1;
      n.right = 2 * i + 2;
      n.feature = static_cast<std::uint32_t>(rng.next() % features);
    }
    model.trees.push_back(std::move(tree));
  }
  auto f = forest::build(model);
  if (!f) std::abort();
  return *f;
}

} // namespace

std::vector<row> learning_rows() {
  const forest f = complete_forest();
  chacha8_rng rng(2);
  std::vector<float> rows(features * 4096);
  for (float& x : rows) x = static_cast<float>(rng.uniform());
  std::vector<double> samples;
  for (int round = 0; round < 20; ++round)
    for (std::size_t first = 0; first + batch * features <= rows.size(); first += batch * features) {
      const auto begin = clock::now();
      for (std::size_t i = 0; i < batch; ++i)
        benchmark::DoNotOptimize(f.predict(std::span(rows).subspan(first + i * features, features)));
      samples.push_back(std::chrono::duration<double, std::micro>(clock::now() - begin).count() / batch);
    }
  return {at_most("model_prediction_100x6", quantile(samples, 0.5), "us", 1)};
}

} // namespace homeostat::bench
