#include "actors/transfer_tuner.hpp"

#include "actors/open_promises.hpp"

namespace homeostat {

transfer_tuner_actor::behavior_type transfer_tuner(transfer_tuner_actor::stateful_pointer<transfer_tuner_state> self,
                                                   transfer_tuner_settings settings) {
  end_on_exception(self);
  self->delayed_send(self, settings.every, look_atom::value);
  return {
      [self, settings = std::move(settings)](look_atom) {
        self->delayed_send(self, settings.every, look_atom::value);
        settings.port->learn(settings.time.at(self->clock().now()));
      },
  };
}

} // namespace homeostat
