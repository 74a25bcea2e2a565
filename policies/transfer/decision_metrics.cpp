#include "policies/transfer/decision_metrics.hpp"

#include "policies/transfer/transfer_policy.hpp"

#include <algorithm>
#include <vector>

namespace homeostat {

namespace {

using data_of = transfer_characteristics;
using machine = system_conditions;

std::vector<decision_metric> all_metrics() {
  std::vector<decision_metric> all{
      {"available_memory", [](const data_of&, const machine& m) { return static_cast<double>(m.available_memory); }},
      {"compressed", [](const data_of& d, const machine&) { return d.compressed ? 1.0 : 0.0; }},
      {"cpu_load", [](const data_of&, const machine& m) { return m.cpu_load; }},
      {"data_size", [](const data_of& d, const machine&) { return static_cast<double>(d.data_size); }},
      {"hour", [](const data_of&, const machine& m) { return m.hour; }},
      {"in_flight", [](const data_of&, const machine& m) { return static_cast<double>(m.in_flight); }},
      {"memory_used", [](const data_of&, const machine& m) { return m.memory_used; }},
      {"recent_slowdown", [](const data_of&, const machine& m) { return m.recent_slowdown; }}};
  for (std::size_t i = 0; i < data_type_count; ++i) {
    const auto type = static_cast<data_type>(i);
    all.push_back({"type_" + std::string(name_of(type)),
                   [type](const data_of& d, const machine&) { return d.type == type ? 1.0 : 0.0; }});
  }
  for (std::size_t i = 0; i < data_format_count; ++i) {
    const auto format = static_cast<data_format>(i);
    all.push_back({"format_" + std::string(name_of(format)),
                   [format](const data_of& d, const machine&) { return d.format == format ? 1.0 : 0.0; }});
  }
  std::ranges::sort(all, {}, &decision_metric::name);
  return all;
}

} // namespace

std::span<const decision_metric> decision_metrics() {
  static const std::vector<decision_metric> all = all_metrics();
  return all;
}

std::vector<std::string> decision_metric_names() {
  std::vector<std::string> names;
  for (const decision_metric& metric : decision_metrics()) names.push_back(metric.name);
  return names;
}

} // namespace homeostat
