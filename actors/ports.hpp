#pragma once

#include "messages/types.hpp"
#include "policies/telemetry/digest.hpp"

#include <expected>
#include <functional>
#include <optional>
#include <string>

namespace homeostat {

// What the actors need done outside, implemented in runtime/. No call here blocks. A port answers by calling `done`
// exactly once, from any thread, possibly before the call returns. Ports outlive the actors that use them.

/// Audit and durable state. Reads need not see writes that have not been answered yet (actors/ordered_store waits for
/// them).
class store_port {
public:
  virtual ~store_port() = default;
  /// Makes a batch durable, all or nothing: its records, and its state (if not empty) under the key "governor/" + loop.
  /// Batches become durable in the order they came.
  /// @returns false if the bounded queue is full: nothing was taken and `done` is never called.
  virtual bool submit(audit_batch batch, std::function<void(audit_answer)> done) = 0;
  /// Writes one state under a key; last write wins. Same result as submit.
  virtual bool save(std::string key, std::string value, std::function<void(audit_answer)> done) = 0;
  using loaded = std::expected<std::optional<std::string>, std::string>;
  /// Reads one state: the value, nothing if there is none, or why it could not be read.
  virtual void load(std::string key, std::function<void(loaded)> done) = 0;
};

/// Changes one plant. At most one call is open at a time (actors/serial_actuator sees to that).
class actuator_port {
public:
  virtual ~actuator_port() = default;
  /// Applies all knobs and waits until they are in force; the answer carries what was read back.
  virtual void apply(actuation wanted, std::function<void(actuation_answer)> done) = 0;
  virtual void read_back(std::function<void(actuation_answer)> done) = 0;
};

/// Hands over digests of one plant from a fixed ring (oldest evicted, counted).
class telemetry_port {
public:
  virtual ~telemetry_port() = default;
  [[nodiscard]] virtual std::optional<telemetry_digest> pop() = 0;
  /// Sets who is told when the ring is no longer empty: once until the next time pop() returned nothing. Empty: nobody.
  virtual void on_ready(std::function<void()> wake) = 0;
  /// The generation that is in force from now on, for stamping digests.
  virtual void set_live_generation(std::uint64_t generation) = 0;
};

/// What is learned from transfers, of one pool or of the whole node. Does not block: memory only; trainings and files
/// are a thread's of their own.
class transfer_port {
public:
  virtual ~transfer_port() = default;
  /// Takes in what was reported since the last call and publishes what follows from it.
  virtual void learn(instant now) = 0;
  /// It failed too often and is called no more: from now on its pools do without. Throws nothing.
  virtual void abandoned(const std::string& why) = 0;
};

} // namespace homeostat
