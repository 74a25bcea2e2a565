#pragma once

#include "policies/safety/knob.hpp"
#include "policies/safety/violation.hpp"
#include "policies/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace homeostat {

/// What a proposal is for (source: Hotpath API, "Proposal"). Probes look, updates move the base point.
enum class proposal_kind : std::uint8_t { no_change, apply_plus, apply_minus, update };

/// How a change came about, as the audit classifies it (design I2).
enum class change_class : std::uint8_t { proposal, auto_tune, drift_capture, operator_change, rollback };

/// A wish to change a loop's knobs, from our own strategy, an outside optimiser or a person: all are treated alike.
struct proposal {
  proposal_kind kind{proposal_kind::no_change};
  change_class classification{change_class::proposal};
  bool approved{true};              ///< false: waits for a human and cannot be applied yet
  std::uint64_t id{0};              ///< perturbation or iteration number; identifies the verdict
  std::uint64_t base_generation{0}; ///< the generation the proposer saw; any other is stale
  std::uint64_t base_revision{0};   ///< the revision the proposer saw
  std::uint64_t epoch{0};           ///< fencing token of the proposer's owner
  knob_values values;               ///< wanted values, one per knob, in the loop's order and the knobs' units
  knob_values gradient;             ///< gradient estimate behind an update, relative objective per range; may be empty
  std::string source;               ///< who proposes: strategy or client name
  std::string evidence;             ///< the data behind it, one line
  std::string approver{};           ///< the person who approved it: the cap on the distance from the baseline is theirs
  std::string request{};            ///< names a request of the authority; the governor's state keeps the last one's
  bool rehearsal{false};            ///< only the verdict is wanted
  friend bool operator==(const proposal&, const proposal&) = default;
};

/// Proof that a change is in force.
struct receipt {
  std::uint64_t generation{0};
  std::uint64_t revision{0};
  instant applied_at{}; ///< when it was confirmed in force
  knob_values values;   ///< confirmed by reading back (what the plant rounds off counts as the same value)
  friend bool operator==(const receipt&, const receipt&) = default;
};

[[nodiscard]] constexpr bool is_probe(proposal_kind kind) {
  return kind == proposal_kind::apply_plus || kind == proposal_kind::apply_minus;
}

[[nodiscard]] constexpr std::string_view name_of(proposal_kind kind) {
  switch (kind) {
  case proposal_kind::no_change: return "no_change";
  case proposal_kind::apply_plus: return "apply_plus";
  case proposal_kind::apply_minus: return "apply_minus";
  case proposal_kind::update: return "update";
  }
  return "?";
}

[[nodiscard]] constexpr std::string_view name_of(change_class c) {
  switch (c) {
  case change_class::proposal: return "proposal";
  case change_class::auto_tune: return "auto-tune";
  case change_class::drift_capture: return "drift-capture";
  case change_class::operator_change: return "operator";
  case change_class::rollback: return "rollback";
  }
  return "?";
}

} // namespace homeostat
