#include "actors/engine_keeper.hpp"

#include "actors/open_promises.hpp"

namespace homeostat {

engine_keeper_actor::behavior_type engine_keeper(engine_keeper_actor::stateful_pointer<engine_keeper_state> self,
                                                 engine_keeper_settings settings) {
  auto& kids = self->state.kids;
  const auto timer = [self](duration wait, std::uint64_t token) {
    self->delayed_send(self, wait, start_atom::value, token);
  };
  const auto gave_up = [port = settings.engine.port](const std::string& why) {
    try {
      port->abandoned(why);
    } catch (const std::exception&) { // it is given up all the same
    }
  };
  kids.set_up(self, settings.supervision, settings.seed, settings.engine.time, timer, gave_up);
  end_on_exception(self);
  self->set_exit_handler([self](const caf::exit_msg& message) {
    self->state.kids.stop_all([self, reason = message.reason] { self->quit(reason); });
  });
  kids.add({.name = std::move(settings.name),
            .restart = child_restart::permanent,
            .shutdown = 100ms, // it holds nothing that must be put away
            .spawn = [self, engine = std::move(settings.engine)] {
              return caf::actor_cast<caf::actor>(self->spawn(transfer_tuner, engine));
            }});
  kids.start_all();
  return {[self](start_atom, std::uint64_t token) { self->state.kids.on_timer(token); }};
}

} // namespace homeostat
