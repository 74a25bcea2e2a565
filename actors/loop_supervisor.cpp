#include "actors/loop_supervisor.hpp"

#include "actors/actuator.hpp"
#include "actors/serial_actuator.hpp"

#include <algorithm>

namespace homeostat {

namespace {

using self_ptr = loop_supervisor_actor::stateful_pointer<loop_supervisor_state>;

constexpr duration request_timeout = 2s;
// A child ends at its next message. One that is stuck in a handler costs twice this much, after the stop timeout.
constexpr duration child_shutdown = 500ms;

// Timer tokens count from 1: this one tells the supervisor to start its children in the form that is due now.
constexpr std::uint64_t new_form_token = 0;

child_spec actuator_child(self_ptr self) {
  return {.name = "actuator", .restart = child_restart::permanent, .shutdown = child_shutdown, .spawn = [self] {
            self->state.actuator = self->spawn(actuator, self->state.setup.actuator);
            return caf::actor_cast<caf::actor>(self->state.actuator);
          }};
}

child_spec governor_child(self_ptr self) {
  return {.name = "governor", .restart = child_restart::permanent, .shutdown = child_shutdown, .spawn = [self] {
            auto& s = self->state;
            governor_settings settings = s.setup.governor;
            if (s.given_up) settings.config.watch_telemetry = false; // a caretaker has no sensor
            s.governor = self->spawn(governor, std::move(settings), s.audit, s.actuator);
            if (s.given_up) self->send(s.governor, giveup_atom::value, *s.given_up);
            return caf::actor_cast<caf::actor>(s.governor);
          }};
}

child_spec sensor_child(self_ptr self) {
  return {.name = "sensor", .restart = child_restart::permanent, .shutdown = child_shutdown, .spawn = [self] {
            auto& s = self->state;
            s.sensor = self->spawn(sensor, s.setup.sensor, s.setup.telemetry, s.governor);
            return caf::actor_cast<caf::actor>(s.sensor);
          }};
}

child_spec proposer_child(self_ptr self) {
  return {.name = "proposer", .restart = child_restart::permanent, .shutdown = child_shutdown, .spawn = [self] {
            auto& s = self->state;
            return caf::actor_cast<caf::actor>(self->spawn(proposer, s.setup.proposer, s.audit, s.governor, s.sensor));
          }};
}

/// All children, or the loop's last form: only a governor, frozen, and the actuator it needs to put the plant at rest.
void start_children(self_ptr self) {
  auto& s = self->state;
  if (s.ending || s.kids.any_runs()) return;
  s.sensor = nullptr;
  s.kids.clear();
  s.kids.add(actuator_child(self));
  s.kids.add(governor_child(self));
  if (!s.given_up) {
    s.kids.add(sensor_child(self));
    if (s.setup.searches) s.kids.add(proposer_child(self));
  }
  s.kids.start_all();
}

void on_gave_up(self_ptr self, std::string why) {
  auto& s = self->state;
  if (s.given_up) {
    *s.given_up += "; its caretaker gave up too: " + why;
    return;
  }
  s.given_up = std::move(why);
  self->send(self, start_atom::value, new_form_token);
}

/// A loop that is thawed by a person is started in full again.
void revive_if_thawed(self_ptr self) {
  auto& s = self->state;
  if (!s.given_up || s.kids.gave_up() || s.ending) return;
  self->request(s.governor, request_timeout, status_atom::value)
      .then(
          [self](const loop_status& status) {
            auto& state = self->state;
            const auto& reasons = status.safe_mode_reasons;
            const bool held = std::ranges::find(reasons, name_of(safe_mode_reason::restart_intensity)) != reasons.end();
            if (held || !state.given_up || state.ending) return;
            state.given_up.reset();
            state.kids.stop_all([self] { self->send(self, start_atom::value, new_form_token); });
          },
          [](const caf::error&) {});
}

caf::result<command_result> pass_on(self_ptr self, const operator_command& command) {
  auto& s = self->state;
  if (s.kids.gave_up() && s.given_up && command.action == operator_action::reset_safe_mode) {
    // Not even the caretaker runs: a person's reset gives it another chance.
    self->send(self, start_atom::value, new_form_token);
    return command_result{.ok = false,
                          .text = "the loop was down; its governor starts again, reset once more when it runs"};
  }
  const auto owed = owe<command_result>(self);
  self->request(s.governor, request_timeout, command)
      .then(
          [self, owed](command_result& result) {
            owed->deliver(std::move(result));
            revive_if_thawed(self);
          },
          [owed](const caf::error& reason) { owed->fail(reason); });
  return owed->promise();
}

caf::result<proposal_verdict> pass_on(self_ptr self, const proposal& p) {
  const auto owed = owe<proposal_verdict>(self);
  const auto& governor = self->state.setup.governor;
  self->request(self->state.governor, governor.apply_timeout + governor.audit_timeout + request_timeout, p)
      .then([owed](proposal_verdict& verdict) { owed->deliver(std::move(verdict)); },
            [owed](const caf::error& reason) { owed->fail(reason); });
  return owed->promise();
}

/// The governor's and the sensor's parts, asked for side by side.
struct status_parts {
  loop_status status;
  sensor_status seen;
  std::shared_ptr<owed_answer<loop_status>> owed;
  int open{2};
};

void finish_status(self_ptr self, status_parts& parts) {
  if (--parts.open > 0) return;
  auto& s = self->state;
  loop_status& status = parts.status;
  status.name = s.setup.governor.config.loop;
  status.pool = s.setup.governor.pool;
  status.windows = parts.seen.windows;
  status.digests = parts.seen.digests;
  status.digest_faults = parts.seen.faults;
  status.restarts = s.kids.restarts();
  if (s.given_up)
    status.text = *s.given_up;
  else if (!s.kids.last_failure().empty())
    status.text = "last restart: " + s.kids.last_failure();
  parts.owed->deliver(std::move(status));
}

caf::result<loop_status> collect_status(self_ptr self) {
  auto& s = self->state;
  const auto parts = std::make_shared<status_parts>();
  parts->owed = owe<loop_status>(self);
  parts->status.state = "down";
  const auto done = [self, parts] { finish_status(self, *parts); };
  self->request(s.governor, request_timeout, status_atom::value)
      .then([done, parts](loop_status& status) { parts->status = std::move(status), done(); },
            [done](const caf::error&) { done(); });
  if (s.sensor)
    self->request(s.sensor, request_timeout, status_atom::value)
        .then([done, parts](sensor_status& seen) { parts->seen = std::move(seen), done(); },
              [done](const caf::error&) { done(); });
  else
    done();
  return parts->owed->promise();
}

/// The change in flight first, then the children in reverse order. Whoever ends meanwhile is not started again.
caf::result<bool> stop(self_ptr self) {
  auto& s = self->state;
  auto promise = self->make_response_promise<bool>();
  s.stoppers.add(promise);
  if (std::exchange(s.ending, true)) return promise;
  const auto end_children = [self](bool clean) {
    self->state.kids.stop_all([self, clean] {
      self->state.stoppers.answer_all(clean);
      self->quit();
    });
  };
  s.kids.hold();
  self->request(s.governor, s.setup.stop_timeout, stop_atom::value, s.setup.revert_on_exit)
      .then([end_children](bool recorded) { end_children(recorded); },
            [end_children](const caf::error&) { end_children(false); });
  return promise;
}

} // namespace

loop_supervisor_actor::behavior_type loop_supervisor(self_ptr self, loop_setup setup, audit_sink_actor audit) {
  auto& s = self->state;
  s.setup = std::move(setup);
  s.setup.actuator = one_call_at_a_time(std::move(s.setup.actuator));
  if (s.setup.supervision.strategy == restart_strategy::one_for_one)
    s.setup.supervision.strategy = restart_strategy::rest_for_one;
  s.audit = std::move(audit);
  end_on_exception(self);
  // Told to end without an ordered stop: the plant stays as it is, but nobody is left behind.
  self->set_exit_handler([self](const caf::exit_msg& message) {
    self->state.ending = true;
    self->state.kids.stop_all([self, reason = message.reason] { self->quit(reason); });
  });
  const auto timer = [self](duration wait, std::uint64_t token) {
    self->delayed_send(self, wait, start_atom::value, token);
  };
  s.kids.set_up(self, s.setup.supervision, s.setup.proposer.seed, s.setup.governor.time, timer,
                [self](std::string why) { on_gave_up(self, std::move(why)); });
  start_children(self);
  return {
      [self](const operator_command& command) { return pass_on(self, command); },
      [self](status_atom) { return collect_status(self); },
      [self](const proposal& p) { return pass_on(self, p); },
      [self](stop_atom) { return stop(self); },
      [self](start_atom, std::uint64_t token) {
        if (token == new_form_token)
          start_children(self);
        else
          self->state.kids.on_timer(token);
      },
  };
}

} // namespace homeostat
