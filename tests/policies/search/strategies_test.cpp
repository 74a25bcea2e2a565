// The strategies' own promises: each is good at what it is for.
#include "policies/search/cma_es.hpp"
#include "policies/search/nelder_mead.hpp"
#include "policies/search/quadratic_model.hpp"
#include "policies/search/solver.hpp"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>

#include <cmath>
#include <cstdlib>
#include <functional>

namespace homeostat {
namespace {

double lowest(const std::string& strategy, std::uint64_t budget, std::vector<knob_spec> space,
              const std::function<double(const std::vector<double>&)>& f) {
  auto s = solver::create({.space = std::move(space), .seed = 3, .budget = budget, .strategy = strategy});
  if (!s) ADD_FAILURE() << s.error();
  while (true) {
    const auto asked = s->ask(1);
    if (asked.empty()) return *s->best()->value;
    for (const trial& t : asked) (void)s->tell(t.id, f(t.values));
  }
}

std::vector<knob_spec> unit_knobs(std::size_t n) {
  std::vector<knob_spec> knobs(n);
  for (std::size_t i = 0; i < n; ++i) knobs[i].name = "x" + std::to_string(i), knobs[i].initial = 0.5;
  return knobs;
}

double rotated_bowl(const std::vector<double>& x) {
  double sum = 0;
  double shared = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum += std::pow(x[i] - 0.3, 2) * static_cast<double>(1 + i * i);
    shared += x[i] - 0.3;
  }
  return sum + 3 * shared * shared;
}

TEST(Quadratic, SolvesAQuadraticInFewerEvaluationsThanItHasCoefficients) {
  EXPECT_LT(lowest("quadratic", 60, unit_knobs(10), rotated_bowl), 0.01) << "66 coefficients; 25.6 at the start";
}
TEST(Quadratic, FindsAMinimumOnTheBound) {
  const auto slope = [](const std::vector<double>& x) { return x[0] + 2 * x[1] + std::pow(x[2] - 0.4, 2); };
  EXPECT_LT(lowest("quadratic", 40, unit_knobs(3), slope), 1e-8);
}
TEST(NelderMead, ConvergesOnABowl) { EXPECT_LT(lowest("nelder-mead", 200, unit_knobs(3), rotated_bowl), 1e-6); }
TEST(NelderMead, CrossesTheSeamOfAPeriodicAxis) {
  std::vector<knob_spec> knobs = unit_knobs(2);
  knobs[0].scale = knobs[1].scale = knob_scale::periodic;
  const auto round = [](const std::vector<double>& x) {
    return 2 - std::cos(6.283185307 * (x[0] - 0.99)) - std::cos(6.283185307 * (x[1] - 0.01));
  };
  EXPECT_LT(lowest("nelder-mead", 120, knobs, round), 1e-6);
}
TEST(CmaEs, ConvergesOnABowl) { EXPECT_LT(lowest("cma-es", 1200, unit_knobs(4), rotated_bowl), 1e-8); }
TEST(Tpe, FindsTheRightCategories) {
  std::vector<knob_spec> knobs(4);
  for (std::size_t i = 0; i < 4; ++i) {
    knobs[i].name = "c" + std::to_string(i), knobs[i].type = knob_type::categorical, knobs[i].max = 3;
    knobs[i].categories = {"a", "b", "c", "d"};
  }
  const auto wrong = [](const std::vector<double>& x) {
    return static_cast<double>((x[0] != 2) + (x[1] != 0) + (x[2] != 3) + (x[3] != 1));
  };
  EXPECT_EQ(lowest("tpe", 100, knobs, wrong), 0) << "one of 256";
}
TEST(Auto, FindsTheLowestOfManyDips) {
  const auto dips = [](const std::vector<double>& x) {
    return rotated_bowl(x) + 0.3 * (2 - std::cos(25 * (x[0] - 0.3)) - std::cos(25 * (x[1] - 0.3)));
  };
  EXPECT_LT(lowest("auto", 150, unit_knobs(2), dips), 0.05);
}

TEST(FarthestSeed, IsTheOneWhoseNearestTakenPointIsFarthest) {
  const search_space space = std::move(*search_space::create(unit_knobs(1)));
  const std::vector<unit_point> candidates{{0.1}, {0.5}, {0.95}};
  EXPECT_EQ(farthest_from(space, candidates, std::vector<unit_point>{{0.0}}), 2U);
  EXPECT_EQ(farthest_from(space, candidates, std::vector<unit_point>{{0.0}, {1.0}}), 1U);
}

TEST(TrustRegionStep, StaysInsideTheLimitsAndNeverRises) {
  for (int round = 0; round < 200; ++round) {
    std::srand(static_cast<unsigned>(round)); // Eigen's Random draws from it
    const Eigen::Index n = 1 + round % 5;
    const Eigen::VectorXd g = Eigen::VectorXd::Random(n);
    const Eigen::MatrixXd a = Eigen::MatrixXd::Random(n, n);
    const Eigen::MatrixXd h = a + a.transpose();
    const step_limits limits{-Eigen::VectorXd::Random(n).cwiseAbs(), Eigen::VectorXd::Random(n).cwiseAbs(), 0.7};
    const Eigen::VectorXd step = trust_region_step(g, h, limits);
    EXPECT_LE(step.norm(), 0.7 * (1 + 1e-9));
    EXPECT_TRUE((step.array() >= limits.lower.array() - 1e-12).all());
    EXPECT_TRUE((step.array() <= limits.upper.array() + 1e-12).all());
    EXPECT_LE(g.dot(step) + 0.5 * step.dot(h * step), 1e-15);
  }
}

} // namespace
} // namespace homeostat
