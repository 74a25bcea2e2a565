#include "runtime/plants/cache/knobs.hpp"

#include "policies/number_text.hpp"

#include <cmath>
#include <limits>
#include <string>

namespace homeostat::cache {

namespace {

plant_error refused(const knob_fact& fact, const std::string& value) {
  return {"cache service: knob " + std::string(fact.name) + " is " + value + ", expected a " +
          (fact.integer ? "whole number" : "number") + " from " + number_text(fact.minimum) + " to " +
          number_text(fact.maximum) + " " + std::string(fact.unit)};
}

} // namespace

double objective_of(const named_values& metrics) {
  auto metric = [&](const char* name) {
    const auto found = metrics.find(name);
    return found == metrics.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
  };
  return metric("latency_mean_ms") + 20 * metric("stale_ratio") + 300 * metric("error_rate") +
         0.4 * metric("origin_load");
}

std::expected<cache_knobs, plant_error> parse_knobs(const named_values& wanted) {
  std::array<double, knob_facts.size()> values{};
  for (std::size_t i = 0; i < knob_facts.size(); ++i) {
    const auto& fact = knob_facts[i];
    const auto found = wanted.find(std::string(fact.name));
    if (found == wanted.end()) return std::unexpected(refused(fact, "missing"));
    const double v = found->second;
    const bool in_bounds = v >= fact.minimum && v <= fact.maximum; // false for NaN too
    if (!in_bounds || (fact.integer && v != std::floor(v))) return std::unexpected(refused(fact, number_text(v)));
    values[i] = v;
  }
  if (wanted.size() > knob_facts.size()) {
    for (const auto& [name, value] : wanted) {
      bool known = false;
      for (const auto& fact : knob_facts) known = known || fact.name == name;
      if (!known)
        return std::unexpected(plant_error{"cache service: unknown knob " + name + " = " + number_text(value) +
                                           ", expected cache_ttl_ms, workers and batch_size"});
    }
  }
  return cache_knobs{values[0], static_cast<std::size_t>(values[1]), static_cast<std::size_t>(values[2])};
}

named_values named(const cache_knobs& knobs) {
  return {{"cache_ttl_ms", knobs.ttl_ms},
          {"workers", static_cast<double>(knobs.workers)},
          {"batch_size", static_cast<double>(knobs.batch_size)}};
}

} // namespace homeostat::cache
