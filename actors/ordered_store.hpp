#pragma once

#include "actors/ports.hpp"

#include <memory>

namespace homeostat {

/// Lets no read overtake a write: a state is loaded once everything submitted or saved before has been answered. A
/// governor that starts again while its predecessor's last batch is still being written would otherwise go on from an
/// older state and use a generation's number a second time (I2). Outlives the actors, so that it holds across restarts
/// of the audit sink too.
/// @returns `store` itself if it is one of these already.
[[nodiscard]] std::shared_ptr<store_port> reads_after_writes(std::shared_ptr<store_port> store);

} // namespace homeostat
