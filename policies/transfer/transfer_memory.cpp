// What a pool learned, out of the learner and back into one.
#include "policies/transfer/transfer_memory.hpp"

#include "policies/number_text.hpp"
#include "policies/transfer/transfer_learner.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <tuple>

namespace homeostat {

namespace {

constexpr std::uint64_t most_counted = std::uint64_t{1} << 62U; ///< more than any pool counts

/// Collects the first thing that is wrong.
class checker {
public:
  void number(const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high))
      wrong(name, number_text(value), number_text(low) + " to " + number_text(high));
  }
  void count(const char* name, std::uint64_t value, std::uint64_t most) {
    if (value > most) wrong(name, std::to_string(value), "at most " + std::to_string(most));
  }
  /// @param place  of something of which there is one each.
  template <class Place> void once(const char* name, std::set<Place>& seen, const Place& place) {
    if (!seen.insert(place).second) wrong(name, "there twice", "once");
  }
  [[nodiscard]] std::expected<void, std::string> result() const {
    if (problem_.empty()) return {};
    return std::unexpected(problem_);
  }

private:
  void wrong(const char* name, const std::string& value, const std::string& expected) {
    if (problem_.empty()) problem_ = std::string(name) + " is " + value + ", expected " + expected;
  }
  std::string problem_;
};

void check_place(checker& c, pressure under, std::optional<data_type> type, std::optional<transfer_method> method,
                 std::optional<std::uint32_t> size_class) {
  c.count("pressure", static_cast<std::uint64_t>(under), pressure_count - 1);
  if (type) c.count("type", static_cast<std::uint64_t>(*type), data_type_count - 1);
  if (method) c.count("method", static_cast<std::uint64_t>(*method), transfer_method_count - 1);
  if (size_class) c.count("size class", *size_class, cost_class_count - 1);
}

} // namespace

// ---- costs --------------------------------------------------------------------------------------------------------

learned_costs cost_table::learned() const {
  learned_costs out;
  for (std::size_t p = 0; p < pressure_count; ++p) {
    const auto under = static_cast<pressure>(p);
    out.recorded[p] = recorded_[p];
    for (const transfer_method method : transfer_methods) {
      const alarm& last = last_alarm_[p][static_cast<std::size_t>(method)];
      if (last.factor != 1) out.alarms.push_back({under, method, last.at, last.factor});
      for (std::size_t t = 0; t < data_type_count; ++t)
        for (std::size_t c = 0; c < cost_class_count; ++c) {
          const cell& one = at(under, static_cast<data_type>(t), method)[c];
          if (one.weight > 0)
            out.cells.push_back({under, static_cast<data_type>(t), method, static_cast<std::uint32_t>(c), one.weight,
                                 one.last, one.latency, one.square, one.cpu, one.memory, one.run_sum, one.run});
        }
    }
  }
  return out;
}

std::expected<void, std::string> check(const learned_costs& costs) {
  checker c;
  for (const std::uint64_t count : costs.recorded) c.count("recorded", count, most_counted);
  std::set<std::tuple<pressure, data_type, transfer_method, std::uint32_t>> cells;
  for (const learned_cost& one : costs.cells) {
    check_place(c, one.under, one.type, one.method, one.size_class);
    if (auto wrong = c.result(); !wrong) return wrong; // an index that is none is not to be used as one
    c.once("a cell", cells, {one.under, one.type, one.method, one.size_class});
    c.number("weight", one.weight, std::numeric_limits<double>::min(), cost_table::memory_of_a_cell);
    c.count("last", one.last, costs.recorded[static_cast<std::size_t>(one.under)]);
    c.number("latency", one.latency, std::numeric_limits<double>::min(), most_measured);
    c.number("square", one.square, 0, 100 * most_measured * most_measured); // e to the variance is at most 76
    c.number("cpu", one.cpu, 0, most_measured);
    c.number("memory", one.memory, 0, most_measured);
    c.number("run_sum", one.run_sum, 0, most_measured);
    c.number("run", one.run, -cost_table::longest_run, cost_table::longest_run);
  }
  std::set<std::tuple<pressure, transfer_method>> alarms;
  for (const learned_alarm& one : costs.alarms) {
    check_place(c, one.under, std::nullopt, one.method, std::nullopt);
    if (auto wrong = c.result(); !wrong) return wrong;
    c.once("an alarm", alarms, {one.under, one.method});
    c.count("at", one.at, costs.recorded[static_cast<std::size_t>(one.under)]);
    c.number("factor", one.factor, 1 / most_measured, most_measured);
  }
  return c.result();
}

