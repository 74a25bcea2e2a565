#include "policies/search/cma_es.hpp"

#include "policies/search/normal.hpp"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace homeostat {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::uint64_t cma_stream = 0x20;

double reflected(double u) {
  const double fold = std::abs(std::remainder(u, 2.0));
  return fold; // remainder is in -1..1: 0..1 stays, 1..2 comes back
}

} // namespace

cma_search::cma_search(const search_space& space, cma_settings settings)
    : space_(&space), settings_(std::move(settings)), rng_(settings_.seed, cma_stream) {
  program_ = run();
}

cma_search::run_state cma_search::fresh(std::size_t population, const VectorXd& mean) const {
  const Index n = mean.size();
  const auto d = static_cast<double>(n);
  run_state s;
  s.population = population;
  const auto parents = static_cast<Index>(population / 2);
  s.weights.resize(parents);
  for (Index i = 0; i < parents; ++i)
    s.weights(i) = std::log(0.5 * (static_cast<double>(population) + 1)) - std::log(static_cast<double>(i) + 1);
  s.weights /= s.weights.sum();
  s.effective = 1 / s.weights.squaredNorm();
  s.c_sigma = (s.effective + 2) / (d + s.effective + 5);
  s.d_sigma = 1 + 2 * std::max(0.0, std::sqrt((s.effective - 1) / (d + 1)) - 1) + s.c_sigma;
  s.c_c = (4 + s.effective / d) / (d + 4 + 2 * s.effective / d);
  s.c_1 = 2 / ((d + 1.3) * (d + 1.3) + s.effective);
  s.c_mu = std::min(1 - s.c_1, 2 * (s.effective - 2 + 1 / s.effective) / ((d + 2) * (d + 2) + s.effective));
  s.expected_norm = std::sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
  s.mean = mean;
  s.path_sigma = s.path_c = VectorXd::Zero(n);
  s.axes_length = VectorXd::Ones(n);
  s.covariance = s.axes = MatrixXd::Identity(n, n);
  s.sigma = settings_.deviation;
  return s;
}

void cma_search::draw(const run_state& s, std::vector<VectorXd>& steps, std::vector<unit_point>& points) {
  steps.assign(s.population, VectorXd(s.mean.size()));
  points.assign(s.population, unit_point(space_->size()));
  for (std::size_t k = 0; k < s.population; ++k) {
    VectorXd z(s.mean.size());
    for (double& value : z) value = normal(rng_);
    const VectorXd wanted = s.mean + s.sigma * (s.axes * s.axes_length.cwiseProduct(z));
    VectorXd place = wanted;
    for (Index i = 0; i < place.size(); ++i) {
      const auto axis = static_cast<std::size_t>(i);
      if (!space_->is_periodic(axis)) place(i) = reflected(place(i));
      points[k][axis] = space_->inside(axis, place(i));
    }
    steps[k] = (place - s.mean) / s.sigma;
  }
}

void cma_search::adapt(run_state& s, const std::vector<VectorXd>& steps, const std::vector<double>& values) {
  const Index n = s.mean.size();
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(values[i], i); });
  VectorXd shift = VectorXd::Zero(n);
  MatrixXd spread = MatrixXd::Zero(n, n);
  for (Index i = 0; i < s.weights.size(); ++i) {
    const VectorXd& y = steps[order[static_cast<std::size_t>(i)]];
    shift += s.weights(i) * y;
    spread += s.weights(i) * y * y.transpose();
  }
  s.mean += s.sigma * shift;
  const VectorXd whitened = s.axes * (s.axes.transpose() * shift).cwiseQuotient(s.axes_length);
  s.path_sigma = (1 - s.c_sigma) * s.path_sigma + std::sqrt(s.c_sigma * (2 - s.c_sigma) * s.effective) * whitened;
  ++s.generation;
  const double faded = 1 - std::pow(1 - s.c_sigma, 2 * static_cast<double>(s.generation));
  const bool moving =
      s.path_sigma.norm() / std::sqrt(faded) < (1.4 + 2 / (static_cast<double>(n) + 1)) * s.expected_norm;
  s.path_c = (1 - s.c_c) * s.path_c;
  if (moving) s.path_c += std::sqrt(s.c_c * (2 - s.c_c) * s.effective) * shift;
  const double lost = moving ? 0 : s.c_c * (2 - s.c_c);
  s.covariance =
      (1 - s.c_1 - s.c_mu + s.c_1 * lost) * s.covariance + s.c_1 * s.path_c * s.path_c.transpose() + s.c_mu * spread;
  s.sigma *= std::exp(std::min(1.0, s.c_sigma / s.d_sigma * (s.path_sigma.norm() / s.expected_norm - 1)));
  const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(0.5 * (s.covariance + s.covariance.transpose()));
  s.axes = eigen.eigenvectors();
  s.axes_length = eigen.eigenvalues().cwiseMax(1e-20).cwiseSqrt();
}

search_program cma_search::run() {
  const std::size_t n = space_->size();
  std::size_t population = 4 + static_cast<std::size_t>(3 * std::log(static_cast<double>(n)));
  VectorXd mean = Eigen::Map<const VectorXd>(settings_.start.data(), static_cast<Index>(n));
  std::vector<VectorXd> steps;
  std::vector<unit_point> points;
  while (true) {
    run_state s = fresh(population, mean);
    double best = 0;
    std::uint64_t idle = 0;
    const std::uint64_t patience = 10 + 30 * n / population;
    while (true) {
      draw(s, steps, points);
      const std::vector<double> values = co_await evaluate_group(points);
      adapt(s, steps, values);
      const double lowest = std::ranges::min(values);
      idle = s.generation == 1 || lowest < best ? 0 : idle + 1;
      best = s.generation == 1 ? lowest : std::min(best, lowest);
      const double reach = s.sigma * s.axes_length.maxCoeff();
      const bool sound = std::isfinite(reach) && s.axes_length.maxCoeff() < 1e7 * s.axes_length.minCoeff();
      if (!sound || reach < settings_.last_deviation || idle >= patience) break;
    }
    ++restarts_;
    population = std::min(2 * population, settings_.largest_population);
    for (double& value : mean) value = rng_.uniform();
  }
}

} // namespace homeostat
