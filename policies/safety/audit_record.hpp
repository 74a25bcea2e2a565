#pragma once

#include "policies/safety/knob.hpp"
#include "policies/safety/proposal.hpp"
#include "policies/safety/violation.hpp"
#include "policies/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace homeostat {

/// What an audit record says. An `intent` is THE record of its generation (design I2); the others tell what came of it
/// or what else happened to the loop.
enum class audit_kind : std::uint8_t {
  started,   ///< the governor began, with its baseline and live values
  intent,    ///< a change is about to be applied: durable before the value is visible
  committed, ///< the change of that generation was confirmed in force
  aborted,   ///< the change of that generation did not come into force
  rejected,  ///< a proposal was refused
  safe_mode_entered,
  safe_mode_left,
  baseline_set,
  drift,            ///< live values were found to differ from what was last committed
  operator_command, ///< a person's command that changed no value (pause, resume, reset)
  stopped,          ///< ordered shutdown
  proposal_opened,  ///< somebody wishes to change the authoritative configuration
  proposal_decided, ///< what became of it: acknowledged, approved, rejected, applied, expired, stale, withdrawn
  advice,           ///< a recommendation was given or decided
  contention,       ///< two loops push against each other
  access_refused,   ///< somebody asked the API for what he may not; of the node, not of a loop
  experiment,       ///< a pool's experiment was drafted, began, ended or was decided; of the node
  alert,            ///< something was lost or given up, and what goes on without it; of the node, not of a loop
};

/// One entry of the audit trail, as the policies produce it.
struct audit_record {
  instant time{};
  audit_kind kind{};
  std::uint64_t generation{0}; ///< the generation the record is about
  std::uint64_t revision{0};
  proposal_kind change{proposal_kind::no_change};
  change_class classification{change_class::proposal};
  std::string source;              ///< which strategy, client or guard
  std::string actor;               ///< who: "homeostat" or a person's name
  std::string evidence;            ///< the data behind it, one line
  knob_values before;              ///< live values before; empty where no value is concerned
  knob_values after;               ///< wanted or read-back values; empty where no value is concerned
  std::optional<violation> reason; ///< for refusals and aborts
  std::string text;                ///< anything else a person should read
  friend bool operator==(const audit_record&, const audit_record&) = default;
};

[[nodiscard]] constexpr std::string_view name_of(audit_kind kind) {
  switch (kind) {
  case audit_kind::started: return "started";
  case audit_kind::intent: return "intent";
  case audit_kind::committed: return "committed";
  case audit_kind::aborted: return "aborted";
  case audit_kind::rejected: return "rejected";
  case audit_kind::safe_mode_entered: return "safe_mode_entered";
  case audit_kind::safe_mode_left: return "safe_mode_left";
  case audit_kind::baseline_set: return "baseline_set";
  case audit_kind::drift: return "drift";
  case audit_kind::operator_command: return "operator_command";
  case audit_kind::stopped: return "stopped";
  case audit_kind::proposal_opened: return "proposal_opened";
  case audit_kind::proposal_decided: return "proposal_decided";
  case audit_kind::advice: return "advice";
  case audit_kind::contention: return "contention";
  case audit_kind::access_refused: return "access_refused";
  case audit_kind::experiment: return "experiment";
  case audit_kind::alert: return "alert";
  }
  return "?";
}
inline constexpr std::size_t audit_kind_count = 18;

} // namespace homeostat
