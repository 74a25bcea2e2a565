#include "policies/search/classify.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

namespace homeostat {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double structured_from = 0.5;
constexpr std::size_t most_points = 256;
constexpr double ridge = 1e-2;

// Ranks from -1 to 1; equal values share their middle rank.
VectorXd ranks_of(std::span<const observation> told) {
  const std::size_t n = told.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(told[i].value, i); });
  VectorXd ranks(static_cast<Index>(n));
  for (std::size_t first = 0; first < n;) {
    std::size_t last = first;
    while (last + 1 < n && told[order[last + 1]].value == told[order[first]].value) ++last;
    for (std::size_t k = first; k <= last; ++k)
      ranks(static_cast<Index>(order[k])) = static_cast<double>(first + last) / static_cast<double>(n - 1) - 1;
    first = last + 1;
  }
  return ranks;
}

// 1, then for each axis its coordinate and square (sine and cosine where it closes; one indicator per category), then,
// if there are points enough to learn them, the products.
std::vector<double> features_of(const search_space& space, const unit_point& p, bool products) {
  std::vector<double> f{1};
  std::vector<double> plain;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!space.is_ordered_axis(i)) {
      for (std::size_t level = 0; level < space.levels(i); ++level)
        f.push_back(std::floor(p[i] * static_cast<double>(space.levels(i))) == static_cast<double>(level) ? 1 : 0);
    } else if (space.is_periodic(i)) {
      f.push_back(std::sin(2 * std::numbers::pi * p[i]));
      f.push_back(std::cos(2 * std::numbers::pi * p[i]));
    } else {
      plain.push_back(2 * p[i] - 1);
      f.push_back(plain.back());
      f.push_back(plain.back() * plain.back());
    }
  }
  if (products)
    for (std::size_t a = 0; a < plain.size(); ++a)
      for (std::size_t b = 0; b < a; ++b) f.push_back(plain[a] * plain[b]);
  return f;
}

double score_with(const search_space& space, std::span<const observation> told, const VectorXd& ranks, bool products) {
  const auto n = static_cast<Index>(told.size());
  const auto width = static_cast<Index>(features_of(space, told[0].point, products).size());
  MatrixXd x(n, width);
  for (Index k = 0; k < n; ++k) {
    const std::vector<double> f = features_of(space, told[static_cast<std::size_t>(k)].point, products);
    x.row(k) = Eigen::Map<const Eigen::RowVectorXd>(f.data(), width);
  }
  MatrixXd normal = x.transpose() * x;
  normal.diagonal().array() += ridge * static_cast<double>(n) / static_cast<double>(width);
  const Eigen::LDLT<MatrixXd> factor(normal);
  const VectorXd fitted = x * factor.solve(x.transpose() * ranks);
  const MatrixXd hat = factor.solve(x.transpose());
  double left_out = 0;
  for (Index k = 0; k < n; ++k) {
    const double leverage = std::min(x.row(k).dot(hat.col(k)), 0.999);
    const double error = (ranks(k) - fitted(k)) / (1 - leverage);
    left_out += error * error;
  }
  const double total = (ranks.array() - ranks.mean()).square().sum();
  return std::clamp(1 - left_out / total, 0.0, 1.0);
}

} // namespace

std::string_view name_of(landscape_kind kind) { return kind == landscape_kind::structured ? "structured" : "chaotic"; }

landscape classify(const search_space& space, std::span<const observation> told) {
  if (told.size() > most_points) told = told.subspan(told.size() - most_points);
  if (told.size() < space.size() + 3) return {};
  const VectorXd ranks = ranks_of(told);
  if (ranks.maxCoeff() == ranks.minCoeff()) return {};
  const std::size_t n = space.size();
  double score = score_with(space, told, ranks, false);
  if (n > 1 && told.size() >= 2 * (1 + 2 * n + n * (n - 1) / 2))
    score = std::max(score, score_with(space, told, ranks, true));
  return {score >= structured_from ? landscape_kind::structured : landscape_kind::chaotic, score, true};
}

} // namespace homeostat
