#include "actors/proposer.hpp"

#include "actors/open_promises.hpp"

namespace homeostat {

namespace {

using self_ptr = proposer_actor::stateful_pointer<proposer_actor_state>;

void propose_next(self_ptr self);

std::string state_key(const proposer_actor_state& s) { return "strategy/" + s.settings.loop; }

/// A strategy state that is of no use costs its memory, not safety: the strategy begins afresh.
void restore(proposer_actor_state& s, const std::string& bytes) {
  const auto stored = decode<engine_state>(bytes);
  const auto resumed = stored ? resume_engine(s.core, s.settings.engine, *stored) : std::unexpected(stored.error());
  if (!resumed) s.settings.note("the saved strategy state is not used, the strategy begins afresh: " + resumed.error());
}

/// Losing a save costs a few iterations after a restart, never safety: no retry.
void save(self_ptr self) {
  auto& s = self->state;
  s.unsaved = true;
  if (s.saving) return;
  s.saving = true;
  s.unsaved = false;
  const auto done = [self] {
    self->state.saving = false;
    if (self->state.unsaved) save(self);
  };
  self->request(s.audit, s.settings.request_timeout, save_atom::value, state_key(s), encode(s.core))
      .then([done](const audit_answer&) { done(); }, [done](const caf::error&) { done(); });
}

void ask_governor(self_ptr self, const proposal& p) {
  auto& s = self->state;
  self->request(s.governor, s.settings.verdict_timeout, p)
      .then(
          [self](const proposal_verdict& verdict) {
            auto& state = self->state;
            const std::uint64_t before = progress_of(state.core);
            on_verdict(state.core, state.settings.engine, verdict, state.settings.time.now(self));
            if (progress_of(state.core) != before) save(self);
            propose_next(self);
          },
          [self](const caf::error&) {
            auto& state = self->state;
            on_no_answer(state.core, state.settings.engine, state.settings.time.now(self));
            propose_next(self);
          });
}

void propose_next(self_ptr self) {
  auto& s = self->state;
  const instant now = s.settings.time.now(self);
  const engine_decision decision = next_proposal(s.core, s.settings.engine, now);
  if (decision.ask) return ask_governor(self, *decision.ask);
  if (decision.look_again) s.timers.arm(self, *decision.look_again, now);
}

void take_live(self_ptr self, const live_configuration& live) {
  auto& s = self->state;
  if (live.generation == 0) return; // the governor is still starting; it will tell
  on_live(s.core, s.settings.engine, live, s.settings.time.now(self));
  propose_next(self);
}

void begin(self_ptr self) {
  auto& s = self->state;
  self->request(s.governor, s.settings.request_timeout, listen_atom::value, live_listener_actor(self))
      .then([self](const live_configuration& live) { take_live(self, live); },
            [self](const caf::error& reason) { self->quit(reason); });
  self->send(s.sensor, credit_atom::value, window_listener_actor(self), std::uint32_t{1});
}

} // namespace

proposer_actor::behavior_type proposer(self_ptr self, proposer_settings settings, audit_sink_actor audit,
                                       governor_actor governor, sensor_actor sensor) {
  auto& s = self->state;
  s.settings = std::move(settings);
  s.audit = std::move(audit);
  s.governor = std::move(governor);
  s.sensor = std::move(sensor);
  end_on_exception(self);
  s.core = fresh_engine(s.settings.engine, s.settings.seed, initial_values(s.settings.engine.knobs));
  self->request(s.audit, s.settings.request_timeout, load_atom::value, state_key(s))
      .then(
          [self](bool found, const std::string& bytes) {
            if (found) restore(self->state, bytes);
            begin(self);
          },
          [self](const caf::error& reason) { self->quit(reason); });
  return {
      [self](const live_configuration& live) { take_live(self, live); },
      [self](const objective_window& window) {
        auto& state = self->state;
        const std::uint64_t before = progress_of(state.core);
        on_window(state.core, state.settings.engine, window, state.settings.time.now(self));
        if (progress_of(state.core) != before) save(self);
        propose_next(self);
        self->send(state.sensor, credit_atom::value, window_listener_actor(self), std::uint32_t{1});
      },
      [self](look_atom, std::uint64_t timer) {
        if (self->state.timers.fired(timer)) propose_next(self);
      },
  };
}

} // namespace homeostat
