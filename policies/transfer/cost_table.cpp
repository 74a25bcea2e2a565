#include "policies/transfer/cost_table.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr double age_scale = 300; ///< transfers of the pool after which evidence weighs a quarter
constexpr double made_old = 0.1;  ///< weight kept by what is no longer to be believed
constexpr double surprise_ratio = 1.5;
/// ... and more than this many standard deviations off: what varies by a factor of two surprises nobody by one.
constexpr double surprise_spreads = 2;
constexpr int surprises_in_a_row = cost_table::longest_run;
constexpr std::uint64_t alarm_span = 200; ///< transfers between two surprised cells that belong together
constexpr double largest_speed_up = 0.1;  ///< that is believed of cells not measured
constexpr double outlier_ratio = 8;       ///< one preempted transfer must not drown thirty

/// Weights of neighbours at 0, 1, 2 ... half octaves; of other types; of other pressure.
constexpr std::array<double, 7> reach{1, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015};
constexpr double from_other_type = 0.1;
constexpr double from_other_pressure = 0.03;
/// Neighbours together count as at most this many transfers: a cell's own evidence soon outweighs them.
constexpr double most_borrowed = 4;

/// @returns the share of a weight that is left after some transfers.
double ageing(std::uint64_t now, std::uint64_t then) {
  const double scaled = 1 + static_cast<double>(now - then) / age_scale;
  return 1 / (scaled * scaled);
}

/// @returns a ratio as check() accepts it, and the sum of a few: whatever was reported, what is learned can be kept.
double keepable(double ratio) {
  constexpr double least = 10 / most_measured;
  return ratio >= least ? std::min(ratio, most_measured / 10) : least; // also of what is no number
}

struct sums {
  double weight{0}, known{0}, latency{0}, square{0}, cpu{0}, memory{0};

  template <typename Cell> void add(const Cell& from, double share, std::uint64_t now) {
    if (from.weight <= 0) return;
    const double w = share * from.weight * ageing(now, from.last);
    known += share * from.weight;
    weight += w;
    latency += w * from.latency;
    square += w * from.square;
    cpu += w * from.cpu;
    memory += w * from.memory;
  }
  void add_at_most(const sums& other, double limit) {
    if (other.weight <= 0) return;
    const double share = std::min(1.0, limit / other.weight);
    known += other.known;
    weight += share * other.weight;
    latency += share * other.latency;
    square += share * other.square;
    cpu += share * other.cpu;
    memory += share * other.memory;
  }
};

} // namespace

method_cost prior_cost(transfer_method method, std::uint64_t size) noexcept {
  const auto bytes = static_cast<double>(size);
  if (method == transfer_method::grpc) return {100 + 5e-3 * bytes, 50 + 4.5e-3 * bytes, 4096 + 3 * bytes, 0, 0};
  return {700 + 0.15e-3 * bytes, 100 + 0.02e-3 * bytes, 4096 + bytes, 500, 200};
}

cost_table::cost_table()
    : cells_(pressure_count * data_type_count * transfer_method_count), used_(cells_.size(), false) {}

void cost_table::clear() {
  std::fill(cells_.begin(), cells_.end(), row{});
  std::fill(used_.begin(), used_.end(), false);
}

bool cost_table::measured(data_type type) const {
  for (std::size_t p = 0; p < pressure_count; ++p)
    for (const transfer_method m : transfer_methods)
      if (used_[index(static_cast<pressure>(p), type, m)]) return true;
  return false;
}

std::size_t cost_table::index(pressure under, data_type type, transfer_method method) noexcept {
  return (static_cast<std::size_t>(under) * data_type_count + static_cast<std::size_t>(type)) * transfer_method_count +
         static_cast<std::size_t>(method);
}

double cost_table::cell::spread() const { return std::sqrt(std::max(0.0, std::log(square / (latency * latency)))); }

