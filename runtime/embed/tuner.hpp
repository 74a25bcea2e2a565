#pragma once

#include "runtime/hotpath/knob.hpp"
#include "runtime/hotpath/knob_registry.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

namespace homeostat {

/// How a service wants its knobs tuned.
struct tuner_options {
  std::string name{"service"}; ///< of the loop, [a-z][a-z0-9-]*
  std::string store{};         ///< file of the audit trail and the durable state; its folder must exist
  std::string minimize{};      ///< formula over the metrics reported, for example "latency_mean_ms + 100 * error_rate"
  std::string constraint{};    ///< "error_rate <= 0.01"; empty: none
  std::string guardrails{"balanced"};                                 ///< conservative, balanced or aggressive
  std::string strategy{"spsa"};                                       ///< adaptive or spsa
  std::chrono::microseconds interval{std::chrono::milliseconds(100)}; ///< between two digests
  std::uint64_t seed{42};
  std::string api{}; ///< "127.0.0.1:8421" to serve the HTTP API; empty: no API
};

/// Tunes the knobs of the service it lives in: sensor, strategy, governor and audit run on threads of their own, and
/// the service only reads knobs and reports what it does.
///
///   homeostat::knob_registry registry;
///   homeostat::knob<int> batch{registry, {.name = "batch_size", .min = 1, .max = 64, .initial = 16}};
///   auto tuner = homeostat::tuner::start(registry, {.store = "service.db", .minimize = "latency_mean_ms"});
///   ... batch.get() wherever a constant stood; (*tuner)->record(latency, ok) after each request
class tuner {
public:
  /// Seals the registry and starts. The registry must outlive the tuner.
  /// @returns the running tuner, or one sentence on what is wrong with the options.
  [[nodiscard]] static std::expected<std::unique_ptr<tuner>, std::string> start(knob_registry& registry,
                                                                                const tuner_options& options);
  virtual ~tuner() = default;

  /// Reports one operation of the service. Thread-safe, wait-free but for the latency histogram's own counters.
  /// Gives the metrics requests, latency_mean_ms, latency_p99_ms, throughput_per_s and error_rate of each interval.
  virtual void record(std::chrono::nanoseconds latency, bool ok = true) = 0;
  /// Sets a metric of the service's own, for use in the formula. It keeps its value until set again.
  virtual void set_metric(const std::string& name, double value) = 0;

  /// Freezes the knobs at their base point, or goes on.
  virtual void pause(const std::string& reason) = 0;
  virtual void resume() = 0;
  /// Back to the initial values, now.
  virtual void rollback(const std::string& reason) = 0;

  /// Stops in order, within 5 s; the knobs keep their base point. The destructor does the same.
  virtual void stop() = 0;
};

} // namespace homeostat
