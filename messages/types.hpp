#pragma once

#include "policies/safety/governor.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace homeostat {

/// One batch for the store: its records and the state that goes with them become durable together or not at all.
struct audit_batch {
  std::string loop;
  std::vector<audit_record> records;
  std::string state;  ///< encoded governor state; empty: unchanged
  bool durable{true}; ///< false: an answer from the bounded queue suffices (`audit: queued`)
  friend bool operator==(const audit_batch&, const audit_batch&) = default;
};

struct knob_status {
  std::string name;
  std::string unit;
  double value{0};
  double base{0};
  double baseline{0};
  double min{0};
  double max{0};
  friend bool operator==(const knob_status&, const knob_status&) = default;
};

/// What one loop looks like from outside.
struct loop_status {
  std::string name;
  std::string pool;
  std::string state; ///< starting, running, safe mode, stopping, down
  std::uint64_t generation{0};
  std::uint64_t revision{0};
  std::vector<knob_status> knobs;
  std::vector<std::string> safe_mode_reasons;
  std::optional<double> objective;
  std::uint64_t applied{0};
  std::map<std::string, std::uint64_t> rejected; ///< by violation name
  std::uint64_t rollbacks{0};
  std::uint64_t safe_mode_entries{0};
  std::uint64_t windows{0};
  std::uint64_t digests{0};
  std::map<std::string, std::uint64_t> digest_faults;
  std::string text;
  std::uint64_t restarts{0};
  friend bool operator==(const loop_status&, const loop_status&) = default;
};

/// What the sensor has seen, for the status.
struct sensor_status {
  std::uint64_t windows{0};
  std::uint64_t digests{0};
  std::map<std::string, std::uint64_t> faults;
  friend bool operator==(const sensor_status&, const sensor_status&) = default;
};

} // namespace homeostat
