#include "actors/audit_sink.hpp"

#include "actors/weak_handle.hpp"

namespace homeostat {

namespace {

using self_ptr = audit_sink_actor::stateful_pointer<audit_sink_state>;

// Requests count from 1: this number stands for records that nobody waits for.
constexpr std::uint64_t nobody = 0;

audit_answer full() { return {.ticket = 0, .status = audit_status::full, .text = "audit queue full"}; }

/// The port's answer comes back as a message: its thread never touches the actor.
auto answer_to(self_ptr self, std::uint64_t number) {
  return [to = weak_handle(audit_sink_actor(self)), number](audit_answer answer) {
    to.tell(wake_atom::value, number, std::move(answer));
  };
}

caf::result<audit_answer> write(self_ptr self, store_port& store, audit_batch batch) {
  auto& s = self->state;
  auto promise = self->make_response_promise<audit_answer>();
  if (!batch.durable && !s.queue_lost_records) {
    // `audit: queued`: being in the bounded queue is what the loop asked for.
    promise.deliver(store.submit(std::move(batch), answer_to(self, nobody)) ? audit_answer{} : full());
    return promise;
  }
  const auto number = s.writes.add(promise);
  if (!store.submit(std::move(batch), answer_to(self, number))) s.writes.take(number).deliver(full());
  return promise;
}

} // namespace

audit_sink_actor::behavior_type audit_sink(self_ptr self, std::shared_ptr<store_port> store) {
  end_on_exception(self);
  return {
      [=](audit_batch& batch) { return write(self, *store, std::move(batch)); },
      [=](load_atom, std::string& key) -> caf::result<bool, std::string> {
        auto promise = self->make_response_promise<bool, std::string>();
        const auto number = self->state.reads.add(promise);
        store->load(std::move(key), [to = weak_handle(audit_sink_actor(self)), number](store_port::loaded value) {
          // A failure must never look like "there is none": the loop would begin afresh, out of safe mode.
          if (!value)
            to.tell(wake_atom::value, number, false, "cannot read durable state: " + value.error());
          else
            to.tell(wake_atom::value, number, value->has_value(), std::move(*value).value_or(""));
        });
        return promise;
      },
      [=](save_atom, std::string& key, std::string& value) -> caf::result<audit_answer> {
        auto promise = self->make_response_promise<audit_answer>();
        const auto number = self->state.writes.add(promise);
        if (!store->save(std::move(key), std::move(value), answer_to(self, number)))
          self->state.writes.take(number).deliver(full());
        return promise;
      },
      [=](status_atom) { return static_cast<std::uint64_t>(self->state.writes.size()); },
      [=](wake_atom, std::uint64_t number, audit_answer& answer) {
        const bool durable = answer.status == audit_status::durable;
        if (number == nobody || durable) self->state.queue_lost_records = !durable;
        self->state.writes.take(number).deliver(std::move(answer));
      },
      [=](wake_atom, std::uint64_t number, bool found, std::string& value) {
        auto promise = self->state.reads.take(number);
        if (!found && !value.empty())
          promise.deliver(caf::make_error(caf::sec::runtime_error, std::move(value)));
        else
          promise.deliver(found, std::move(value));
      },
  };
}

} // namespace homeostat
