#pragma once

#include "runtime/plants/cache/cache_service.hpp"
#include "runtime/plants/cache/traffic_source.hpp"

#include <memory>

namespace homeostat::cache {

/// What of the embedded demo can be set.
struct demo_settings {
  double rate_scale{1}; ///< factor on every arrival rate, > 0
  duration cycle{24'000'000};
  std::uint64_t seed{1};
  bool with_control{false}; ///< a second service with the shipped knobs, on the same traffic
};

/// The embedded demo service with its origin and its traffic, and beside it, on the same traffic, a control instance
/// that keeps the static default. Runs from construction to destruction.
class cache_demo {
public:
  explicit cache_demo(const demo_settings& settings);
  ~cache_demo();
  cache_demo(const cache_demo&) = delete;
  cache_demo& operator=(const cache_demo&) = delete;

  [[nodiscard]] cache_service& tuned() { return tuned_.service; }
  /// @returns the control instance, nullptr without one.
  [[nodiscard]] cache_service* control() { return control_ ? &control_->service : nullptr; }
  [[nodiscard]] traffic_conditions conditions() const { return traffic_->conditions(); }

private:
  struct instance {
    explicit instance(const plant_clock& clock) : source({}, clock), service({}, {}, source, clock) {}
    slow_origin source;
    cache_service service;
  };

  steady_plant_clock clock_;
  instance tuned_;
  std::unique_ptr<instance> control_;
  std::unique_ptr<traffic_source> traffic_; ///< last: it feeds both
};

} // namespace homeostat::cache