double cost_table::learn(cell& into, std::uint64_t now, double latency, double cpu, double memory) {
  double changed = 1;
  if (into.weight > 0) into.weight *= ageing(now, into.last);
  into.last = now;
  if (into.weight >= surprises_in_a_row) {
    const double off = std::log(latency / into.latency);
    const double usual = std::max(std::log(surprise_ratio), surprise_spreads * into.spread());
    const int direction = off > usual ? 1 : off < -usual ? -1 : 0;
    if (direction == 0 || into.run * direction < 0) {
      into.run = 0;
      into.run_sum = 0;
    }
    if (direction != 0) {
      into.run = static_cast<std::int8_t>(into.run + direction);
      into.run_sum += latency;
      if (std::abs(into.run) >= surprises_in_a_row) {
        const double recent = into.run_sum / surprises_in_a_row;
        changed = keepable(recent / into.latency);
        into = cell{};
        into.last = now;
        into.weight = surprises_in_a_row - 1;
        into.latency = recent;
        into.square = recent * recent;
        into.cpu = cpu;
        into.memory = memory;
        ++surprises_;
      }
    }
  }
  if (into.weight > 0) latency = std::clamp(latency, into.latency / outlier_ratio, outlier_ratio * into.latency);
  into.weight = std::min(into.weight + 1, memory_of_a_cell);
  const double pull = 1 / into.weight;
  if (into.weight > 1) {
    const double off = std::log(latency / into.latency);
    const double spread = into.spread();
    into.latency *= std::exp(pull * off);
    into.square = into.latency * into.latency * std::exp((1 - pull) * (spread * spread + pull * off * off));
  } else {
    into.latency = latency;
    into.square = latency * latency;
  }
  into.cpu += pull * (cpu - into.cpu);
  into.memory += pull * (memory - into.memory);
  return changed;
}

void cost_table::age(pressure under, transfer_method method, double factor) {
  for (std::size_t t = 0; t < data_type_count; ++t)
    for (cell& one : at(under, static_cast<data_type>(t), method)) {
      one.weight *= made_old;
      one.latency *= factor;
      one.square *= factor * factor;
    }
}

void cost_table::record(const transfer_metrics& done, pressure under) {
  const std::uint64_t size = done.data.data_size;
  const std::size_t c = cost_class_of(size);
  const auto type =
      static_cast<data_type>(std::min<std::size_t>(static_cast<std::size_t>(done.data.type), data_type_count - 1));
  double latency = done.latency_us;
  if (done.failed) latency += estimate(under, type, c, other(done.method), size).cost.latency_us;
  if (!std::isfinite(latency) || latency <= 0) return;
  const method_cost prior = prior_cost(done.method, size);
  used_[index(under, type, done.method)] = true;
  const std::uint64_t now = ++recorded_[static_cast<std::size_t>(under)];
  const double changed = learn(at(under, type, done.method)[c], now, keepable(latency / prior.latency_us),
                               keepable(done.cpu_time_us / prior.cpu_time_us),
                               keepable(static_cast<double>(done.memory_used) / prior.memory));
  if (changed == 1) return;
  alarm& last = last_alarm_[static_cast<std::size_t>(under)][static_cast<std::size_t>(done.method)];
  if ((last.factor - 1) * (changed - 1) > 0 && now - last.at <= alarm_span) {
    const cell measured = at(under, type, done.method)[c]; // what has just been measured is not old
    age(under, done.method, std::clamp(std::sqrt(changed * last.factor), largest_speed_up, 1.0));
    at(under, type, done.method)[c] = measured;
    last = {};
  } else {
    last = {now, changed};
  }
}

cost_estimate cost_table::estimate(pressure under, data_type type, std::size_t c, transfer_method method,
                                   std::uint64_t size) const {
  sums total;
  total.add(at(under, type, method)[c], 1, recorded_[static_cast<std::size_t>(under)]);
  sums near;
  for (std::size_t p = 0; p < pressure_count; ++p) {
    const double same_pressure = p == static_cast<std::size_t>(under) ? 1 : from_other_pressure;
    for (std::size_t t = 0; t < data_type_count; ++t) {
      if (!used_[index(static_cast<pressure>(p), static_cast<data_type>(t), method)]) continue;
      const bool here = p == static_cast<std::size_t>(under) && t == static_cast<std::size_t>(type);
      const double share = same_pressure * (t == static_cast<std::size_t>(type) ? 1 : from_other_type);
      const row& cells = at(static_cast<pressure>(p), static_cast<data_type>(t), method);
      for (std::size_t d = here ? 1 : 0; d < reach.size(); ++d) {
        if (c >= d) near.add(cells[c - d], share * reach[d], recorded_[p]);
        if (d > 0 && c + d < cost_class_count) near.add(cells[c + d], share * reach[d], recorded_[p]);
      }
    }
  }
  total.add_at_most(near, most_borrowed);

  cost_estimate result{prior_cost(method, size), total.weight, total.known, 1};
  if (total.weight <= 0) return result;
  const double latency = total.latency / total.weight;
  const double excess = std::log(total.square / total.weight / (latency * latency));
  result.spread = std::max(0.05, std::sqrt(std::max(0.0, excess))); // never quite certain
  result.cost.latency_us *= latency;
  result.cost.setup_overhead_us *= latency;
  result.cost.cleanup_overhead_us *= latency;
  result.cost.cpu_time_us *= total.cpu / total.weight;
  result.cost.memory *= total.memory / total.weight;
  return result;
}

} // namespace homeostat