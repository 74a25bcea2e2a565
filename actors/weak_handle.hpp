#pragma once

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <utility>

namespace homeostat {

/// The way back to an actor for a port, which may answer late or never: it does not keep the actor alive, and what
/// comes after its end is dropped. May be used from any thread.
template <class Actor> class weak_handle {
public:
  explicit weak_handle(const Actor& actor) : address_(actor.address()) {}

  template <class... Ts> void tell(Ts&&... message) const {
    if (auto actor = caf::actor_cast<Actor>(address_)) caf::anon_send(actor, std::forward<Ts>(message)...);
  }

private:
  caf::actor_addr address_;
};

} // namespace homeostat
