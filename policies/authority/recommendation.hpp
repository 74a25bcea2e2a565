#pragma once

#include "policies/safety/knob.hpp"
#include "policies/time.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace homeostat {

// Advice beside the configuration, never applied by itself (design §8, pattern `recommend`; source: Feedback Loops,
// pattern 4). Its identity is what it recommends to which loop from which source, so that the same evidence seen a
// hundred times is one piece of advice, and one that was dismissed stays dismissed.

enum class advice_state : std::uint8_t { open, accepted, dismissed, snoozed, expired };
inline constexpr std::size_t advice_state_count = 5;

struct config_recommendation {
  std::string id; ///< stable: see id_of
  advice_state state{advice_state::open};
  std::string loop;
  std::string source;
  std::string author;             ///< who gave it first: somebody else has to approve it
  std::uint64_t base_revision{0}; ///< at the last sighting
  knob_values before;             ///< base point then
  knob_values values;             ///< recommended
  std::string evidence;           ///< of the last sighting
  double confidence{0};           ///< 0..1, of the last sighting
  std::optional<double> expected_gain;
  instant first_seen{};
  instant last_seen{};
  std::uint32_t seen{1};
  std::optional<instant> snoozed_until;
  std::string decided_by;
  std::string decision;
  friend bool operator==(const config_recommendation&, const config_recommendation&) = default;
};

/// @returns 16 hexadecimal digits, the same for the same loop, source, and wanted values of the knobs that change.
[[nodiscard]] std::string id_of(const config_recommendation& r);

/// The same advice again: renews evidence and expiry. Accepted and dismissed advice stays decided; expired advice opens
/// again.
void see_again(config_recommendation& known, const config_recommendation& seen, instant now);

/// Follows time. @returns true if the state changed.
[[nodiscard]] bool expire_advice(config_recommendation& r, duration expire_after, instant now);
/// @returns when time alone changes the state, if ever.
[[nodiscard]] std::optional<instant> next_advice(const config_recommendation& r, duration expire_after);

enum class advice_verb : std::uint8_t { accept, dismiss, snooze };
[[nodiscard]] constexpr std::string_view name_of(advice_state state) {
  switch (state) {
  case advice_state::open: return "open";
  case advice_state::accepted: return "accepted";
  case advice_state::dismissed: return "dismissed";
  case advice_state::snoozed: return "snoozed";
  case advice_state::expired: return "expired";
  }
  return "?";
}

/// A person's decision. @param until  end of the snooze, in the future; others ignore it.
/// @tparam advice  any kind of recommendation: with id, state, snoozed_until, decided_by and decision.
/// @errors one sentence: it is decided or expired already, or the snooze does not end in the future.
template <class advice>
[[nodiscard]] std::expected<void, std::string> decide_advice(advice& r, advice_verb verb, const std::string& actor,
                                                             const std::string& text, std::optional<instant> until,
                                                             instant now) {
  if (r.state != advice_state::open && r.state != advice_state::snoozed)
    return std::unexpected("recommendation " + r.id + " is " + std::string(name_of(r.state)) +
                           (r.decided_by.empty() ? "" : ", by " + r.decided_by) + ", expected open or snoozed");
  if (verb == advice_verb::snooze && (!until || *until <= now))
    return std::unexpected("recommendation " + r.id + ": a snooze ends in the future");
  r.state = verb == advice_verb::accept    ? advice_state::accepted
            : verb == advice_verb::dismiss ? advice_state::dismissed
                                           : advice_state::snoozed;
  r.snoozed_until = verb == advice_verb::snooze ? until : std::nullopt;
  r.decided_by = actor;
  r.decision = text;
  return {};
}

} // namespace homeostat
