#pragma once

#include "policies/authority/recommendation.hpp"
#include "policies/transfer/recommendation_outcome.hpp"
#include "policies/transfer/transfer_policy.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// Advice on a pool's transfer settings from what was recorded: what to write, what it should gain, and how surely.
// Nothing is claimed for sizes that were seen with one method only.

/// The pool's settings as far as advice concerns them; the names of the keys are the configuration's.
struct transfer_settings_view {
  std::string pool;
  std::uint64_t zero_copy_threshold{10ULL << 20U}; ///< bytes
  std::uint64_t minimum_threshold{1ULL << 20U};    ///< bytes, below: always serialised
  std::uint64_t maximum_threshold{1ULL << 30U};    ///< bytes, above: always shared
  double exploration_rate{0.05};
  bool learning_enabled{true};
  double memory_pressure_threshold{0.8}; ///< 0..1
  double cpu_pressure_threshold{0.8};    ///< 0..1
};

/// @returns the settings of a policy.
[[nodiscard]] transfer_settings_view settings_view_of(std::string pool, const transfer_policy& policy);
/// @returns the present value of a key as advice writes it; empty for a key that no advice concerns.
[[nodiscard]] std::string value_of(const transfer_settings_view& settings, std::string_view key);

struct advice_settings {
  double least_gain{0.02};        ///< share of the pool's transfer time that is worth a change
  double confidence{0.95};        ///< of every interval
  std::uint32_t min_windows{5};   ///< of each method before its latency is known, >= 3
  duration expire_after{24h * 7}; ///< not seen again for so long
  std::size_t most{128};          ///< pieces remembered of a pool; the longest unseen go first, never open ones
  friend bool operator==(const advice_settings&, const advice_settings&) = default;
};

struct transfer_recommendation {
  std::string id; ///< stable: hash of pool, key and value
  advice_state state{advice_state::open};
  std::string pool;
  std::string key;                    ///< configuration key
  std::string value;                  ///< wanted, as in the configuration
  std::string before;                 ///< in force when last seen
  std::string snippet;                ///< YAML, ready to be merged
  std::string evidence;               ///< one sentence
  std::optional<expected_share> gain; ///< nothing where the records cannot tell
  std::uint32_t effort{
      1};          ///< 1: one key, at once, reversible; 2: moves a limit of the quick path; 3: changes how it learns
  double score{0}; ///< impact over effort: lower end of the gain / effort
  instant first_seen{};
  instant last_seen{};
  std::uint32_t seen{1};
  std::string decided_by;
  std::string decision;             ///< in words
  std::optional<instant> decided{}; ///< when
  std::optional<instant> snoozed_until{};
  std::string proposal;                            ///< what it became before the authority; empty: nothing
  std::optional<instant> applied{};                ///< when that came into force
  std::optional<recommendation_outcome> outcome{}; ///< measured since
  bool measured{false};                            ///< to the end: the outcome stays
  friend bool operator==(const transfer_recommendation&, const transfer_recommendation&) = default;
};

/// @param windows  of the pool's series, by windows_of.
/// @returns what is worth recommending, the best first.
[[nodiscard]] std::vector<transfer_recommendation>
recommend(const transfer_settings_view& pool, const std::map<series_key, std::vector<metrics_window>>& windows,
          const advice_settings& settings, instant now);

/// Merges fresh advice into what is known: the same advice, or a size within one class of it, renews the known one
/// under its identity; other advice for the same key takes its place, and what nobody saw for long expires. Accepted
/// and dismissed advice stays as decided, but for what was applied and is no longer in force: that opens again. Snoozed
/// advice opens at its time.
void merge_advice(std::vector<transfer_recommendation>& known, const std::vector<transfer_recommendation>& fresh,
                  const advice_settings& settings, instant now);

/// @returns whether two values of the advice's key are the same: sizes also where they are one class apart.
[[nodiscard]] bool is_same_value(const transfer_recommendation& of, std::string_view a, std::string_view b);

/// @returns 16 hexadecimal digits.
[[nodiscard]] std::string id_of(const transfer_recommendation& r);
/// @returns the YAML of a pool with one key of its transfer section. @param value  as in the configuration.
[[nodiscard]] std::string snippet_of(std::string_view pool, std::string_view key, std::string_view value,
                                     std::string_view comment);

} // namespace homeostat
