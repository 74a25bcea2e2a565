#include "policies/search/online/quadratic_filter.hpp"

#include <algorithm>

namespace homeostat {

namespace {

/// coefficient[to] += factor * coefficient[from], with the covariance that follows from it.
void add_coefficient(quadratic_filter& f, std::size_t to, std::size_t from, double factor) {
  const std::size_t n = f.size();
  f.mean[to] += factor * f.mean[from];
  for (std::size_t k = 0; k < n; ++k) f.covariance[to * n + k] += factor * f.covariance[from * n + k];
  for (std::size_t k = 0; k < n; ++k) f.covariance[k * n + to] += factor * f.covariance[k * n + from];
}

std::vector<double> features(const quadratic_filter& f, std::span<const double> v) {
  std::vector<double> x(f.size(), 0.0);
  x[0] = 1;
  for (std::size_t i = 0; i < f.dimensions; ++i) {
    x[f.gradient(i)] = v[i];
    x[f.curvature(i)] = 0.5 * v[i] * v[i];
    if (!f.cross) continue;
    for (std::size_t j = i + 1; j < f.dimensions; ++j) x[f.coupling(i, j)] = v[i] * v[j];
  }
  return x;
}

} // namespace

std::size_t quadratic_filter::coupling(std::size_t i, std::size_t j) const {
  const std::size_t a = std::min(i, j), b = std::max(i, j);
  return 1 + 2 * dimensions + a * dimensions - a * (a + 1) / 2 + (b - a - 1);
}

quadratic_filter fresh_filter(std::size_t dimensions, bool cross, bool moving) {
  quadratic_filter f;
  f.dimensions = dimensions;
  f.cross = cross && dimensions > 1;
  f.moving = moving;
  const std::size_t n =
      1 + 2 * dimensions + (f.cross ? dimensions * (dimensions - 1) / 2 : 0) + (moving ? dimensions : 0);
  f.mean.assign(n, 0.0);
  f.covariance.assign(n * n, 0.0);
  return f;
}

filter_forecast forecast(const quadratic_filter& f, std::span<const double> offset) {
  const std::size_t n = f.size();
  const std::vector<double> x = features(f, offset);
  filter_forecast at;
  at.gain.assign(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    const double* row = f.covariance.data() + i * n;
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += row[j] * x[j];
    at.gain[i] = sum;
    at.value += x[i] * f.mean[i];
    at.variance += x[i] * sum;
  }
  at.variance = std::max(at.variance, 0.0);
  return at;
}

void absorb(quadratic_filter& f, const filter_forecast& at, double surprise, double spread) {
  const std::size_t n = f.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double k = at.gain[i] / spread;
    f.mean[i] += k * surprise;
    double* row = f.covariance.data() + i * n;
    for (std::size_t j = 0; j < n; ++j) row[j] -= k * at.gain[j];
  }
}

void advance(quadratic_filter& f) {
  if (!f.moving) return;
  for (std::size_t i = 0; i < f.dimensions; ++i) add_coefficient(f, f.gradient(i), f.velocity(i), 1.0);
}

void move_centre(quadratic_filter& f, std::span<const double> by) {
  const std::size_t d = f.dimensions;
  for (std::size_t i = 0; i < d; ++i) {
    if (by[i] == 0) continue;
    add_coefficient(f, 0, f.gradient(i), by[i]);
    add_coefficient(f, 0, f.curvature(i), 0.5 * by[i] * by[i]);
    if (!f.cross) continue;
    for (std::size_t j = i + 1; j < d; ++j)
      if (by[j] != 0) add_coefficient(f, 0, f.coupling(i, j), by[i] * by[j]);
  }
  for (std::size_t i = 0; i < d; ++i) {
    if (by[i] != 0) add_coefficient(f, f.gradient(i), f.curvature(i), by[i]);
    if (!f.cross) continue;
    for (std::size_t j = 0; j < d; ++j)
      if (j != i && by[j] != 0) add_coefficient(f, f.gradient(i), f.coupling(i, j), by[j]);
  }
}

void reset_level(quadratic_filter& f, double level, double variance) {
  const std::size_t n = f.size();
  f.mean[0] = level;
  for (std::size_t k = 0; k < n; ++k) f.covariance[k] = f.covariance[k * n] = 0;
  f.covariance[0] = variance;
}

double mean_curvature(const quadratic_filter& f) {
  double sum = 0;
  for (std::size_t i = 0; i < f.dimensions; ++i) sum += std::max(f.mean[f.curvature(i)], 0.0);
  return f.dimensions == 0 ? 0 : sum / static_cast<double>(f.dimensions);
}

std::vector<double> hessian(const quadratic_filter& f, std::span<const double> coefficients) {
  const std::size_t d = f.dimensions;
  std::vector<double> h(d * d, 0.0);
  for (std::size_t i = 0; i < d; ++i) {
    h[i * d + i] = coefficients[f.curvature(i)];
    if (!f.cross) continue;
    for (std::size_t j = 0; j < d; ++j)
      if (j != i) h[i * d + j] = coefficients[f.coupling(i, j)];
  }
  return h;
}

std::vector<double> box_minimum(std::span<const double> g, std::span<const double> h, std::span<const double> low,
                                std::span<const double> high) {
  constexpr int sweeps = 12; // enough for a trust box: the point is a trial, not a solution
  const std::size_t d = low.size();
  std::vector<double> v(d, 0.0);
  for (int sweep = 0; sweep < sweeps; ++sweep)
    for (std::size_t i = 0; i < d; ++i) {
      double slope = g[i];
      for (std::size_t j = 0; j < d; ++j)
        if (j != i) slope += h[i * d + j] * v[j];
      const double bend = h[i * d + i];
      const auto at = [&](double x) { return slope * x + 0.5 * bend * x * x; };
      if (bend > 1e-12)
        v[i] = std::clamp(-slope / bend, low[i], high[i]);
      else
        v[i] = at(low[i]) < at(high[i]) ? low[i] : high[i];
    }
  return v;
}

} // namespace homeostat
