#pragma once

#include "policies/safety/knob.hpp"
#include "policies/transfer/transfer_policy.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// A pool's policy as the knobs of a loop, named as in the configuration, so that changing it meets the same guards as
// any other change. Rules and thresholds of single types are lists and stay outside: they have no scale.

/// @param initial  gives the knobs' defaults; as check() passes it.
/// @returns the knobs with check()'s bounds, in the order of the configuration's documentation.
[[nodiscard]] std::vector<knob_spec> policy_knobs(const transfer_policy& initial);

/// @returns every knob's value by name. A minimum_threshold of 0 is 1, its knob's least value: no buffer lies between.
[[nodiscard]] std::map<std::string, double> knobs_of(const transfer_policy& policy);

/// @param values  by knob; what is left out stays.
/// @returns the policy with these values, not yet checked as a whole. @errors  one sentence naming a knob there is not,
///          or a value outside its bounds.
[[nodiscard]] std::expected<transfer_policy, std::string> with_knobs(transfer_policy policy,
                                                                     const std::map<std::string, double>& values);

/// @returns the same text for equal policies, another one for others.
[[nodiscard]] std::string fingerprint(const transfer_policy& policy);

/// Reads one value as it is written in the configuration: `minimize_latency`, `10 MiB`, `0.05`, `true`; a size also
/// as a plain number of bytes.
/// @returns the knob's value. @errors  one sentence "KEY is 'TEXT', expected FORM".
[[nodiscard]] std::expected<double, std::string> policy_knob_from(const std::string& key, const std::string& text);

/// Reads values as policy_knob_from does, by key. @errors  its words on the first that cannot be read.
[[nodiscard]] std::expected<std::map<std::string, double>, std::string>
policy_knobs_from(const std::map<std::string, std::string>& changes);

/// @returns the bytes of `10 MiB`, `512KiB`, `4096 B`; nothing for anything else, or for more than 1e15.
[[nodiscard]] std::optional<std::uint64_t> size_from(std::string_view text);

} // namespace homeostat
