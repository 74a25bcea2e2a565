#pragma once

#include "actors/actuator.hpp"
#include "actors/audit_sink.hpp"
#include "actors/governor.hpp"
#include "actors/ordered_store.hpp"
#include "actors/serial_actuator.hpp"
#include "tests/actors/actor_world.hpp"
#include "tests/actors/doubles.hpp"
#include "tests/actors/loops.hpp"

namespace homeostat::testing {

/// A governor of two knobs at 50 with its audit sink and actuator over fake ports.
class governor_rig : public actor_world {
protected:
  governor_rig() : settings(governor_of("web", time)) {}

  /// Starts all three and lets the governor recover.
  void start() {
    sink = system.spawn(audit_sink, reads_after_writes(store));
    start_on_this_sink();
  }
  void start_on_this_sink() {
    plant_actor = system.spawn(actuator, line);
    governor_handle = system.spawn(governor, settings, sink, plant_actor);
    settle();
  }
  /// Ends governor and actuator as a crash would, and starts others. Store, plant and the calls open there live on.
  void restart() {
    end(governor_handle, caf::exit_reason::kill);
    end(plant_actor, caf::exit_reason::kill);
    start_on_this_sink();
  }
  void TearDown() override {
    end(governor_handle);
    end(plant_actor);
    end(sink);
    governor_handle = nullptr, plant_actor = nullptr, sink = nullptr;
    actor_world::TearDown();
  }

  auto propose(const proposal& p) {
    auto answer = ask<proposal_verdict>(governor_handle, p);
    settle();
    return answer;
  }
  /// A change that goes through, a second later than the last.
  void change_to(knob_values values, proposal_kind kind = proposal_kind::update) {
    advance(1s, 500ms);
    const loop_status now_live = status();
    proposal p = update_to(values, now_live.generation, now_live.revision);
    p.kind = kind;
    const auto verdict = propose(p);
    ASSERT_TRUE(verdict->value && verdict->value->accepted) << text_of(values);
  }
  command_result command(operator_action action, knob_values values = {}, std::string text = {}) {
    const auto answer = ask<command_result>(
        governor_handle,
        operator_command{
            .action = action, .actor = "ada", .text = std::move(text), .values = values, .override_bounds = false});
    settle();
    return answer->value.value_or(command_result{.ok = false, .text = "no answer"});
  }
  loop_status status() {
    const auto answer = ask<loop_status>(governor_handle, status_atom::value);
    settle();
    return answer->value.value_or(loop_status{});
  }
  auto stop(bool revert = false) {
    auto answer = ask<bool>(governor_handle, stop_atom::value, revert);
    settle();
    return answer;
  }
  void send_window(double mean, std::uint64_t generation) {
    caf::anon_send(governor_handle, window_of(generation, mean, now()));
    settle();
  }

  std::shared_ptr<journal> log = std::make_shared<journal>();
  std::shared_ptr<fake_store> store = std::make_shared<fake_store>(log);
  std::shared_ptr<fake_actuator> plant = std::make_shared<fake_actuator>(knob_values{50, 50}, log);
  std::shared_ptr<actuator_port> line = one_call_at_a_time(plant);
  governor_settings settings;
  audit_sink_actor sink;
  actuator_actor plant_actor;
  governor_actor governor_handle;
};

} // namespace homeostat::testing
