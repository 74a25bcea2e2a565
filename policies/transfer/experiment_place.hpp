#pragma once

#include <cstdint>
#include <string_view>

namespace homeostat {

/// The two settings that an experiment compares (experiment.hpp).
enum class experiment_arm : std::uint8_t { control, treatment };
inline constexpr std::size_t experiment_arm_count = 2;
[[nodiscard]] constexpr std::string_view name_of(experiment_arm arm) noexcept {
  return arm == experiment_arm::control ? "control" : "treatment";
}

/// Where one session stands in an experiment of its pool: a decision carries it, the outcome gives it back.
struct experiment_place {
  std::uint64_t experiment{0}; ///< number within the process; 0: in none
  std::uint64_t session{0};    ///< hash of its name, salted with the experiment's
  experiment_arm arm{experiment_arm::control};
  friend bool operator==(const experiment_place&, const experiment_place&) = default;
};

} // namespace homeostat
