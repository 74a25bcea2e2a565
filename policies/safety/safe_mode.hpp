#pragma once

#include "policies/safety/guardrails.hpp"
#include "policies/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace homeostat {

/// Why a loop is frozen (design §7). Several may hold at once; the loop is free when none does.
enum class safe_mode_reason : std::uint8_t {
  thrashing,
  objective_regression,
  cumulative_budget,
  repeated_violations,
  audit_unavailable,
  actuator_failing,
  telemetry_lost,
  restart_intensity,
  manual,
};
inline constexpr std::size_t safe_mode_reason_count = 9;

enum class safe_mode_exit : std::uint8_t { cooldown, operator_reset, objective_recovery, cause_gone };

/// What holds a loop in safe mode.
struct safe_mode_state {
  struct hold {
    safe_mode_reason reason;
    instant since;
    std::optional<instant> until; ///< timer exit; absent = only its cause or an operator ends it
    friend bool operator==(const hold&, const hold&) = default;
  };
  std::array<std::optional<hold>, safe_mode_reason_count> holds{};
  std::optional<double> objective_at_entry; ///< what objective recovery is measured against
  std::uint32_t recovered_windows{0};
  std::uint64_t entries{0}; ///< how often the loop went from free to frozen
  friend bool operator==(const safe_mode_state&, const safe_mode_state&) = default;
};

[[nodiscard]] std::string_view name_of(safe_mode_reason reason);
[[nodiscard]] std::string_view name_of(safe_mode_exit exit);

[[nodiscard]] bool is_frozen(const safe_mode_state& s);
[[nodiscard]] bool holds(const safe_mode_state& s, safe_mode_reason reason);

/// @returns the reasons that hold, comma separated, empty when free.
[[nodiscard]] std::string reasons_of(const safe_mode_state& s);

/// Freezes the loop for a reason, or prolongs it if it already holds (a timer is never shortened).
/// @param until  timer exit, absent for reasons that only their cause or an operator ends.
/// @param objective  latest objective, if any; kept from the first entry.
/// @returns true if the reason is new.
bool enter(safe_mode_state& s, safe_mode_reason reason, instant now, std::optional<instant> until,
           std::optional<double> objective);

/// Ends one reason. @returns true if it held.
bool leave(safe_mode_state& s, safe_mode_reason reason);

/// Ends every reason (operator reset).
void leave_all(safe_mode_state& s);

/// Watches the objective of a frozen loop.
/// @returns true when it has improved by the required fraction for the required number of windows in a row: the reasons
/// that
///          concern the objective's behaviour have then been ended.
bool watch_recovery(safe_mode_state& s, double objective, const safe_mode_settings& settings);

/// @returns true for reasons that objective recovery may end.
[[nodiscard]] bool ends_by_recovery(safe_mode_reason reason);

} // namespace homeostat
