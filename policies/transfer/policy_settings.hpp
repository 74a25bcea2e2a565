#pragma once

#include "policies/transfer/transfer_policy.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <string>

namespace homeostat {

/// A pool's policy as text: the keys of its `transfer` section and their values, as the configuration has them.
using policy_settings_text = std::map<std::string, std::string>;

/// @returns every key with its value; what changed_policy() takes, it reads back exactly. `threshold_overrides.<type>`
/// and `rules.<name>` are there to be compared only.
[[nodiscard]] policy_settings_text settings_of(const transfer_policy& policy);

/// @param changes  of the keys that are knobs (policy_knobs.hpp).
/// @returns the policy with these keys changed, as check() passes it.
/// @errors  one sentence with key, value and expected form.
[[nodiscard]] std::expected<transfer_policy, std::string> changed_policy(transfer_policy policy,
                                                                         const policy_settings_text& changes);

/// @returns the keys of `to` whose values differ from those of `from`.
[[nodiscard]] policy_settings_text differences(const policy_settings_text& from, const policy_settings_text& to);

/// @returns a size in the largest unit that shows it exactly: `10 MiB`, `4097 B`; size_from() reads it back.
[[nodiscard]] std::string exact_size_text(std::uint64_t bytes);

} // namespace homeostat
