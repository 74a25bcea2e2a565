#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace homeostat {

/// What a caller of the API may ask for. Every route names exactly one.
enum class permission : std::uint8_t {
  read,            ///< look at everything
  command,         ///< pause, resume, rollback, safe-mode reset, baseline; verbs of drift and recommendations
  propose,         ///< put a proposal beside the configuration
  approve,         ///< approve or reject what others proposed
  override_values, ///< set values by hand
  administer,      ///< what changes who may do what
};
inline constexpr std::size_t permission_count = 6;

/// Who a caller is to the node. A proposer is a program that suggests: it reads and proposes and nothing else. Operator
/// and approver exclude each other's last word on purpose: who sets values by hand does not also approve proposals, so
/// that a proposal of risk HIGH passes under two pairs of eyes.
enum class role : std::uint8_t { viewer, proposer, operator_, approver, admin };
inline constexpr std::array all_roles{role::viewer, role::proposer, role::operator_, role::approver, role::admin};

/// @returns whether a role has a permission. Anything that is not in the table is refused.
[[nodiscard]] bool permits(role who, permission what);

/// @returns the role's name in token files and on the command line: viewer, proposer, operator, approver, admin.
[[nodiscard]] std::string_view name_of(role who);
/// @returns the permission's name in refusals and in /openapi.json.
[[nodiscard]] std::string_view name_of(permission what);
/// @returns the role of that exact name; nothing for any other text.
[[nodiscard]] std::optional<role> role_from(std::string_view name);

} // namespace homeostat
