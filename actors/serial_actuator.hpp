#pragma once

#include "actors/ports.hpp"

#include <memory>

namespace homeostat {

/// Keeps what ports.hpp promises to an actuator port, "one call at a time", whatever becomes of its callers: an actor
/// that gives up waiting or is started again asks anew while the plant may still be busy with the call before.
///
/// A call made meanwhile waits until that one has been answered, so that a new governor's reading never overtakes its
/// predecessor's change. Only the newest waits: the one before it is answered as failed and never reaches the plant. An
/// exception of the port becomes a failed answer.
/// @returns `port` itself if it is one of these already.
[[nodiscard]] std::shared_ptr<actuator_port> one_call_at_a_time(std::shared_ptr<actuator_port> port);

} // namespace homeostat
