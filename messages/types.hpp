#pragma once

#include "policies/safety/governor.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace homeostat {

/// One durable state of somebody's own. An empty value erases the key.
struct kept_state {
  std::string key;
  std::string value;
  friend bool operator==(const kept_state&, const kept_state&) = default;
};

/// One batch for the store: its records and the state that goes with them become durable together or not at all.
struct audit_batch {
  std::string loop;
  std::vector<audit_record> records;
  std::string state;              ///< encoded governor state; empty: unchanged
  bool durable{true};             ///< false: an answer from the bounded queue suffices (`audit: queued`)
  std::vector<kept_state> kept{}; ///< other states that become durable with it
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
  std::string last_request;               ///< the authority's last one that came into force
  std::uint64_t last_request_revision{0}; ///< the one it made
  bool request_in_flight{false};          ///< one of the authority is being applied
  std::vector<captured_drift> drifts;     ///< that wait for a review
  friend bool operator==(const loop_status&, const loop_status&) = default;
};

/// What a client of the API asks of the authority. The body is a Protobuf message that goes with the verb.
struct authority_call {
  std::string verb; ///< propose, recommend, plan, ack, approve, reject, withdraw, accept, dismiss, snooze, proposals,
                    ///< proposal, recommendations
  std::string id;   ///< of a proposal or recommendation, where the verb is about one
  std::string actor;
  bool automation{false};   ///< the actor is a program
  bool may_approve{false};  ///< the actor has the role for it
  std::uint64_t version{0}; ///< the version of a proposal that was looked at; 0: any
  std::string body;
  friend bool operator==(const authority_call&, const authority_call&) = default;
};

/// The authority's answer.
struct authority_reply {
  std::uint32_t status{200}; ///< as HTTP means it
  std::string body;          ///< a Protobuf message, where the status is below 300
  std::string problem;       ///< one sentence, where it is not
  friend bool operator==(const authority_reply&, const authority_reply&) = default;
};

/// What the sensor has seen, for the status.
struct sensor_status {
  std::uint64_t windows{0};
  std::uint64_t digests{0};
  std::map<std::string, std::uint64_t> faults;
  friend bool operator==(const sensor_status&, const sensor_status&) = default;
};

} // namespace homeostat
