#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/time.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace homeostat {

// When a child ends: which children stop, which start again, and after how long. Erlang/OTP's published supervisor
// semantics (OTP Design Principles, "Supervisor Behaviour") plus exponential backoff with jitter between restarts,
// without which a child that fails at start spends its whole intensity within milliseconds.

enum class restart_strategy : std::uint8_t { one_for_one, one_for_all, rest_for_one };
/// permanent: always restarted; transient: only after an abnormal end; temporary: never.
enum class child_restart : std::uint8_t { permanent, transient, temporary };

struct supervision_settings {
  restart_strategy strategy{restart_strategy::one_for_one};
  std::uint32_t intensity{
      5}; ///< more restarts than this within the period (its edge included): the supervisor gives up
  duration period{60s};
  duration backoff{50ms};     ///< before the first restart of a burst; doubles with each further one
  duration backoff_limit{5s}; ///< longest delay before jitter
  double jitter{0.2};         ///< a delay is drawn from +- this fraction, 0..1
  friend bool operator==(const supervision_settings&, const supervision_settings&) = default;
};

struct supervision_state {
  std::vector<instant> restarts; ///< inside the period, oldest first; at most intensity + 1
  chacha8_rng rng;
  friend bool operator==(const supervision_state&, const supervision_state&) = default;
};

struct supervision_decision {
  enum class verdict : std::uint8_t { leave, restart, give_up };
  verdict what{verdict::leave};
  std::vector<std::size_t> stop;  ///< running children to end first, in this order (reverse start order)
  std::vector<std::size_t> start; ///< children to start after `delay`, in start order: the ended one and every other
                                  ///< concerned one that is not temporary, even if it had ended before (as OTP does)
  duration delay{0};
};

/// Decides what one child's end means.
/// @param children  restart kinds, in start order.  @param running  which of them run now (the ended one does not).
/// @param ended  index of the ended child.  @param abnormal  it ended by a failure, not by its own wish or a shutdown.
/// @returns the decision; on `give_up`, `stop` lists every running child.
[[nodiscard]] supervision_decision on_child_end(const supervision_settings& settings, supervision_state& state,
                                                const std::vector<child_restart>& children,
                                                const std::vector<bool>& running, std::size_t ended, bool abnormal,
                                                instant now);

} // namespace homeostat
