#pragma once

#include "actors/ports.hpp"
#include "actors/time_line.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/objective.hpp"
#include "runtime/hotpath/spsc_ring.hpp"
#include "runtime/node/port_worker.hpp"
#include "runtime/node/rule_metrics.hpp"
#include "runtime/ports/plant.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace homeostat {

/// A plant as the node uses it: both sides of one system.
struct plant {
  std::shared_ptr<plant_sensor> sensor;
  std::shared_ptr<plant_actuator> actuator;
};

/// The actuator port over a plant: a thread of its own, values by name outside and in knob order inside.
class plant_actuator_port final : public actuator_port {
public:
  plant_actuator_port(std::shared_ptr<plant_actuator> target, std::vector<std::string> knobs, duration patience);
  void apply(actuation wanted, std::function<void(actuation_answer)> done) override;
  void read_back(std::function<void(actuation_answer)> done) override;

private:
  [[nodiscard]] actuation_answer answer_of(std::uint64_t ticket,
                                           const std::expected<named_values, plant_error>& result) const;

  std::shared_ptr<plant_actuator> target_;
  std::vector<std::string> knobs_;
  duration patience_;
  port_worker worker_{4};
};

/// The telemetry port over a plant: reads it every interval on a thread of its own, turns each reading into a digest,
/// and keeps these in a fixed ring until the sensor takes them.
class plant_telemetry_port final : public telemetry_port {
public:
  /// @param rules  takes every reading too.
  /// @param report  called with one sentence when a reading fails, and with an empty one when the next succeeds again.
  plant_telemetry_port(std::shared_ptr<plant_sensor> source, objective target, duration interval, duration patience,
                       time_line time, std::function<void(std::string)> report,
                       std::shared_ptr<rule_metrics> rules = nullptr);
  ~plant_telemetry_port() override;

  std::optional<telemetry_digest> pop() override;
  void on_ready(std::function<void()> wake) override;
  void set_live_generation(std::uint64_t generation) override {
    generation_.store(generation, std::memory_order_release);
  }

  /// Begins to read. Before this call the ring stays empty.
  void start();
  void stop();
  [[nodiscard]] std::uint64_t evicted() const { return ring_.evicted(); }

private:
  void run();
  void read_once(std::uint64_t generation_before);
  void wake();

  std::shared_ptr<plant_sensor> source_;
  objective objective_;
  const duration interval_;
  const duration patience_;
  const time_line time_;
  std::function<void(std::string)> report_;
  std::shared_ptr<rule_metrics> rules_; ///< nothing: no rule asks for metrics
  bool failing_{false};

  spsc_ring<telemetry_digest, 256> ring_;
  std::uint64_t sequence_{0};
  std::atomic<std::uint64_t> generation_{0};
  std::mutex wake_mutex_;
  std::function<void()> wake_;
  std::atomic<bool> woken_{false}; ///< a wake-up is under way: one is enough for the whole ring

  std::mutex mutex_;
  std::condition_variable stop_signal_;
  bool stopping_{false};
  std::thread thread_;
};

} // namespace homeostat
