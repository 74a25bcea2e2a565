#pragma once

#include "policies/transfer/transfer_recommendation.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// What becomes of a piece of advice: somebody decides on it, the authority decides on the proposal it becomes, and what
// it brought is measured from when that came into force.

/// A person's decision, as decide_advice() takes it. Accepted advice waits for its proposal.
[[nodiscard]] std::expected<void, std::string> take_decision(transfer_recommendation& r, advice_verb verb,
                                                             const std::string& actor, const std::string& text,
                                                             std::optional<instant> until, instant now);
/// Nothing came of it, or it is undone: somebody may decide again. @param why  in words.
void reopen_advice(transfer_recommendation& r, const std::string& why);

/// What the authority says of a proposal.
struct proposal_fate {
  std::string state;    ///< pending, acknowledged, approved, rejected, applied, expired, stale, withdrawn; "": unknown
  std::string decision; ///< in words, with who
};
/// @returns whether somebody has to ask how its proposal fares.
[[nodiscard]] bool awaits_proposal(const transfer_recommendation& r);
/// Takes over what became of the proposal: applied advice is measured from now on, rejected advice is dismissed, what
/// ended otherwise opens again. A proposal that nobody knows any longer counts as applied where its value is in force.
/// @param in_force  the pool's present value of the key.  @returns whether anything changed.
[[nodiscard]] bool follow_proposal(transfer_recommendation& r, const proposal_fate& fate, std::string_view in_force,
                                   instant now);

/// Ends the measuring of what was applied and is no longer in force: the outcome stays as it is.
/// @returns whether that was so.
[[nodiscard]] bool end_if_taken_back(transfer_recommendation& r, std::string_view in_force);

/// The time on either side of a change that tells what it brought, without the minute of the change itself.
struct measuring_span {
  instant before_from;
  instant before_to;
  instant after_from;
  instant after_to;
  bool over{false}; ///< nothing that happens from now on belongs to it
};
inline constexpr duration measured_for = 24h;
/// @param all  advice of the same pool: another change that came into force ends the time that this one is judged by.
/// @returns nothing for advice that was not applied or was measured to the end.
[[nodiscard]] std::optional<measuring_span> span_of(const transfer_recommendation& r,
                                                    const std::vector<transfer_recommendation>& all, instant now);

} // namespace homeostat
