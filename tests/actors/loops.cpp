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
  return system.spawn(
      [](recorder_actor::pointer, const std::shared_ptr<recording>& to) -> recorder_actor::behavior_type {
        return {[to](const live_configuration& live) { to->live.push_back(live); },
                [to](const objective_window& window) { to->windows.push_back(window); }};
      },
      std::move(into));
}

namespace {

struct owing_state {
  static inline const char* name = "scripted-governor";
  std::vector<caf::response_promise> never_answered;
};

caf::result<proposal_verdict> answer(governor_actor::stateful_pointer<owing_state> self, governor_script& script,
                                     const proposal& p) {
  script.proposals.push_back(p);
  auto promise = self->make_response_promise<proposal_verdict>();
  if (!script.answers_proposals) {
    self->state.never_answered.push_back(promise);
    return promise;
  }
  live_configuration& live = script.live;
  ++live.generation;
  live.values = p.values;
  if (!is_probe(p.kind)) ++live.revision, live.base = p.values;
  for (const auto& listener : script.listeners) self->send(listener, live);
  promise.deliver(proposal_verdict{
      .proposal_id = p.id,
      .accepted =
          receipt{.generation = live.generation, .revision = live.revision, .applied_at = {}, .values = p.values},
      .refused = std::nullopt});
  return promise;
}

governor_actor::behavior_type scripted_governor(governor_actor::stateful_pointer<owing_state> self,
                                                std::shared_ptr<governor_script> script) {
  return {
      [=](const objective_window& window) { script->windows.push_back(window); },
      [=](const proposal& p) { return answer(self, *script, p); },
      [](const operator_command&) { return command_result{}; },
      [=](listen_atom, const live_listener_actor& listener) -> caf::result<live_configuration> {
        script->listeners.push_back(listener);
        if (script->answers_listeners) return script->live;
        auto promise = self->make_response_promise<live_configuration>();
        self->state.never_answered.push_back(promise);
        return promise;
      },
      [](status_atom) { return loop_status{}; },
      [](stop_atom, bool) { return true; },
      [](giveup_atom, const std::string&) {},
      [](look_atom, std::uint64_t) {},
  };
}

} // namespace

governor_actor spawn_governor(caf::actor_system& system, std::shared_ptr<governor_script> script) {
  return system.spawn(scripted_governor, std::move(script));
}

sensor_actor spawn_sensor(caf::actor_system& system, std::shared_ptr<sensor_script> script) {
  return system.spawn(
      [](sensor_actor::pointer, const std::shared_ptr<sensor_script>& to) -> sensor_actor::behavior_type {
        return {[](const live_configuration&) {},
                [to](credit_atom, const window_listener_actor&, std::uint32_t credit) { to->credit += credit; },
                [](status_atom) { return sensor_status{}; }, [](wake_atom) {}};
      },
      std::move(script));
}

objective_window window_of(std::uint64_t generation, double mean, instant end) {
  objective_window window;
  window.generation = generation;
  window.begin = end - 500ms;
  window.end = end;
  window.digests = 5;
  window.samples = 50;
  window.mean = mean;
  window.variance = 0.01;
  return window;
}

} // namespace homeostat::testing
