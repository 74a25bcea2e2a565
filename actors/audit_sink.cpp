#include "actors/audit_sink.hpp"

#include <caf/send.hpp>

namespace homeostat {

audit_sink_actor::behavior_type audit_sink(audit_sink_actor::stateful_pointer<audit_sink_state> self,
                                           std::shared_ptr<store_port> store) {
  on_end(self, [self](const caf::error& reason) {
    self->state.writes.fail_all(reason);
    self->state.reads.fail_all(reason);
  });
  // The port's answer comes back as a message: its thread never touches the actor.
  const auto answer_to = [self](std::uint64_t number) {
    return [hdl = audit_sink_actor(self), number](audit_answer answer) {
      caf::anon_send(hdl, wake_atom::value, number, std::move(answer));
    };
  };
  const auto full = audit_answer{.ticket = 0, .status = audit_status::full, .text = "audit queue full"};
  return {
      [=](audit_batch& batch) -> caf::result<audit_answer> {
        auto promise = self->make_response_promise<audit_answer>();
        if (!batch.durable) {
          // `audit: queued`: being in the bounded queue is what the loop asked for.
          const bool taken = store->submit(std::move(batch), [](const audit_answer&) {});
          promise.deliver(taken ? audit_answer{} : full);
          return promise;
        }
        const auto number = self->state.writes.add(promise);
        if (!store->submit(std::move(batch), answer_to(number))) self->state.writes.take(number).deliver(full);
        return promise;
      },
      [=](load_atom, std::string& key) -> caf::result<bool, std::string> {
        auto promise = self->make_response_promise<bool, std::string>();
        const auto number = self->state.reads.add(promise);
        store->load(std::move(key), [hdl = audit_sink_actor(self), number](store_port::loaded value) {
          const bool found = value && *value;
          caf::anon_send(hdl, wake_atom::value, number, found, !value ? value.error() : std::move(*value).value_or(""));
        });
        return promise;
      },
      [=](save_atom, std::string& key, std::string& value) -> caf::result<audit_answer> {
        auto promise = self->make_response_promise<audit_answer>();
        const auto number = self->state.writes.add(promise);
        if (!store->save(std::move(key), std::move(value), answer_to(number))) self->state.writes.take(number).deliver(full);
        return promise;
      },
      [=](status_atom) { return static_cast<std::uint64_t>(self->state.writes.size()); },
      [=](wake_atom, std::uint64_t number, audit_answer& answer) {
        self->state.writes.take(number).deliver(std::move(answer));
      },
      [=](wake_atom, std::uint64_t number, bool found, std::string& value) {
        auto promise = self->state.reads.take(number);
        if (!found && !value.empty()) promise.deliver(caf::make_error(caf::sec::runtime_error, std::move(value)));
        else promise.deliver(found, std::move(value));
      },
  };
}

} // namespace homeostat
