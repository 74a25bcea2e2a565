#include "actors/governor.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace homeostat {

namespace {

using self_ptr = governor_actor::stateful_pointer<governor_actor_state>;

std::string state_key(const governor_actor_state& s) { return "governor/" + s.settings.config.loop; }

void enact(self_ptr self, governor_effects effects);

void feed(self_ptr self, const governor_input& input) {
  auto& s = self->state;
  governor_step step = decide(s.settings.config, std::move(s.core), input, s.settings.time.now(self));
  s.core = std::move(step.state);
  enact(self, std::move(step.effects));
}

/// 1. and 2.: the batch with its state, and the ticket that waits for it.
void send_records(self_ptr self, governor_effects& effects) {
  auto& s = self->state;
  if (effects.records.empty() && !effects.persist) return;
  const auto ticket = effects.durable_ticket;
  const auto answered = [self, ticket](audit_answer answer) {
    if (!ticket) return;
    answer.ticket = *ticket;
    feed(self, answer);
  };
  audit_batch batch{.loop = s.settings.config.loop,
                    .records = std::move(effects.records),
                    .state = effects.persist ? encode(s.core) : "",
                    .durable = s.settings.durable_audit};
  self->request(s.audit, s.settings.audit_timeout, std::move(batch))
      .then([answered](audit_answer& answer) { answered(std::move(answer)); },
            [answered, self](const caf::error& reason) {
              answered({.ticket = 0, .status = audit_status::failed, .text = "audit: " + self->system().render(reason)});
            });
}

/// 3.: apply and read back.
void send_actuation(self_ptr self, actuation wanted) {
  auto& s = self->state;
  const std::uint64_t ticket = wanted.ticket;
  self->request(s.plant, s.settings.apply_timeout, std::move(wanted))
      .then([self](const actuation_answer& answer) { feed(self, answer); },
            [self, ticket](const caf::error& reason) {
              feed(self, actuation_answer{.ticket = ticket, .ok = false, .read_back = {},
                                          .text = "actuator: " + self->system().render(reason)});
            });
}

void count(governor_actor_state& s, const governor_effects& effects) {
  for (const audit_record& record : effects.records) {
    if (record.kind != audit_kind::committed) continue;
    if (record.classification == change_class::rollback) s.rollbacks += record.source == "rollback to baseline" ? 1U : 0U;
    else ++s.applied;
  }
  if (effects.verdict && effects.verdict->refused) ++s.rejected[std::string(name_of(effects.verdict->refused->code))];
}

/// Does what the effects say, in their order.
void enact(self_ptr self, governor_effects effects) {
  auto& s = self->state;
  count(s, effects);
  send_records(self, effects);
  if (effects.apply) send_actuation(self, std::move(*effects.apply));
  if (effects.live)
    for (const auto& listener : s.listeners) self->send(listener, *effects.live);
  if (effects.verdict)
    if (auto waiting = s.proposers.extract(effects.verdict->proposal_id); !waiting.empty())
      waiting.mapped().deliver(std::move(*effects.verdict));
  if (effects.stopped)
    for (auto& promise : std::exchange(s.stoppers, {})) promise.deliver(true);
  if (effects.look_again) {
    const auto wait = std::max<duration>(*effects.look_again - s.settings.time.now(self), 1ms);
    self->delayed_send(self, wait, look_atom::value, ++s.armed);
  }
}

void begin(self_ptr self, std::optional<governor_state> persisted, const std::optional<knob_values>& actual) {
  auto& s = self->state;
  governor_step step = recover(s.settings.config, std::move(persisted), actual, s.settings.time.now(self));
  s.core = std::move(step.state);
  s.recovered = true;
  enact(self, std::move(step.effects));
}

void read_plant_and_begin(self_ptr self, std::optional<governor_state> persisted) {
  auto& s = self->state;
  self->request(s.plant, s.settings.apply_timeout, readback_atom::value)
      .then([self, persisted](const actuation_answer& answer) {
              begin(self, persisted, answer.ok ? std::optional(answer.read_back) : std::nullopt);
            },
            [self, persisted](const caf::error&) { begin(self, persisted, std::nullopt); });
}

/// A state that cannot be read is not a reason to guess: the supervisor tries again, and gives up if it stays so.
void load_and_begin(self_ptr self) {
  auto& s = self->state;
  self->request(s.audit, s.settings.audit_timeout, load_atom::value, state_key(s))
      .then(
          [self](bool found, const std::string& bytes) {
            if (!found) return read_plant_and_begin(self, std::nullopt);
            auto persisted = decode<governor_state>(bytes);
            if (!persisted) return self->quit(caf::make_error(caf::sec::runtime_error, persisted.error()));
            read_plant_and_begin(self, std::move(*persisted));
          },
          [self](const caf::error& reason) { self->quit(reason); });
}

loop_status status_of(const governor_actor_state& s) {
  loop_status status;
  status.name = s.settings.config.loop;
  status.pool = s.settings.pool;
  status.state = !s.recovered ? "starting" : s.core.stopping ? "stopping" : is_frozen(s.core.safe_mode) ? "safe mode" : "running";
  status.generation = s.core.generation;
  status.revision = s.core.revision;
  for (std::size_t i = 0; s.recovered && i < s.settings.config.knobs.size(); ++i) {
    const knob_spec& knob = s.settings.config.knobs[i];
    status.knobs.push_back({.name = knob.name, .unit = knob.unit, .value = s.core.live[i], .base = s.core.base[i],
                            .baseline = s.core.baseline ? s.core.baseline->values[i] : knob.initial,
                            .min = knob.min, .max = knob.max});
  }
  for (const auto& hold : s.core.safe_mode.holds)
    if (hold) status.safe_mode_reasons.emplace_back(name_of(hold->reason));
  if (s.last_window) status.objective = s.last_window->mean;
  status.applied = s.applied;
  status.rejected = s.rejected;
  status.rollbacks = s.rollbacks;
  status.safe_mode_entries = s.core.safe_mode.entries;
  return status;
}

proposal_verdict not_recovered(const proposal& p) {
  return {.proposal_id = p.id, .accepted = std::nullopt,
          .refused = violation{.code = violation_code::in_safe_mode, .knob = {}, .value = 0, .limit = 0, .retry_at = std::nullopt}};
}

} // namespace

