#pragma once

#include "policies/authority/risk.hpp"
#include "policies/safety/knob.hpp"
#include "policies/safety/proposal.hpp"
#include "policies/time.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// A wish to change the authoritative configuration, and its way to a decision (design §8; source: Feedback Loops,
// pattern 1). Unlike the `proposal` a strategy makes, it waits for a person or for a time in which a person could have
// said no, and it lives for days. Once approved it reaches a plant as ordinary proposals to the governor.

enum class review_state : std::uint8_t {
  pending,
  acknowledged, ///< a person has seen it and lets it go on; MEDIUM risk
  approved,     ///< decided; being applied
  rejected,
  applied,
  expired,
  stale, ///< the revision it was made for is no longer the present one
  withdrawn,
};
inline constexpr std::size_t review_state_count = 8;

/// The waits of the life cycle. Defaults are the design's.
struct review_settings {
  duration auto_apply_after{5min}; ///< LOW: applied after this, unless rejected
  duration acknowledge_within{4h}; ///< MEDIUM: a reminder is due
  duration escalate_after{8h};     ///< MEDIUM, still unseen: becomes HIGH; > acknowledge_within
  duration expire_after{24h * 7};  ///< nobody decided
  duration keep_decided{24h * 30}; ///< decided ones can be looked up for this long
  std::uint32_t max_open{1000};    ///< proposals that wait at once, >= 1
  std::uint32_t max_refusals{100}; ///< temporary refusals by the governor before an approved one is given up
  friend bool operator==(const review_settings&, const review_settings&) = default;
};

/// What a proposal wants of one loop.
struct wanted_change {
  std::string loop;
  std::uint64_t base_revision{0}; ///< the revision it goes on from: at first the one it was made for
  knob_values before;             ///< base point at `base_revision`, as first seen
  knob_values values;             ///< wanted, all knobs
  std::uint32_t steps_taken{0};   ///< a change larger than one step of the guardrails is walked
  bool done{false};
  friend bool operator==(const wanted_change&, const wanted_change&) = default;
};

struct config_proposal {
  std::uint64_t id{0};
  std::uint64_t version{1};           ///< counts every change of this record
  std::vector<wanted_change> changes; ///< 1.., decided together, at most one per loop
  std::string source;                 ///< feedback source or rule; empty: a person
  std::string author;                 ///< who posted it
  std::string rationale;
  std::string evidence;
  double confidence{0};                ///< 0..1
  std::optional<double> expected_gain; ///< fraction of the objective
  risk_assessment risk;                ///< result: the class it has now
  instant created{};
  std::optional<instant> acknowledged;
  std::optional<instant> decided;
  std::optional<instant> retry_at; ///< an approved one is asked for again then
  std::string decided_by;          ///< a person, "homeostat" for a timer, or "governor"
  std::string decision;            ///< why, one line
  std::uint32_t refusals{0};
  change_class classification{change_class::proposal};
  review_state state{review_state::pending};
  bool may_apply_itself{false}; ///< false: nothing but a person's decision applies it, whatever its risk
  bool reminded{false};
  bool by_person{false}; ///< approved by a person
  bool counted{false};   ///< the hour's budget has been charged for it
  friend bool operator==(const config_proposal&, const config_proposal&) = default;
};

/// Why a person's or a client's wish about a proposal was not followed.
enum class review_refusal : std::uint8_t { unknown, conflict, forbidden, invalid, too_many };
struct review_error {
  review_refusal kind{};
  std::string text;
};

enum class review_verb : std::uint8_t { acknowledge, approve, reject, withdraw };

/// A decision about one proposal.
struct review_decision {
  review_verb verb{};
  std::string actor;
  std::string text;
  std::optional<std::uint64_t> version; ///< the version that was looked at; another one is a conflict
};

[[nodiscard]] bool is_open(const config_proposal& p);    ///< pending or acknowledged
[[nodiscard]] bool is_settled(const config_proposal& p); ///< neither open nor being applied

/// Follows a person's decision. The author approves nothing of their own, however often they ask (I11).
/// @errors conflict: it is not open any more, or another version than the one looked at; forbidden: the author.
[[nodiscard]] std::expected<void, review_error> review(config_proposal& p, const review_decision& decision,
                                                       instant now);

/// What time alone does to a proposal.
enum class review_event : std::uint8_t { none, reminder, escalation, approval, expiry };

/// When time alone changes something next, and what.
struct review_outlook {
  std::optional<instant> at;
  review_event event{review_event::none};
};
[[nodiscard]] review_outlook next_review(const config_proposal& p, const review_settings& settings);

/// Follows the timers by one event; call again until none.
[[nodiscard]] review_event expire_review(config_proposal& p, const review_settings& settings, instant now);

/// Ends a proposal without a person. @param state  approved, stale, withdrawn, rejected, applied or expired.
void settle(config_proposal& p, review_state state, std::string by, std::string why, instant now);

[[nodiscard]] constexpr std::string_view name_of(review_state state) {
  switch (state) {
  case review_state::pending: return "pending";
  case review_state::acknowledged: return "acknowledged";
  case review_state::approved: return "approved";
  case review_state::rejected: return "rejected";
  case review_state::applied: return "applied";
  case review_state::expired: return "expired";
  case review_state::stale: return "stale";
  case review_state::withdrawn: return "withdrawn";
  }
  return "?";
}

[[nodiscard]] constexpr std::string_view name_of(review_event event) {
  switch (event) {
  case review_event::none: return "";
  case review_event::reminder: return "reminds";
  case review_event::escalation: return "escalates to HIGH";
  case review_event::approval: return "applies by itself";
  case review_event::expiry: return "expires";
  }
  return "?";
}

} // namespace homeostat
