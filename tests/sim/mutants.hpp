#pragma once

#include "sim/policy_set.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace homeostat::sim {

/// One planted bug: the production policies with one duty left out.
struct mutant {
  std::string_view name;
  std::string_view invariant; ///< which one has to see it
  std::unique_ptr<policy_set> (*make)();
};

/// @returns the bugs planted into the authority.
[[nodiscard]] std::vector<mutant> authority_mutants();
/// @returns every planted bug, by the invariant it breaks.
[[nodiscard]] const std::vector<mutant>& all_mutants();

} // namespace homeostat::sim