void cost_table::learn_again(const learned_costs& costs) {
  *this = cost_table();
  recorded_ = costs.recorded;
  for (const learned_cost& one : costs.cells) {
    used_[index(one.under, one.type, one.method)] = true;
    at(one.under, one.type,
       one.method)[one.size_class] = {one.weight, one.last,   one.latency, one.square,
                                      one.cpu,    one.memory, one.run_sum, static_cast<std::int8_t>(one.run)};
  }
  for (const learned_alarm& one : costs.alarms)
    last_alarm_[static_cast<std::size_t>(one.under)][static_cast<std::size_t>(one.method)] = {one.at, one.factor};
}

// ---- the learner --------------------------------------------------------------------------------------------------

transfer_memory transfer_learner::memory() const {
  transfer_memory m;
  m.costs = costs_.learned();
  m.slowdown = slowdown_;
  m.generation = generation_;
  for (std::size_t t = 0; t < data_type_count; ++t)
    m.performance[t] = thresholds_.performance_factor(static_cast<data_type>(t));
  for (std::size_t p = 0; p < pressure_count; ++p) {
    const auto under = static_cast<pressure>(p);
    const auto keep = [&](const account& a, std::optional<std::uint32_t> size_class) {
      const account now = settled(a);
      if (now.time_us > 0 || now.loss_us > 0) m.accounts.push_back({under, size_class, now.time_us, now.loss_us});
    };
    keep(pool_account_[p], std::nullopt);
    for (std::uint32_t c = 0; c < cost_class_count; ++c) {
      keep(accounts_[p][c], c);
      for (std::size_t t = 0; t < data_type_count; ++t)
        if (const promise& one = promises_[p][t][c]; one.tries > 0)
          m.promises.push_back({under, static_cast<data_type>(t), c, one.method, one.tries});
    }
  }
  return m;
}

std::expected<void, std::string> check(const transfer_memory& m) {
  if (auto costs = check(m.costs); !costs) return costs;
  checker c;
  for (const double factor : m.performance) c.number("performance", factor, 1 / most_measured, most_measured);
  std::set<std::tuple<pressure, data_type, std::uint32_t>> promises;
  for (const kept_promise& one : m.promises) {
    check_place(c, one.under, one.type, one.method, one.size_class);
    c.once("a promise", promises, {one.under, one.type, one.size_class});
    c.count("tries", one.tries, transfer_learner::tries_after_a_promise);
  }
  std::set<std::tuple<pressure, std::optional<std::uint32_t>>> accounts;
  for (const kept_account& one : m.accounts) {
    check_place(c, one.under, std::nullopt, std::nullopt, one.size_class);
    c.once("an account", accounts, {one.under, one.size_class});
    c.number("time_us", one.time_us, 0, most_measured);
    c.number("loss_us", one.loss_us, 0, most_measured);
  }
  c.number("slowdown", m.slowdown, 0.1, 10);
  c.count("generation", m.generation, most_counted);
  return c.result();
}

std::expected<void, std::string> transfer_learner::remember(const transfer_memory& m, instant now) {
  if (auto sound = check(m); !sound) return sound;
  costs_.learn_again(m.costs);
  thresholds_.remember(m.performance, policy_, now);
  promises_ = {};
  for (const kept_promise& one : m.promises)
    promises_[static_cast<std::size_t>(one.under)][static_cast<std::size_t>(one.type)][one.size_class] = {
        one.method, static_cast<std::uint8_t>(one.tries)};
  accounts_ = {};
  pool_account_ = {};
  for (const kept_account& one : m.accounts) {
    const auto p = static_cast<std::size_t>(one.under);
    (one.size_class ? accounts_[p][*one.size_class] : pool_account_[p]) = {totals_.transfers, one.time_us, one.loss_us};
  }
  slowdown_ = m.slowdown;
  generation_ = std::max(generation_, m.generation) + 1; // outcomes of before the restart belong to another one
  return {};
}

} // namespace homeostat
