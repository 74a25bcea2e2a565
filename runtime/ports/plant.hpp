#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <string>

namespace homeostat {

/// Values by knob or metric name. Ordered, so that iteration never depends on hashing.
using named_values = std::map<std::string, double>;

/// What a plant reported about one interval.
struct reading {
  instant begin;                 ///< start of the interval the metrics describe
  instant end;                   ///< end of that interval, not before begin
  std::uint64_t sample_count{0}; ///< operations observed in the interval; 0 means "nothing happened"
  named_values metrics;          ///< by name; units are part of the name (latency_p99_ms, throughput_per_s)
};

/// What went wrong at the edge to a plant, in the caller's terms.
struct plant_error {
  std::string what; ///< one sentence: what, where, the value, what was expected
};

/// Reads a live system. Calls may block for as long as `patience`; they are made from a port thread, never from an
/// actor.
class plant_sensor {
public:
  virtual ~plant_sensor() = default;

  /// Reads the metrics of the interval since the previous call.
  /// @param now  the time of the call on the loop's time line.  @param patience  how long the call may block, > 0.
  /// @returns the reading; an error when the plant does not answer in time or answers nonsense.
  virtual std::expected<reading, plant_error> read(instant now, duration patience) = 0;
};

/// Changes a live system. Same threading rule as plant_sensor.
class plant_actuator {
public:
  virtual ~plant_actuator() = default;

  /// Applies a full set of knob values and waits until they are in force.
  /// @param wanted  one value per knob, by name, in the knob's unit.  @param patience  how long to wait, > 0.
  /// @returns the values read back from the plant once they are in force (not what was asked for);
  ///          an error when the plant refused, died, or did not settle in time: then nothing is known about its values.
  virtual std::expected<named_values, plant_error> apply(const named_values& wanted, duration patience) = 0;

  /// @returns the values in force now, by knob name.
  virtual std::expected<named_values, plant_error> read_back(duration patience) = 0;
};

} // namespace homeostat
