#include "actors/sensor.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace homeostat {

namespace {

using self_ptr = sensor_actor::stateful_pointer<sensor_actor_state>;

// Windows that may wait for a slow listener: an old window is worth less than a new one.
constexpr std::size_t waiting_limit = 16;
constexpr std::uint32_t governor_credit = 4;

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
  if (found == listeners.end()) found = listeners.insert(listeners.end(), {.to = to, .credit = 0, .waiting = {}});
  found->credit += credit;
  send_waiting(self, *found);
}

void take_live(self_ptr self, const live_configuration& live) {
  auto& s = self->state;
  s.port->set_live_generation(live.generation);
  if (live.generation != s.core.generation)
    begin_generation(s.core, s.settings.windows, live.generation, live.applied_at);
}

} // namespace

sensor_actor_state::~sensor_actor_state() {
  if (port) port->on_ready({});
}

sensor_actor::behavior_type sensor(self_ptr self, sensor_settings settings, std::shared_ptr<telemetry_port> port,
                                   governor_actor governor) {
  auto& s = self->state;
  s.settings = std::move(settings);
  s.port = std::move(port);
  grant(self, caf::actor_cast<window_listener_actor>(governor), governor_credit);
  self->request(governor, s.settings.request_timeout, listen_atom::value, live_listener_actor(self))
      .then([self](const live_configuration& live) { take_live(self, live); },
            [self](const caf::error& reason) { self->quit(reason); });
  // Weak: the port must not keep a sensor alive that its supervisor has ended.
  s.port->on_ready([weak = caf::actor_cast<caf::actor_addr>(self)] {
    if (auto strong = caf::actor_cast<caf::actor>(weak)) caf::anon_send(strong, wake_atom::value);
  });
  return {
      [self](const live_configuration& live) { take_live(self, live); },
      [self](credit_atom, const window_listener_actor& to, std::uint32_t credit) { grant(self, to, credit); },
      [self](status_atom) {
        const auto& state = self->state;
        sensor_status status{.windows = state.windows, .digests = state.digests, .faults = {}};
        for (std::size_t i = 0; i < state.core.faults.size(); ++i)
          if (state.core.faults[i] > 0) status.faults[std::string(name_of(static_cast<digest_fault>(i)))] = state.core.faults[i];
        return status;
      },
      [self](wake_atom) {
        auto& state = self->state;
        const instant now = state.settings.time.now(self);
        while (auto digest = state.port->pop()) {
          ++state.digests;
          if (auto window = take(state.core, state.settings.windows, *digest, now)) publish(self, *window);
        }
      },
  };
}

} // namespace homeostat
