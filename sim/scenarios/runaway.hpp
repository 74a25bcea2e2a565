#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat::sim {

/// One number of a scenario, without the mitigation and with it.
struct runaway_figure {
  std::string_view name; ///< with its unit
  double without{0};
  double with{0};
};

/// One of the five ways in which feedback runs away (source: Feedback Loops, "Risks of Runaway Feedback"), as a plant
/// under the production policies in virtual time: it really runs away when its mitigation is taken out. A mitigation
/// whose absence changes nothing proves nothing.
struct runaway_scenario {
  std::string_view name;
  std::string_view risk;
  std::string_view mitigation;
  std::vector<runaway_figure> figures;

  /// @returns the figure of that name. @pre there is one
  [[nodiscard]] const runaway_figure& figure(std::string_view figure_name) const;
};

/// oscillation, noise, gaming, cascade, drift.
[[nodiscard]] std::vector<std::string_view> runaway_names();

/// Runs both sides of a scenario. @returns nothing if there is none of that name.
[[nodiscard]] std::optional<runaway_scenario> run_runaway(std::string_view name);

/// @returns both sides as a table for people.
[[nodiscard]] std::string as_table(const runaway_scenario& s);

} // namespace homeostat::sim
