#include "actors/governor.hpp"

#include <algorithm>

namespace homeostat {

namespace {

using self_ptr = governor_actor::stateful_pointer<governor_actor_state>;

std::string state_key(const governor_actor_state& s) { return "governor/" + s.settings.config.loop; }

void enact(self_ptr self, governor_effects effects);

void feed(self_ptr self, const governor_input& input) {
  auto& s = self->state;
  if (!s.recovered || s.stopped) return;
  governor_step step = decide(s.settings.config, std::move(s.core), input, s.settings.time.now(self));
  s.core = std::move(step.state);
  enact(self, std::move(step.effects));
}

/// What became of one batch: the change that waited for it goes on, and so does the shutdown.
void on_audit_answer(self_ptr self, std::optional<std::uint64_t> ticket, bool last, audit_answer answer) {
  auto& s = self->state;
  if (last) {
    s.stop_recorded = answer.status == audit_status::durable;
    s.stoppers.answer_all(*s.stop_recorded);
  }
  if (!ticket) return;
  answer.ticket = *ticket;
  feed(self, answer);
}

/// 1. and 2.: the batch with its state, and the ticket that waits for it.
void send_records(self_ptr self, governor_effects& effects) {
  auto& s = self->state;
  if (effects.records.empty() && !effects.persist) return;
  const auto answered = [self, ticket = effects.durable_ticket, last = effects.stopped](audit_answer answer) {
    on_audit_answer(self, ticket, last, std::move(answer));
  };
  audit_batch batch{.loop = s.settings.config.loop,
                    .records = std::move(effects.records),
                    .state = effects.persist ? encode(s.core) : "",
                    .durable = s.settings.durable_audit || effects.stopped};
  self->request(s.audit, s.settings.audit_timeout, std::move(batch))
      .then([answered](audit_answer& answer) { answered(std::move(answer)); },
            [answered, self](const caf::error& reason) {
              answered(
                  {.ticket = 0, .status = audit_status::failed, .text = "audit: " + self->system().render(reason)});
            });
}

/// 3.: apply and read back.
void send_actuation(self_ptr self, actuation wanted) {
  auto& s = self->state;
  const std::uint64_t ticket = wanted.ticket;
  self->request(s.plant, s.settings.apply_timeout, std::move(wanted))
      .then(
          [self, ticket](actuation_answer& answer) {
            answer.ticket = ticket; // whose answer it is, CAF knows better than any port
            feed(self, answer);
          },
          [self, ticket](const caf::error& reason) {
            feed(self, actuation_answer{.ticket = ticket,
                                        .ok = false,
                                        .read_back = {},
                                        .text = "actuator: " + self->system().render(reason)});
          });
}

void count(governor_actor_state& s, const governor_effects& effects) {
  for (const audit_record& record : effects.records) {
    if (record.kind != audit_kind::committed) continue;
    if (record.classification == change_class::rollback)
      s.rollbacks += record.source == "rollback to baseline" ? 1U : 0U;
    else
      ++s.applied;
  }
  if (effects.verdict && effects.verdict->refused) ++s.rejected[std::string(name_of(effects.verdict->refused->code))];
}

/// Answers how the plant reads now, or that it does not.
template <class OnReading> void read_plant(self_ptr self, OnReading on_reading) {
  auto& s = self->state;
  self->request(s.plant, s.settings.apply_timeout, readback_atom::value)
      .then(
          [on_reading](const actuation_answer& answer) {
            on_reading(answer.ok ? std::optional(answer.read_back) : std::nullopt);
          },
          [on_reading](const caf::error&) { on_reading(std::nullopt); });
}

/// Does what the effects say, in their order.
void enact(self_ptr self, governor_effects effects) {
  auto& s = self->state;
  count(s, effects);
  send_records(self, effects);
  if (effects.apply) send_actuation(self, std::move(*effects.apply));
  if (effects.read_plant)
    read_plant(self, [self](const std::optional<knob_values>& v) { feed(self, plant_reading{v}); });
  if (effects.live)
    for (const auto& listener : s.listeners) self->send(listener, *effects.live);
  if (effects.verdict) s.proposers.take(effects.verdict->proposal_id).deliver(std::move(*effects.verdict));
  s.stopped = effects.stopped; // those who wait for it are told once its record is durable
  if (effects.look_again && !s.stopped) s.timers.arm(self, *effects.look_again, s.settings.time.now(self));
}

void begin(self_ptr self, std::optional<governor_state> persisted, const std::optional<knob_values>& actual) {
  auto& s = self->state;
  governor_step step = recover(s.settings.config, std::move(persisted), actual, s.settings.time.now(self));
  s.core = std::move(step.state);
  s.recovered = true;
  enact(self, std::move(step.effects));
  if (s.given_up_early) feed(self, give_up{.text = *s.given_up_early});
}

void read_plant_and_begin(self_ptr self, std::optional<governor_state> persisted) {
  read_plant(self, [self, persisted](const std::optional<knob_values>& actual) { begin(self, persisted, actual); });
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
  status.state = !s.recovered                  ? "starting"
                 : s.core.stopping             ? "stopping"
                 : is_frozen(s.core.safe_mode) ? "safe mode"
                                               : "running";
  status.generation = s.core.generation;
  status.revision = s.core.revision;
  for (std::size_t i = 0; s.recovered && i < s.settings.config.knobs.size(); ++i) {
    const knob_spec& knob = s.settings.config.knobs[i];
    status.knobs.push_back({.name = knob.name,
                            .unit = knob.unit,
                            .value = s.core.live[i],
                            .base = s.core.base[i],
                            .baseline = s.core.baseline ? s.core.baseline->values[i] : knob.initial,
                            .min = knob.min,
                            .max = knob.max});
  }
  status.last_request = s.core.last_request;
  status.last_request_revision = s.core.last_request_revision;
  status.request_in_flight = s.core.pending && !s.core.pending->request.empty();
  status.drifts = s.core.drifts;
  for (const auto& hold : s.core.safe_mode.holds)
    if (hold) status.safe_mode_reasons.emplace_back(name_of(hold->reason));
  status.objective = s.core.last_objective;
  status.applied = s.applied;
  status.rejected = s.rejected;
  status.rollbacks = s.rollbacks;
  status.safe_mode_entries = s.core.safe_mode.entries;
  return status;
}

caf::result<proposal_verdict> on_proposal(self_ptr self, proposal p) {
  auto& s = self->state;
  if (p.kind == proposal_kind::no_change)
    return caf::make_error(caf::sec::invalid_argument, std::string("a proposal of no change has no verdict"));
  if (!s.recovered || s.stopped)
    return proposal_verdict{
        .proposal_id = p.id,
        .accepted = std::nullopt,
        .refused = violation{
            .code = violation_code::in_safe_mode, .knob = {}, .value = 0, .limit = 0, .retry_at = std::nullopt}};
  if (p.rehearsal) return rehearse(s.settings.config, s.core, p, s.settings.time.now(self));
  auto promise = self->make_response_promise<proposal_verdict>();
  p.id = s.proposers.add({.promise = promise, .proposal_id = p.id});
  feed(self, p);
  return promise;
}

command_result on_command(self_ptr self, const operator_command& command) {
  auto& s = self->state;
  if (!s.recovered) return {.ok = false, .text = "the loop is still starting", .later = true};
  if (s.stopped) return {.ok = false, .text = "the loop has stopped"};
  governor_step step = decide(s.settings.config, std::move(s.core), command, s.settings.time.now(self));
  s.core = std::move(step.state);
  command_result answer = step.effects.command.value_or(command_result{});
  enact(self, std::move(step.effects));
  return answer;
}

live_configuration on_listener(self_ptr self, const live_listener_actor& listener) {
  auto& s = self->state;
  if (std::ranges::find(s.listeners, listener) == s.listeners.end()) {
    s.listeners.push_back(listener);
    self->monitor(listener);
  }
  // Generation 0 is nobody's: until recovery says more, nothing can match it.
  if (!s.recovered) return {};
  return {.generation = s.core.generation,
          .revision = s.core.revision,
          .applied_at = s.settings.time.now(self),
          .values = s.core.live,
          .base = s.core.base,
          .frozen = is_frozen(s.core.safe_mode),
          .baseline = s.core.baseline ? s.core.baseline->values : knob_values{}};
}

} // namespace

governor_actor::behavior_type governor(self_ptr self, governor_settings settings, audit_sink_actor audit,
                                       actuator_actor plant) {
  auto& s = self->state;
  s.settings = std::move(settings);
  s.audit = std::move(audit);
  s.plant = std::move(plant);
  end_on_exception(self);
  // A listener that is started again listens anew; its predecessor must not be kept for ever.
  self->set_down_handler([self](const caf::down_msg& down) {
    std::erase_if(self->state.listeners, [&](const auto& listener) { return listener.address() == down.source; });
  });
  load_and_begin(self);
  return {
      [self](const objective_window& window) {
        // The credit goes back first: what happens to this window does not concern the flow.
        if (auto sensor = caf::actor_cast<sensor_actor>(self->current_sender()))
          self->send(sensor, credit_atom::value, window_listener_actor(self), std::uint32_t{1});
        feed(self, window);
      },
      [self](const proposal& p) { return on_proposal(self, p); },
      [self](const operator_command& command) { return on_command(self, command); },
      [self](listen_atom, const live_listener_actor& listener) { return on_listener(self, listener); },
      [self](status_atom) { return status_of(self->state); },
      [self](stop_atom, bool revert) -> caf::result<bool> {
        auto& state = self->state;
        if (!state.recovered) return true;
        if (state.stop_recorded) return *state.stop_recorded;
        auto promise = self->make_response_promise<bool>();
        state.stoppers.add(promise);
        feed(self, stop_request{.revert = revert});
        return promise;
      },
      [self](giveup_atom, const std::string& text) {
        if (!self->state.recovered)
          self->state.given_up_early = text;
        else
          feed(self, give_up{.text = text});
      },
      [self](look_atom, std::uint64_t timer) {
        if (self->state.timers.fired(timer)) feed(self, tick{});
      },
  };
}

} // namespace homeostat