governor_actor::behavior_type governor(self_ptr self, governor_settings settings, audit_sink_actor audit,
                                       actuator_actor plant) {
  auto& s = self->state;
  s.settings = std::move(settings);
  s.audit = std::move(audit);
  s.plant = std::move(plant);
  on_end(self, [self](const caf::error& reason) {
    for (auto& [id, promise] : std::exchange(self->state.proposers, {})) promise.deliver(reason);
    for (auto& promise : std::exchange(self->state.stoppers, {})) promise.deliver(reason);
  });
  load_and_begin(self);
  return {
      [self](const objective_window& window) {
        // The credit goes back first: what happens to this window does not concern the flow.
        if (auto sensor = caf::actor_cast<sensor_actor>(self->current_sender()))
          self->send(sensor, credit_atom::value, window_listener_actor(self), std::uint32_t{1});
        if (!self->state.recovered) return;
        self->state.last_window = window;
        feed(self, window);
      },
      [self](const proposal& p) -> caf::result<proposal_verdict> {
        if (!self->state.recovered) return not_recovered(p);
        auto promise = self->make_response_promise<proposal_verdict>();
        if (!self->state.proposers.emplace(p.id, promise).second) {
          promise.deliver(caf::make_error(caf::sec::invalid_argument, "proposal " + std::to_string(p.id) + " is already waiting for its verdict"));
          return promise;
        }
        feed(self, p);
        return promise;
      },
      [self](const operator_command& command) -> caf::result<command_result> {
        auto& state = self->state;
        if (!state.recovered) return command_result{.ok = false, .text = "the loop is still starting"};
        governor_step step = decide(state.settings.config, std::move(state.core), command, state.settings.time.now(self));
        state.core = std::move(step.state);
        command_result answer = step.effects.command.value_or(command_result{});
        enact(self, std::move(step.effects));
        return answer;
      },
      [self](listen_atom, const live_listener_actor& listener) {
        auto& state = self->state;
        std::erase(state.listeners, listener);
        state.listeners.push_back(listener);
        // Generation 0 is nobody's: until recovery says more, nothing can match it.
        if (!state.recovered) return live_configuration{};
        return live_configuration{.generation = state.core.generation, .revision = state.core.revision,
                                  .applied_at = state.settings.time.now(self), .values = state.core.live,
                                  .base = state.core.base, .frozen = is_frozen(state.core.safe_mode),
                                  .baseline = state.core.baseline ? state.core.baseline->values : knob_values{}};
      },
      [self](status_atom) { return status_of(self->state); },
      [self](stop_atom, bool revert) -> caf::result<bool> {
        if (!self->state.recovered) return true;
        auto promise = self->make_response_promise<bool>();
        self->state.stoppers.push_back(promise);
        feed(self, stop_request{.revert = revert});
        return promise;
      },
      [self](giveup_atom, const std::string& text) {
        if (self->state.recovered) feed(self, give_up{.text = text});
      },
      [self](look_atom, std::uint64_t timer) {
        if (timer == self->state.armed && self->state.recovered) feed(self, tick{});
      },
  };
}

} // namespace homeostat
