#include "actors/actuator.hpp"

#include "actors/weak_handle.hpp"

namespace homeostat {

actuator_actor::behavior_type actuator(actuator_actor::stateful_pointer<actuator_state> self,
                                       std::shared_ptr<actuator_port> port) {
  end_on_exception(self);
  const auto answer_to = [self](std::uint64_t number) {
    return [to = weak_handle(actuator_actor(self)), number](actuation_answer answer) {
      to.tell(wake_atom::value, number, std::move(answer));
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
