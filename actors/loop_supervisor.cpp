#include "actors/loop_supervisor.hpp"

#include "actors/actuator.hpp"

#include <caf/send.hpp>

namespace homeostat {

namespace {

using self_ptr = loop_supervisor_actor::stateful_pointer<loop_supervisor_state>;

constexpr duration request_timeout = 2s;

child_spec actuator_child(self_ptr self) {
  return {.name = "actuator", .restart = child_restart::permanent, .shutdown = 1s, .spawn = [self] {
            self->state.actuator = self->spawn(actuator, self->state.setup.actuator);
            return caf::actor_cast<caf::actor>(self->state.actuator);
          }};
}

child_spec governor_child(self_ptr self) {
  return {.name = "governor", .restart = child_restart::permanent, .shutdown = 1s, .spawn = [self] {
            auto& s = self->state;
            s.governor = self->spawn(governor, s.setup.governor, s.audit, s.actuator);
            return caf::actor_cast<caf::actor>(s.governor);
          }};
}

child_spec sensor_child(self_ptr self) {
  return {.name = "sensor", .restart = child_restart::permanent, .shutdown = 1s, .spawn = [self] {
            auto& s = self->state;
            s.sensor = self->spawn(sensor, s.setup.sensor, s.setup.telemetry, s.governor);
            return caf::actor_cast<caf::actor>(s.sensor);
          }};
}

child_spec proposer_child(self_ptr self) {
  return {.name = "proposer", .restart = child_restart::permanent, .shutdown = 1s, .spawn = [self] {
            auto& s = self->state;
            return caf::actor_cast<caf::actor>(self->spawn(proposer, s.setup.proposer, s.audit, s.governor, s.sensor));
          }};
}

void set_up_children(self_ptr self, std::function<void(std::string)> gave_up) {
  auto& s = self->state;
  const auto timer = [self](duration wait, std::uint64_t token) {
    self->delayed_send(self, wait, start_atom::value, token);
  };
  s.kids.set_up(self, s.setup.supervision, s.setup.proposer.seed, s.setup.governor.time, timer, std::move(gave_up));
}

// Timer tokens count from 1: this one tells the supervisor to take its last form, outside the call that gave up.
constexpr std::uint64_t caretaker_token = 0;

/// The loop's last form: only a governor, frozen, and the actuator it needs to put the plant at rest.
void become_caretaker(self_ptr self) {
  auto& s = self->state;
  s.sensor = nullptr;
  s.kids = {};
  set_up_children(self, [self](const std::string& reason) { *self->state.given_up += "; caretaker gave up: " + reason; });
  s.kids.add(actuator_child(self));
  s.kids.add(governor_child(self));
  s.kids.start_all();
  self->send(s.governor, giveup_atom::value, *s.given_up);
}

void answer_stoppers(self_ptr self, bool clean) {
  for (auto& promise : std::exchange(self->state.stoppers, {})) promise.deliver(clean);
  self->quit();
}

/// No new proposals, then the change in flight, then the children in reverse order.
void stop(self_ptr self) {
  auto& s = self->state;
  const auto end_children = [self](bool clean) {
    self->state.kids.stop_all([self, clean] { answer_stoppers(self, clean); });
  };
  if (!s.governor) return end_children(false);
  self->request(s.governor, s.setup.stop_timeout, stop_atom::value, s.setup.revert_on_exit)
      .then([end_children](bool) { end_children(true); }, [end_children](const caf::error&) { end_children(false); });
}

caf::result<loop_status> collect_status(self_ptr self) {
  auto& s = self->state;
  auto promise = self->make_response_promise<loop_status>();
  auto finish = [self, promise](loop_status status, const sensor_status& seen) mutable {
    auto& state = self->state;
    status.name = state.setup.governor.config.loop;
    status.pool = state.setup.governor.pool;
    status.windows = seen.windows;
    status.digests = seen.digests;
    status.digest_faults = seen.faults;
    status.restarts = state.kids.restarts();
    if (state.given_up) status.text = *state.given_up;
    promise.deliver(std::move(status));
  };
  auto with_sensor = [self, finish](loop_status status) mutable {
    if (!self->state.sensor) return finish(std::move(status), {});
    self->request(self->state.sensor, request_timeout, status_atom::value)
        .then([finish, status](const sensor_status& seen) mutable { finish(std::move(status), seen); },
              [finish, status](const caf::error&) mutable { finish(std::move(status), {}); });
  };
  loop_status down;
  down.state = "down";
  if (!s.governor) with_sensor(down);
  else
    self->request(s.governor, request_timeout, status_atom::value)
        .then([with_sensor](loop_status& status) mutable { with_sensor(std::move(status)); },
              [with_sensor, down](const caf::error&) mutable { with_sensor(down); });
  return promise;
}

} // namespace

loop_supervisor_actor::behavior_type loop_supervisor(self_ptr self, loop_setup setup, audit_sink_actor audit) {
  auto& s = self->state;
  s.setup = std::move(setup);
  s.audit = std::move(audit);
  on_end(self, [self](const caf::error& reason) {
    for (auto& promise : std::exchange(self->state.stoppers, {})) promise.deliver(reason);
    // An exit without an ordered stop still leaves nobody behind.
    for (std::size_t i = self->state.kids.size(); i-- > 0;)
      if (auto child = self->state.kids.handle(i)) caf::anon_send_exit(child, caf::exit_reason::user_shutdown);
  });
  set_up_children(self, [self](std::string why) {
    self->state.given_up = std::move(why);
    self->send(self, start_atom::value, caretaker_token);
  });
  s.kids.add(actuator_child(self));
  s.kids.add(governor_child(self));
  s.kids.add(sensor_child(self));
  s.kids.add(proposer_child(self));
  s.kids.start_all();
  return {
      [self](const operator_command& command) -> caf::result<command_result> {
        auto promise = self->make_response_promise<command_result>();
        if (!self->state.governor) promise.deliver(command_result{.ok = false, .text = "the loop is down"});
        else
          self->request(self->state.governor, request_timeout, command)
              .then([promise](command_result& result) mutable { promise.deliver(std::move(result)); },
                    [promise, self](const caf::error& reason) mutable {
                      promise.deliver(command_result{.ok = false, .text = "no answer from the governor: " + self->system().render(reason)});
                    });
        return promise;
      },
      [self](status_atom) { return collect_status(self); },
      [self](stop_atom) -> caf::result<bool> {
        auto promise = self->make_response_promise<bool>();
        self->state.stoppers.push_back(promise);
        if (self->state.stoppers.size() == 1) stop(self);
        return promise;
      },
      [self](start_atom, std::uint64_t token) {
        if (token == caretaker_token) become_caretaker(self);
        else self->state.kids.on_timer(token);
      },
  };
}

} // namespace homeostat
