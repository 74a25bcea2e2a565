#pragma once

#include "actors/interfaces.hpp"
#include "actors/ports.hpp"
#include "actors/time_line.hpp"

#include <deque>
#include <memory>
#include <vector>

namespace homeostat {

struct sensor_settings {
  window_settings windows;
  duration request_timeout{5s};
  time_line time;
};

struct sensor_actor_state {
  static inline const char* name = "sensor";

  /// One receiver of windows. What it has no credit for waits, the oldest giving way.
  struct listener {
    window_listener_actor to;
    std::uint32_t credit{0};
    std::deque<objective_window> waiting;
  };

  sensor_settings settings;
  std::shared_ptr<telemetry_port> port;
  sensor_state core;
  std::vector<listener> listeners;
  std::uint64_t windows{0};
  std::uint64_t digests{0};
  ~sensor_actor_state();
};

/// Validates digests and sums them up into windows (policies/telemetry/window), and sends these on credit to the
/// governor, which watches the objective on its own, and to whoever else asks.
sensor_actor::behavior_type sensor(sensor_actor::stateful_pointer<sensor_actor_state> self, sensor_settings settings,
                                   std::shared_ptr<telemetry_port> port, governor_actor governor);

} // namespace homeostat
