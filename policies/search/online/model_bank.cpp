#include "policies/search/online/model_bank.hpp"

#include "policies/median.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace homeostat {

namespace {

constexpr double log_floor = 1e-3;        ///< logarithms see nothing below this share of the starting level
constexpr double change_of_chief = 0.5;   ///< log likelihood by which a rival must lead
constexpr double outlier = 3;             ///< deviations from which a measurement's pull stops growing
constexpr double farthest = 1e6;          ///< deviations; beyond this a value says no more
constexpr double tracked_curvature = 3;   ///< noises; least curvature the drift is reckoned with
constexpr double unsettled_curvature = 5; ///< noises; the same after a change

struct hypothesis {
  double speed;
  double turn;
};

bank_member fresh_member(std::size_t d, bool cross, bool logarithmic, hypothesis h, double level, double noise,
                         std::size_t samples, const bank_tuning& tuning) {
  bank_member m{.filter = fresh_filter(d, cross, h.turn > 0),
                .logarithmic = logarithmic,
                .speed = h.speed,
                .turn = h.turn,
                .noise = noise * noise,
                .record = -(cross ? 0.5 : 0.0) - (h.turn > 0 ? 1.0 : 0.0)}; // simple ones first
  quadratic_filter& f = m.filter;
  const auto square = [](double x) { return x * x; };
  f.mean[0] = level;
  f.variance(0) = square(1.5 * noise) / static_cast<double>(samples);
  for (std::size_t i = 0; i < d; ++i) {
    f.variance(f.gradient(i)) = square(tuning.prior_gradient * noise);
    f.mean[f.curvature(i)] = tuning.prior_curvature * noise;
    f.variance(f.curvature(i)) = square(tuning.prior_curvature * noise);
    if (f.moving) f.variance(f.velocity(i)) = square(0.0025 * tuning.prior_curvature * noise);
    if (!f.cross) continue;
    for (std::size_t j = i + 1; j < d; ++j) f.variance(f.coupling(i, j)) = square(0.4 * tuning.prior_curvature * noise);
  }
  return m;
}

/// A step of time: what may have moved becomes less certain.
void let_drift(bank_member& m, const bank_tuning& tuning) {
  quadratic_filter& f = m.filter;
  advance(f);
  const double h = working_curvature(m, tracked_curvature);
  const double pace = m.speed / tuning.medium;
  f.variance(0) += 0.0004 * m.noise * pace * pace;
  const double slope = h * m.speed, bend = 0.01 * h * pace, turn = h * m.turn;
  for (std::size_t i = 0; i < f.dimensions; ++i) {
    f.variance(f.gradient(i)) += slope * slope;
    f.variance(f.curvature(i)) += bend * bend;
    if (f.moving) f.variance(f.velocity(i)) += turn * turn;
  }
}

} // namespace

double modelled(const bank_member& m, double value, double scale) {
  return m.logarithmic ? std::log(std::max(value, log_floor * scale)) : value;
}

double working_curvature(const bank_member& m, double least) {
  return std::max(mean_curvature(m.filter), least * std::sqrt(m.noise));
}

model_bank fresh_bank(std::size_t dimensions, const std::vector<double>& values, double floor,
                      const bank_tuning& tuning) {
  // The middle of the first measurements and their spread, so that one spike among them does not spoil the start.
  const double level = median(values);
  std::vector<double> residuals;
  double squares = 0;
  for (double v : values) {
    squares += (v - level) * (v - level);
    residuals.push_back(std::abs(v - level));
  }
  const double deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  const double noise = std::max({std::min(deviation, 4.5 * median(residuals)), floor, 1e-3 * std::abs(level), 1e-9});
  const bool positive = *std::min_element(values.begin(), values.end()) > 0 && level > 2 * noise;

  model_bank bank;
  bank.scale = std::max(std::abs(level), noise);
  const std::array hypotheses{hypothesis{tuning.slow, 0}, hypothesis{tuning.medium, 0}, hypothesis{tuning.fast, 0},
                              hypothesis{tuning.wander, tuning.gentle_turn},
                              hypothesis{tuning.wander, tuning.sharp_turn}};
  for (const bool logarithmic : {false, true}) {
    if (logarithmic && !positive) continue;
    for (const hypothesis& h : hypotheses)
      for (const bool cross : {false, true}) {
        if (cross && dimensions < 2) continue;
        bank.members.push_back(fresh_member(dimensions, cross, logarithmic, h, logarithmic ? std::log(level) : level,
                                            logarithmic ? noise / level : noise, values.size(), tuning));
      }
  }
  return bank;
}

