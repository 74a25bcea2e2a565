#include "tests/actors/loops.hpp"

namespace homeostat::testing {

knob_spec percent_knob(std::string name) {
  knob_spec knob;
  knob.name = std::move(name);
  knob.min = 0;
  knob.max = 100;
  knob.initial = 50;
  return knob;
}

governor_settings governor_of(const std::string& loop, time_line time, bool watch) {
  governor_settings settings;
  settings.config.loop = loop;
  settings.config.knobs = {percent_knob("x"), percent_knob("y")};
  settings.config.limits = guardrails_of(preset::balanced);
  settings.config.rollback = rollback_of(preset::balanced);
  settings.config.watch_telemetry = watch;
  settings.pool = "pool";
  settings.time = time;
  return settings;
}

loop_setup loop_of(const std::string& loop, time_line time, std::shared_ptr<actuator_port> actuator,
                   std::shared_ptr<telemetry_port> telemetry) {
  loop_setup setup;
  setup.governor = governor_of(loop, time, true);
  setup.sensor.time = time;
  setup.proposer.loop = loop;
  setup.proposer.engine.knobs = setup.governor.config.knobs;
  setup.proposer.engine.limits = setup.governor.config.limits;
  setup.proposer.seed = 7;
  setup.proposer.time = time;
  setup.supervision.strategy = restart_strategy::rest_for_one;
  setup.actuator = std::move(actuator);
  setup.telemetry = std::move(telemetry);
  return setup;
}

proposal update_to(knob_values values, std::uint64_t generation, std::uint64_t revision) {
  proposal p;
  p.kind = proposal_kind::update;
  p.id = 1;
  p.base_generation = generation;
  p.base_revision = revision;
  p.values = values;
  p.source = "test";
  return p;
}

recorder_actor spawn_recorder(caf::actor_system& system, std::shared_ptr<recording> into) {
  return system.spawn([into](recorder_actor::pointer) -> recorder_actor::behavior_type {
    return {[into](const live_configuration& live) { into->live.push_back(live); },
            [into](const objective_window& window) { into->windows.push_back(window); }};
  });
}

} // namespace homeostat::testing
