#include "actors/actuator.hpp"

#include <caf/send.hpp>

namespace homeostat {

actuator_actor::behavior_type actuator(actuator_actor::stateful_pointer<actuator_state> self,
                                       std::shared_ptr<actuator_port> port) {
  on_end(self, [self](const caf::error& reason) { self->state.open.fail_all(reason); });
  const auto answer_to = [self](std::uint64_t number) {
    return [hdl = actuator_actor(self), number](actuation_answer answer) {
      caf::anon_send(hdl, wake_atom::value, number, std::move(answer));
    };
  };
  return {
      [=](actuation& wanted) -> caf::result<actuation_answer> {
        auto promise = self->make_response_promise<actuation_answer>();
        port->apply(std::move(wanted), answer_to(self->state.open.add(promise)));
        return promise;
      },
      [=](readback_atom) -> caf::result<actuation_answer> {
        auto promise = self->make_response_promise<actuation_answer>();
        port->read_back(answer_to(self->state.open.add(promise)));
        return promise;
      },
      [=](wake_atom, std::uint64_t number, actuation_answer& answer) {
        self->state.open.take(number).deliver(std::move(answer));
      },
  };
}

} // namespace homeostat