bank_surprise learn(model_bank& bank, const std::vector<double>& offset, double value, std::optional<double> error,
                    const bank_tuning& tuning) {
  if (value <= 0 && bank.members.back().logarithmic) {
    std::erase_if(bank.members, [](const bank_member& m) { return m.logarithmic; });
    bank.best = std::min(bank.best, bank.members.size() - 1);
  }
  double square_distance = 0;
  for (double v : offset) square_distance += v * v;
  const double misfit = 1 + square_distance * square_distance / std::pow(tuning.locality, 4);

  bank_surprise result;
  for (std::size_t k = 0; k < bank.members.size(); ++k) {
    bank_member& m = bank.members[k];
    let_drift(m, tuning);
    const filter_forecast at = forecast(m.filter, offset);
    const double unit = m.logarithmic ? std::max(value, log_floor * bank.scale) : 1.0; // d value / d modelled
    const double noise = std::max(m.noise, error ? (*error / unit) * (*error / unit) : 0.0);
    const double spread = at.variance + noise * misfit;
    const double reach = farthest * std::sqrt(spread);
    const double surprise = std::clamp(modelled(m, value, bank.scale) - at.value, -reach, reach);
    const double deviations = std::abs(surprise) / std::sqrt(spread);
    // Heavy tails in the likelihood: one spike must not depose a good model.
    m.record = tuning.memory * m.record - 0.5 * std::log(spread) - 2.5 * std::log1p(deviations * deviations / 4) -
               std::log(unit);
    if (k == bank.best) result.deviations = surprise / std::sqrt(spread);
    const double bounded = std::min(deviations, outlier);
    // As far as the spread is noise, and not the model's own doubt, the residual tells how loud the noise is.
    m.noise *= 1 + tuning.noise_rate * (m.noise / spread) * (bounded * bounded - 1);
    m.noise = std::max(m.noise, m.logarithmic ? 1e-18 : 1e-18 * bank.scale * bank.scale);
    absorb(m.filter, at, surprise, spread * std::max(1.0, deviations / outlier));
  }
  std::size_t leader = 0;
  for (std::size_t k = 1; k < bank.members.size(); ++k)
    if (bank.members[k].record > bank.members[leader].record) leader = k;
  if (bank.members[leader].record > bank.chief().record + change_of_chief) bank.best = leader;
  return result;
}

void move_centre(model_bank& bank, const std::vector<double>& by, const bank_tuning& tuning) {
  for (bank_member& m : bank.members) {
    move_centre(m.filter, by);
    const double h = tuning.shape_change * working_curvature(m, tracked_curvature);
    for (std::size_t i = 0; i < by.size(); ++i) {
      m.filter.variance(m.filter.curvature(i)) += 0.1 * h * h * by[i] * by[i];
      m.filter.variance(m.filter.gradient(i)) += h * h * std::pow(by[i], 4);
    }
  }
}

void expect_change(model_bank& bank, double share, const bank_tuning& tuning) {
  for (bank_member& m : bank.members) {
    quadratic_filter& f = m.filter;
    const double h = working_curvature(m, unsettled_curvature);
    const double slope = h * tuning.shift_gradient, bend = h * tuning.shift_curvature;
    f.variance(0) += tuning.shift_level * tuning.shift_level * m.noise;
    for (std::size_t i = 0; i < f.dimensions; ++i) {
      f.variance(f.gradient(i)) += share * slope * slope;
      f.variance(f.curvature(i)) += share * bend * bend;
    }
  }
}

void set_level(model_bank& bank, double level) {
  for (bank_member& m : bank.members) {
    const double value = modelled(m, level, bank.scale);
    if (std::abs(value - m.filter.mean[0]) > 4 * std::sqrt(m.noise)) m.filter.mean[0] = value;
  }
}

void restart_at(model_bank& bank, const std::vector<double>& by, double level, const bank_tuning& tuning) {
  for (bank_member& m : bank.members) {
    quadratic_filter& f = m.filter;
    move_centre(f, by);
    reset_level(f, modelled(m, level, bank.scale), m.noise);
    const double slope = 1.35 * tuning.shift_gradient * working_curvature(m, unsettled_curvature);
    for (std::size_t i = 0; i < f.dimensions; ++i) f.variance(f.gradient(i)) += slope * slope;
  }
}

double noise_at(const model_bank& bank, double level) {
  const double deviation = std::sqrt(bank.chief().noise);
  return bank.chief().logarithmic ? deviation * std::max(level, 0.0) : deviation;
}

double level_at_centre(const bank_member& m) { return m.logarithmic ? std::exp(m.filter.mean[0]) : m.filter.mean[0]; }

} // namespace homeostat
