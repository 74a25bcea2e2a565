#pragma once

#include "runtime/ports/plant.hpp"

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// Reads lines of `name value`, as in Prometheus' text format without labels: blank lines and lines that begin with #
/// are passed over.
/// @returns the values; one sentence naming the line when it is anything else, a name comes twice, or a value is not a
///          finite number.
[[nodiscard]] std::expected<named_values, std::string> parse_named_values(std::string_view text);

/// A system reached by running three programs of its operator's, without a shell.
///
/// `sense` prints the metrics of the interval since it was last run; a metric named `requests` gives the number of
/// samples, else each reading counts as one. `apply` gets each knob as the environment variable HOMEOSTAT_KNOB_<NAME>;
/// `read_back` then prints the values in force, by knob name.
class command_plant final : public plant_sensor, public plant_actuator {
public:
  /// Each is a program with its arguments, not empty.
  command_plant(std::vector<std::string> sense, std::vector<std::string> apply, std::vector<std::string> read_back);

  std::expected<reading, plant_error> read(instant now, duration patience) override;
  /// Of the patience, what `apply` leaves is for `read_back`.
  std::expected<named_values, plant_error> apply(const named_values& wanted, duration patience) override;
  std::expected<named_values, plant_error> read_back(duration patience) override;

private:
  std::vector<std::string> sense_;
  std::vector<std::string> apply_;
  std::vector<std::string> read_back_;
  std::mutex mutex_; ///< guards what follows
  instant last_read_{};
  bool was_read_{false};
};

} // namespace homeostat
