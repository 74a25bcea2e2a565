#include "policies/search/classify.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <algorithm>
#include <array>
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

constexpr double structured_from = 0.3;
constexpr std::size_t most_points = 256;
/// Of the mean squared length of the features: from hardly any noise to much, or far more features than points.
constexpr std::array<double, 3> ridges{1e-3, 1e-2, 1e-1};

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

// For each axis its coordinate and square (sine and cosine where it closes; one indicator per category); `plain` gets
// the coordinates whose products make sense.
VectorXd features_of(const search_space& space, const unit_point& p, std::vector<double>& plain) {
  std::vector<double> f;
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
  return Eigen::Map<const VectorXd>(f.data(), static_cast<Index>(f.size()));
}

// Inner products of the points' features; with `products` also those of every two coordinates, which here cost nothing:
// the sum over pairs is half of the square of the sum less the squares.
MatrixXd kernel_of(const search_space& space, std::span<const observation> told, bool products) {
  const auto n = static_cast<Index>(told.size());
  std::vector<VectorXd> features;
  std::vector<VectorXd> plain;
  for (const observation& o : told) {
    std::vector<double> coordinates;
    features.push_back(features_of(space, o.point, coordinates));
    plain.emplace_back(Eigen::Map<const VectorXd>(coordinates.data(), static_cast<Index>(coordinates.size())));
  }
  MatrixXd k(n, n);
  for (Index a = 0; a < n; ++a)
    for (Index b = 0; b <= a; ++b) {
      const auto i = static_cast<std::size_t>(a);
      const auto j = static_cast<std::size_t>(b);
      double sum = 1 + features[i].dot(features[j]);
      if (products) {
        const VectorXd both = plain[i].cwiseProduct(plain[j]);
        sum += (both.sum() * both.sum() - both.squaredNorm()) / 2;
      }
      k(a, b) = k(b, a) = sum;
    }
  return k;
}

// Share of the ranks' variance that a ridge regression foretells at left-out points.
double score_with(const MatrixXd& kernel, const VectorXd& ranks, double ridge) {
  const Index n = ranks.size();
  MatrixXd c = kernel;
  c.diagonal().array() += ridge * kernel.trace() / static_cast<double>(n);
  const MatrixXd inverse = Eigen::LLT<MatrixXd>(c).solve(MatrixXd::Identity(n, n));
  const VectorXd errors = (inverse * ranks).array() / inverse.diagonal().array();
  return 1 - errors.squaredNorm() / (ranks.array() - ranks.mean()).square().sum();
}

} // namespace

std::string_view name_of(landscape_kind kind) { return kind == landscape_kind::structured ? "structured" : "chaotic"; }

landscape classify(const search_space& space, std::span<const observation> told) {
  if (told.size() > most_points) told = told.subspan(told.size() - most_points);
  if (told.size() < space.size() + 3) return {};
  const VectorXd ranks = ranks_of(told);
  if (ranks.maxCoeff() == ranks.minCoeff()) return {};
  double score = 0;
  for (const bool products : {false, true}) {
    if (products && space.size() == 1) continue;
    const MatrixXd kernel = kernel_of(space, told, products);
    for (const double ridge : ridges) score = std::max(score, score_with(kernel, ranks, ridge));
  }
  return {score >= structured_from ? landscape_kind::structured : landscape_kind::chaotic, score, true};
}

} // namespace homeostat
