#include "policies/transfer/transfer_recommendation.hpp"

#include "policies/transfer/recommendation_outcome.hpp"
#include "tests/policies/row_name.hpp"
#include "tests/policies/transfer/transfer_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace homeostat {
namespace {

using testing::epoch;
using testing::window_source;

/// A pool in which grpc costs by the byte and zero_copy costs a fixed sum, so that they cross at `crossing`.
struct pool_records {
  std::map<series_key, std::vector<metrics_window>> windows;
  transfer_settings_view settings{.pool = "ml_pool"};

  explicit pool_records(std::uint64_t crossing, std::uint64_t threshold = 10U << 20U, double noise = 0.05,
                        std::uint64_t seed = 1) {
    settings.zero_copy_threshold = threshold;
    for (size_class c = size_class_of(1U << 20U); c <= size_class_of(256U << 20U); c = static_cast<size_class>(c + 2))
      for (const auto method : transfer_methods) {
        const bool usual = (method == transfer_method::zero_copy) == (c >= size_class_of(threshold));
        const auto bytes = static_cast<double>(least_size(c));
        window_source source{.rng = chacha8_rng(seed, c * 2U + (usual ? 0U : 1U)),
                             .level_us =
                                 method == transfer_method::grpc ? bytes / 1000 : static_cast<double>(crossing) / 1000,
                             .noise = noise};
        auto& ws = windows[{.size = c, .type = data_type::binary, .method = method}];
        for (int i = 0; i < 60; ++i) {
          ws.push_back(source.next());
          ws.back().of.delivered = usual ? 950 : 50; // a twentieth explores
          ws.back().of.explored = usual ? 0 : 50;
        }
      }
  }
  [[nodiscard]] std::vector<transfer_recommendation> advice(instant now = epoch) const {
    return recommend(settings, windows, {}, now);
  }
};

const transfer_recommendation* find(const std::vector<transfer_recommendation>& all, std::string_view key) {
  const auto at = std::ranges::find(all, key, &transfer_recommendation::key);
  return at == all.end() ? nullptr : &*at;
}

TEST(transfer_recommendation, AThresholdFarFromTheCrossingIsMovedThere) {
  const auto all = pool_records(40U << 20U).advice();
  const auto* r = find(all, "zero_copy_threshold");
  ASSERT_TRUE(r);
  EXPECT_NEAR(std::log2(std::stod(r->value) / (40U << 20U)), 0, 0.5);
  EXPECT_EQ(r->before, std::to_string(10U << 20U));
  ASSERT_TRUE(r->gain);
  EXPECT_GT(r->gain->low, 0.02);
  EXPECT_LT(r->gain->low, r->gain->share);
  EXPECT_GT(r->gain->high, r->gain->share);
  EXPECT_EQ(r->snippet.substr(0, r->snippet.find(" #")),
            "apiVersion: homeostat/v1\nkind: Pool\nmetadata: {name: ml_pool}\nspec:\n  transfer:\n"
            "    zero_copy_threshold: " +
                r->value + " B");
  EXPECT_EQ(&all.front(), r) << "the largest gain for the least effort comes first";
}

TEST(transfer_recommendation, TheExpectedGainIsWhatTheMoveSaves) {
  // By hand: sizes from 10 to 40 MiB go by zero_copy at 41943 us each, and would go by grpc at a thousandth of a byte.
  const pool_records p(40U << 20U, 10U << 20U, 0.01);
  double saved = 0, total = 0;
  for (const auto& [key, ws] : p.windows)
    for (const auto& w : ws) {
      const double us = static_cast<double>(w.of.delivered) * w.of.latency_mean_us;
      total += us;
      const double bytes = static_cast<double>(least_size(key.size));
      if (key.method == transfer_method::zero_copy && key.size >= size_class_of(10U << 20U) && bytes < (40U << 20U))
        saved += us - static_cast<double>(w.of.delivered) * 1.2 * bytes / 1000;
    }
  EXPECT_NEAR(find(p.advice(), "zero_copy_threshold")->gain->share, saved / total, 0.003);
}

TEST(transfer_recommendation, AThresholdAtTheCrossingIsLeftAlone) {
  EXPECT_EQ(find(pool_records(10U << 20U).advice(), "zero_copy_threshold"), nullptr);
}

TEST(transfer_recommendation, NothingIsSaidOfSizesSeenOneWayOnly) {
  pool_records p(40U << 20U);
  std::erase_if(p.windows, [](const auto& w) {
    return w.first.method == transfer_method::grpc && w.first.size >= size_class_of(10U << 20U);
  });
  EXPECT_EQ(find(p.advice(), "zero_copy_threshold"), nullptr);
  EXPECT_TRUE(recommend(p.settings, {}, {}, epoch).empty());
}

TEST(transfer_recommendation, WhereSharingWinsAtTheLeastTriedSizeTheMinimumIsInDoubt) {
  pool_records p(1U << 18U, 1U << 20U);
  const auto all = p.advice();
  const auto* r = find(all, "minimum_threshold");
  ASSERT_TRUE(r);
  EXPECT_EQ(r->value, std::to_string(1U << 19U));
  EXPECT_FALSE(r->gain) << "what was never tried cannot be promised";
}

TEST(transfer_recommendation, ExpensiveExplorationIsSaidToBe) {
  pool_records p(10U << 20U);
  for (auto& [key, ws] : p.windows) // the wrong way takes ten times as long
    if (ws[0].of.explored > 0)
      for (auto& w : ws) w.of.latency_mean_us *= 10;
  const auto all = p.advice();
  const auto* r = find(all, "exploration_rate");
  ASSERT_TRUE(r);
  EXPECT_EQ(r->value, "0.025");
  EXPECT_GT(r->gain->low, 0.02);
}

TEST(transfer_recommendation, APoolThatIsSlowBeforeItsLimitGetsALowerOne) {
  pool_records p(10U << 20U);
  for (auto& [key, ws] : p.windows)
    for (std::size_t i = 0; i < 20; ++i) {
      ws[i].of.memory_pressure = 0.75;
      if (key.method == transfer_method::zero_copy) ws[i].of.latency_p50_us *= 1.5;
    }
  const auto all = p.advice();
  const auto* r = find(all, "memory_pressure_threshold");
  ASSERT_TRUE(r);
  EXPECT_EQ(r->value, "0.7");
  EXPECT_EQ(find(all, "cpu_pressure_threshold"), nullptr);
}

TEST(transfer_recommendation, TheSameEvidenceTwiceIsOneRecommendation) {
  std::vector<transfer_recommendation> known;
  for (std::uint64_t seed = 1; seed <= 30; ++seed)
    merge_advice(known, pool_records(40U << 20U, 10U << 20U, 0.05, seed).advice(epoch + seed * 1h), {},
                 epoch + seed * 1h);
  EXPECT_EQ(std::ranges::count(known, "zero_copy_threshold", &transfer_recommendation::key), 1);
  EXPECT_EQ(find(known, "zero_copy_threshold")->seen, 30U);
  EXPECT_EQ(find(known, "zero_copy_threshold")->id, pool_records(40U << 20U).advice().front().id);
}

TEST(transfer_recommendation, WhatWasDismissedStaysDismissedAndWhatIsReplacedExpires) {
  std::vector<transfer_recommendation> known;
  merge_advice(known, pool_records(40U << 20U).advice(), {}, epoch);
  known.front().state = advice_state::dismissed;
  merge_advice(known, pool_records(40U << 20U).advice(), {}, epoch + 1h);
  EXPECT_EQ(known.front().state, advice_state::dismissed);
  merge_advice(known, pool_records(160U << 20U).advice(), {}, epoch + 2h);
  merge_advice(known, pool_records(80U << 20U).advice(), {}, epoch + 3h);
  const auto states = [&] {
    std::vector<advice_state> found;
    for (const auto& r : known)
      if (r.key == "zero_copy_threshold") found.push_back(r.state);
    return found;
  };
  using enum advice_state;
  EXPECT_EQ(states(), (std::vector{dismissed, expired, open}));
  merge_advice(known, {}, {}, epoch + 3h + 24h * 7);
  EXPECT_EQ(states(), (std::vector{dismissed, expired, expired}));
}

TEST(transfer_recommendation, NoMoreThanTheMostIsRemembered) {
  std::vector<transfer_recommendation> known;
  const auto add = [&](const std::string& value, advice_state state, instant seen) {
    transfer_recommendation r;
    r.pool = "p", r.key = "exploration_rate", r.value = value, r.state = state, r.last_seen = seen;
    known.push_back(r);
  };
  add("0.1", advice_state::open, epoch);
  add("0.2", advice_state::dismissed, epoch + 2h);
  add("0.3", advice_state::expired, epoch + 1h);
  add("0.4", advice_state::accepted, epoch); // its proposal is decided on
  merge_advice(known, {}, {.most = 3}, epoch + 3h);
  std::vector<std::string> left;
  for (const auto& r : known) left.push_back(r.value);
  EXPECT_EQ(left, (std::vector<std::string>{"0.1", "0.2", "0.4"}));
}

TEST(transfer_recommendation, PoolNamesThatYamlWouldMisreadAreQuoted) {
  EXPECT_EQ(snippet_of("9:\"x", "goal", "balanced", ""),
            "apiVersion: homeostat/v1\nkind: Pool\nmetadata: {name: \"9:\\\"x\"}\nspec:\n  transfer:\n    goal: "
            "balanced\n");
}

/// Minutes of a pool before and after a change.
struct outcome_row {
  const char* name;
  double effect; ///< on latency
  bool mix_changes;
  std::optional<expected_share> predicted;
  int minutes;
  outcome_verdict expected;
};
class outcomes : public ::testing::TestWithParam<outcome_row> {};
TEST_P(outcomes, AreMeasuredHonestly) {
  chacha8_rng rng(3);
  std::map<series_key, std::map<instant, metrics_bucket>> sides[2];
  for (int side = 0; side < 2; ++side)
    for (int minute = 0; minute < GetParam().minutes; ++minute) {
      const double drift = 0.05 * normal(rng); // minutes differ as a whole
      for (int i = 0; i < 40; ++i) {
        const bool large = rng.uniform() < (side == 1 && GetParam().mix_changes ? 0.2 : 0.6);
        transfer_metrics m = testing::transfer_at(epoch, (large ? 1000 : 100) * std::exp(drift + 0.3 * normal(rng)));
        m.data.data_size = large ? 64U << 20U : 4U << 20U;
        if (side == 1) m.latency_us *= GetParam().effect, m.method = transfer_method::zero_copy;
        const series_key key{.size = size_class_of(m.data.data_size), .type = m.data.type, .method = m.method};
        sides[side][key][epoch + side * 24h + minute * 1min].add(m);
      }
    }
  const auto o = measure_outcome(sides[0], sides[1], GetParam().predicted, {});
  EXPECT_EQ(name_of(o.verdict), name_of(GetParam().expected)) << o.text;
  if (o.verdict != outcome_verdict::too_early) {
    EXPECT_NEAR(o.measured.share, 1 - GetParam().effect, 0.05);
    EXPECT_LE(o.measured.low, o.measured.share);
    EXPECT_GE(o.measured.high, o.measured.share);
  }
}
constexpr expected_share twenty{.share = 0.2, .low = 0.15, .high = 0.25};
INSTANTIATE_TEST_SUITE_P(
    , outcomes,
    ::testing::Values(outcome_row{"AsPredicted", 0.8, false, twenty, 300, outcome_verdict::as_predicted},
                      outcome_row{"NoEffect", 1, false, twenty, 300, outcome_verdict::no_effect},
                      outcome_row{"AChangeOfTheMixIsNoGain", 1, true, twenty, 300, outcome_verdict::no_effect},
                      outcome_row{"LessThanPredicted", 0.92, false, twenty, 300, outcome_verdict::less_than_predicted},
                      outcome_row{"MoreThanPredicted", 0.6, false, twenty, 300, outcome_verdict::more_than_predicted},
                      outcome_row{"Harmful", 1.3, false, twenty, 300, outcome_verdict::harmful},
                      outcome_row{"NothingWasPredicted", 0.8, false, {}, 300, outcome_verdict::as_predicted},
                      outcome_row{"TooEarly", 0.8, false, twenty, 50, outcome_verdict::too_early}),
    by_name);

} // namespace
} // namespace homeostat
