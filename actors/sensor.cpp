#include "actors/sensor.hpp"

#include "actors/open_promises.hpp"
#include "actors/weak_handle.hpp"

#include <algorithm>

namespace homeostat {

namespace {

using self_ptr = sensor_actor::stateful_pointer<sensor_actor_state>;

// Windows that may wait for a slow listener: an old window is worth less than a new one.
constexpr std::size_t waiting_limit = 16;
constexpr std::uint32_t governor_credit = 4;
// Digests taken for one message: a plant that reports faster than we read must not keep the worker for ever.
constexpr int digests_at_once = 256;

void send_waiting(self_ptr self, sensor_actor_state::listener& listener) {
  for (; listener.credit > 0 && !listener.waiting.empty(); --listener.credit) {
    self->send(listener.to, std::move(listener.waiting.front()));
    listener.waiting.pop_front();
  }
}

void publish(self_ptr self, const objective_window& window) {
  ++self->state.windows;
  for (auto& listener : self->state.listeners) {
    if (listener.waiting.size() == waiting_limit) listener.waiting.pop_front();
    listener.waiting.push_back(window);
    send_waiting(self, listener);
  }
}

void grant(self_ptr self, const window_listener_actor& to, std::uint32_t credit) {
  auto& listeners = self->state.listeners;
  auto found = std::ranges::find(listeners, to, &sensor_actor_state::listener::to);
  if (found == listeners.end()) {
    found = listeners.insert(listeners.end(), {.to = to, .credit = 0, .waiting = {}});
    self->monitor(to);
  }
  found->credit += credit;
  send_waiting(self, *found);
}

void take_live(self_ptr self, const live_configuration& live) {
  auto& s = self->state;
  s.port->set_live_generation(live.generation);
  note_live(s.core, s.settings.windows, live.generation, live.applied_at);
}

void take_digests(self_ptr self) {
  auto& s = self->state;
  const instant now = s.settings.time.now(self);
  for (int i = 0; i < digests_at_once; ++i) {
    const auto digest = s.port->pop();
    if (!digest) return; // the port will tell when there is more
    ++s.digests;
    if (auto window = take(s.core, s.settings.windows, *digest, now)) publish(self, *window);
  }
  self->send(self, wake_atom::value);
}

sensor_status status_of(const sensor_actor_state& s) {
  sensor_status status{.windows = s.windows, .digests = s.digests, .faults = {}};
  for (std::size_t i = 0; i < s.core.faults.size(); ++i)
    if (s.core.faults[i] > 0) status.faults[std::string(name_of(static_cast<digest_fault>(i)))] = s.core.faults[i];
  return status;
}

} // namespace

sensor_actor_state::~sensor_actor_state() {
  try {
    if (port) port->on_ready({});
  } catch (...) { // the actor is ending; a port that fails now may go on telling a weak handle
  }
}

sensor_actor::behavior_type sensor(self_ptr self, sensor_settings settings, std::shared_ptr<telemetry_port> port,
                                   governor_actor governor) {
  auto& s = self->state;
  s.settings = std::move(settings);
  s.port = std::move(port);
  end_on_exception(self);
  // A listener that is started again asks anew; its predecessor must not be kept for ever.
  self->set_down_handler([self](const caf::down_msg& down) {
    std::erase_if(self->state.listeners, [&](const auto& listener) { return listener.to.address() == down.source; });
  });
  grant(self, caf::actor_cast<window_listener_actor>(governor), governor_credit);
  self->request(governor, s.settings.request_timeout, listen_atom::value, live_listener_actor(self))
      .then([self](const live_configuration& live) { take_live(self, live); },
            [self](const caf::error& reason) { self->quit(reason); });
  s.port->on_ready([to = weak_handle(sensor_actor(self))] { to.tell(wake_atom::value); });
  // What came before is still in the ring, and its wake went to the sensor before this one.
  self->send(self, wake_atom::value);
  return {
      [self](const live_configuration& live) { take_live(self, live); },
      [self](credit_atom, const window_listener_actor& to, std::uint32_t credit) { grant(self, to, credit); },
      [self](status_atom) { return status_of(self->state); },
      [self](wake_atom) { take_digests(self); },
  };
}

} // namespace homeostat
