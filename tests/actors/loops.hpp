#pragma once

#include "actors/group_supervisor.hpp"
#include "tests/actors/actor_world.hpp"
#include "tests/actors/doubles.hpp"

namespace homeostat::testing {

/// A continuous knob from 0 to 100, linear, at 50.
[[nodiscard]] knob_spec percent_knob(std::string name = "x");

/// One loop over two such knobs under the balanced preset. @param watch  whether silence of the telemetry freezes it.
[[nodiscard]] governor_settings governor_of(const std::string& loop, time_line time, bool watch = false);

/// All of one loop's actors over these ports.
[[nodiscard]] loop_setup loop_of(const std::string& loop, time_line time, std::shared_ptr<actuator_port> actuator,
                                 std::shared_ptr<telemetry_port> telemetry);

/// A proposal that is up to date in a loop that has just started: generation 1, revision 1.
[[nodiscard]] proposal update_to(knob_values values, std::uint64_t generation = 1, std::uint64_t revision = 1);

/// Gives an actor what a recorder hears: live configurations and windows.
struct recording {
  std::vector<live_configuration> live;
  std::vector<objective_window> windows;
};
using recorder_actor = caf::typed_actor<caf::reacts_to<live_configuration>, caf::reacts_to<objective_window>>;

/// An actor that writes down what it is sent.
[[nodiscard]] recorder_actor spawn_recorder(caf::actor_system& system, std::shared_ptr<recording> into);

/// A governor that does what a test wrote down.
struct governor_script {
  live_configuration live{.generation = 1,
                          .revision = 1,
                          .applied_at = {},
                          .values = {50, 50},
                          .base = {50, 50},
                          .frozen = false,
                          .baseline = {50, 50}};
  bool answers_listeners{true};
  bool answers_proposals{true};
  std::vector<proposal> proposals;
  std::vector<objective_window> windows;
  std::vector<live_listener_actor> listeners;
};
/// Every proposal it answers comes into force as it is.
[[nodiscard]] governor_actor spawn_governor(caf::actor_system& system, std::shared_ptr<governor_script> script);

/// A sensor that only counts the credit it is given.
struct sensor_script {
  std::uint32_t credit{0};
};
[[nodiscard]] sensor_actor spawn_sensor(caf::actor_system& system, std::shared_ptr<sensor_script> script);

/// A window of `mean` that ends at `end`.
[[nodiscard]] objective_window window_of(std::uint64_t generation, double mean, instant end = {});

} // namespace homeostat::testing
