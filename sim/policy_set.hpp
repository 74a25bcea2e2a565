#pragma once

#include "policies/authority/authority.hpp"
#include "policies/safety/governor.hpp"
#include "policies/search/adaptive_engine.hpp"
#include "policies/supervision/restart.hpp"
#include "policies/telemetry/window.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace homeostat::sim {

/// The policies under simulation: the production ones, unless a test plants a bug to prove that a checker sees it.
/// One set serves all threads: it has no state.
class policy_set {
public:
  policy_set() = default;
  policy_set(const policy_set&) = delete;
  policy_set& operator=(const policy_set&) = delete;
  virtual ~policy_set() = default;

  [[nodiscard]] virtual governor_step decide(const governor_config& config, governor_state state,
                                             const governor_input& input, instant now) const {
    return homeostat::decide(config, std::move(state), input, now);
  }
  [[nodiscard]] virtual governor_step recover(const governor_config& config, std::optional<governor_state> persisted,
                                              const std::optional<knob_values>& actual, instant now) const {
    return homeostat::recover(config, std::move(persisted), actual, now);
  }
  virtual std::optional<objective_window> take(sensor_state& s, const window_settings& settings,
                                               const telemetry_digest& digest, instant now) const {
    return homeostat::take(s, settings, digest, now);
  }
  [[nodiscard]] virtual engine_decision next_proposal(engine_state& s, const engine_settings& settings,
                                                      instant now) const {
    return homeostat::next_proposal(s, settings, now);
  }
  [[nodiscard]] virtual authority_effects authorise(const authority_config& config, authority_state& state,
                                                    const authority_input& input, instant now) const {
    return homeostat::decide(config, state, input, now);
  }
  [[nodiscard]] virtual authority_state start_authority(const authority_config& config, authority_memory memory,
                                                        instant now) const {
    return homeostat::start_authority(config, std::move(memory), now);
  }
  [[nodiscard]] virtual supervision_decision on_child_end(const supervision_settings& settings,
                                                          supervision_state& state,
                                                          const std::vector<child_restart>& children,
                                                          const std::vector<bool>& running, std::size_t ended,
                                                          bool abnormal, instant now) const {
    return homeostat::on_child_end(settings, state, children, running, ended, abnormal, now);
  }
};

} // namespace homeostat::sim
