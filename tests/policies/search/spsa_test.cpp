// The two-sided estimator: its states, its gains, its determinism.
#include "policies/search/spsa.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <ostream>

namespace homeostat {
namespace {

TEST(Spsa, GoesFromReadyOverPlusAndMinusToReady) {
  spsa_state s = fresh_spsa(1, 3);
  EXPECT_EQ(s.phase, spsa_phase::ready);
  generate_perturbation(s);
  EXPECT_EQ(s.phase, spsa_phase::waiting_plus);
  ASSERT_EQ(s.direction.size(), 3U);
  for (double d : s.direction) EXPECT_EQ(std::abs(d), 1);
  EXPECT_FALSE(has_enough_samples(s, {}));
  record_objective(s, 10);
  EXPECT_TRUE(has_enough_samples(s, {}));
  EXPECT_FALSE(complete_eval_window(s));
  EXPECT_EQ(s.phase, spsa_phase::waiting_minus);
  EXPECT_FALSE(has_enough_samples(s, {}));
  EXPECT_EQ(s.iteration, 0U);
  record_objective(s, 7);
  const auto difference = complete_eval_window(s);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->y_plus, 10);
  EXPECT_EQ(difference->y_minus, 7);
  EXPECT_EQ(s.phase, spsa_phase::ready);
  EXPECT_EQ(s.iteration, 1U);
}

TEST(Spsa, AveragesTheWindowsOfASide) {
  spsa_settings settings;
  settings.windows_per_probe = 3;
  spsa_state s = fresh_spsa(1, 1);
  generate_perturbation(s);
  for (double y : {1.0, 2.0}) {
    record_objective(s, y);
    EXPECT_FALSE(has_enough_samples(s, settings));
  }
  record_objective(s, 6);
  EXPECT_TRUE(has_enough_samples(s, settings));
  complete_eval_window(s);
  for (double y : {4.0, 5.0, 9.0}) record_objective(s, y);
  const auto difference = complete_eval_window(s);
  EXPECT_EQ(difference->y_plus, 3);
  EXPECT_EQ(difference->y_minus, 6);
}

TEST(Spsa, IgnoresWhatItDidNotAskFor) {
  spsa_state s = fresh_spsa(1, 2);
  const spsa_state before = s;
  record_objective(s, 5);
  EXPECT_FALSE(complete_eval_window(s));
  EXPECT_EQ(s, before);
  generate_perturbation(s);
  const spsa_state drawn = s;
  generate_perturbation(s); // one perturbation at a time
  EXPECT_EQ(s, drawn);
  EXPECT_FALSE(complete_eval_window(s)) << "a side without a window is not closed";
  EXPECT_EQ(s.phase, spsa_phase::waiting_plus);
}

TEST(Spsa, AbandonedPerturbationsDoNotCount) {
  spsa_state s = fresh_spsa(1, 2);
  generate_perturbation(s);
  record_objective(s, 5);
  complete_eval_window(s);
  record_objective(s, 6);
  abandon(s);
  EXPECT_EQ(s.phase, spsa_phase::ready);
  EXPECT_EQ(s.iteration, 0U);
  EXPECT_EQ(s.recorded, 0U);
  generate_perturbation(s);
  record_objective(s, 1);
  complete_eval_window(s);
  record_objective(s, 2);
  EXPECT_EQ(complete_eval_window(s)->y_plus, 1) << "nothing of the abandoned one is left";
}

TEST(Spsa, SameSeedSameDirections) {
  spsa_state a = fresh_spsa(11, 4), b = fresh_spsa(11, 4), c = fresh_spsa(12, 4);
  bool differs = false;
  for (int i = 0; i < 50; ++i) {
    for (spsa_state* s : {&a, &b, &c}) generate_perturbation(*s);
    EXPECT_EQ(a.direction, b.direction);
    differs = differs || a.direction != c.direction;
    for (spsa_state* s : {&a, &b, &c}) abandon(*s);
  }
  EXPECT_EQ(a, b);
  EXPECT_TRUE(differs);
}

TEST(Spsa, DirectionsAreFairOnEveryKnobAndBetweenKnobs) {
  spsa_state s = fresh_spsa(3, 2);
  constexpr int count = 20'000;
  double x = 0, y = 0, xy = 0;
  for (int i = 0; i < count; ++i) {
    generate_perturbation(s);
    x += s.direction[0], y += s.direction[1], xy += s.direction[0] * s.direction[1];
    abandon(s);
  }
  for (double sum : {x, y, xy}) EXPECT_LE(std::abs(sum), 4 * std::sqrt(count));
}

// ---- gains
// ---------------------------------------------------------------------------------------------------------------

TEST(SpsaGains, FollowTheFormulas) {
  spsa_settings s;
  s.last_decay.reset();
  for (std::uint64_t k : {0U, 1U, 5U, 100U, 100'000U}) {
    const auto n = static_cast<double>(k);
    EXPECT_DOUBLE_EQ(learning_rate_at(s, k), s.learning_rate / std::pow(n + 1 + 10, 0.602)) << k;
    EXPECT_DOUBLE_EQ(perturbation_scale_at(s, k), s.perturbation_scale / std::pow(n + 1, 0.101)) << k;
  }
  // By hand: 0.3 / 11^0.602 and 0.3 / 111^0.602; 0.05 and 0.05 / 101^0.101.
  EXPECT_NEAR(learning_rate_at(s, 0), 0.0708277, 1e-7);
  EXPECT_NEAR(learning_rate_at(s, 100), 0.0176131, 1e-7);
  EXPECT_DOUBLE_EQ(perturbation_scale_at(s, 0), 0.05);
  EXPECT_NEAR(perturbation_scale_at(s, 100), 0.0313714, 1e-7);
}

TEST(SpsaGains, StopShrinkingWhereSettingsSaySo) {
  spsa_settings s;
  s.last_decay = 30;
  EXPECT_GT(learning_rate_at(s, 29), learning_rate_at(s, 30));
  EXPECT_EQ(learning_rate_at(s, 30), learning_rate_at(s, 31));
  EXPECT_EQ(learning_rate_at(s, 30), learning_rate_at(s, 1'000'000));
  EXPECT_EQ(perturbation_scale_at(s, 30), perturbation_scale_at(s, 1'000'000));
  s.last_decay = 0;
  EXPECT_EQ(learning_rate_at(s, 0), learning_rate_at(s, 1000));
}

TEST(SpsaGains, DefaultsAreTheDesigns) {
  const spsa_settings s;
  EXPECT_EQ(s.alpha, 0.602);
  EXPECT_EQ(s.gamma, 0.101);
  EXPECT_EQ(s.stability, 10);
}

// ---- checks
// --------------------------------------------------------------------------------------------------------------

struct check_row {
  std::string name;
  std::function<void(spsa_settings&)> given;
  std::string expected;
};
void PrintTo(const check_row& row, std::ostream* out) { *out << row.name; }

class SpsaCheck : public testing::TestWithParam<check_row> {};
TEST_P(SpsaCheck, SaysWhatIsWrong) {
  spsa_settings s;
  GetParam().given(s);
  const auto result = check(s);
  EXPECT_EQ(result ? "" : result.error(), GetParam().expected);
}
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
INSTANTIATE_TEST_SUITE_P(
    Rows, SpsaCheck,
    testing::ValuesIn(std::vector<check_row>{
        {"DefaultsAreGood", [](spsa_settings&) {}, ""},
        {"ZeroLearningRate", [](spsa_settings& s) { s.learning_rate = 0; }, "learning_rate is 0, expected more than 0"},
        {"LearningRateNaN", [](spsa_settings& s) { s.learning_rate = nan; },
         "learning_rate is nan, expected more than 0"},
        {"ZeroPerturbation", [](spsa_settings& s) { s.perturbation_scale = 0; },
         "perturbation_scale is 0, expected more than 0, at most 0.5"},
        {"PerturbationOfHalfTheRangeIsGood", [](spsa_settings& s) { s.perturbation_scale = 0.5; }, ""},
        {"PerturbationTooWide", [](spsa_settings& s) { s.perturbation_scale = 0.6; },
         "perturbation_scale is 0.6, expected more than 0, at most 0.5"},
        {"ZeroAlpha", [](spsa_settings& s) { s.alpha = 0; }, "alpha is 0, expected more than 0"},
        {"ZeroGammaIsGood", [](spsa_settings& s) { s.gamma = 0; }, ""},
        {"NegativeGamma", [](spsa_settings& s) { s.gamma = -1; }, "gamma is -1, expected 0 or more"},
        {"NegativeStability", [](spsa_settings& s) { s.stability = -1; }, "stability is -1, expected 0 or more"},
        {"ZeroStep", [](spsa_settings& s) { s.max_step = 0; }, "max_step is 0, expected more than 0, at most 1"},
        {"ZeroWindows", [](spsa_settings& s) { s.windows_per_probe = 0; },
         "windows_per_probe is 0, expected 1 to 1000"},
        {"TooManyWindows", [](spsa_settings& s) { s.windows_per_probe = 1001; },
         "windows_per_probe is 1001, expected 1 to 1000"},
    }),
    by_name);

} // namespace
} // namespace homeostat
