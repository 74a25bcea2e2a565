#pragma once

#include "policies/authority/authority.hpp"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace homeostat::sim {

/// An authority over real governors and plants that do as they are told, in virtual time. What it kept survives
/// `restart`; what was on its way does not.
class authority_world {
public:
  explicit authority_world(authority_config config);

  /// Feeds one input and carries out what it asks for. @returns the effects, for their answer.
  authority_effects feed(const authority_input& input);
  /// Every loop reports. @param metrics  of the rules of one loop; the others sense nothing.
  void observe(const std::string& loop = {}, std::vector<std::optional<double>> metrics = {});
  /// A governor gets a window of telemetry.
  void sense(const std::string& loop, const objective_window& window);
  /// Time passes; timers go off at their times, loops report every `every`.
  void pass(duration span, duration every = 1min);
  /// The process dies between any two of its steps and starts again from what was kept.
  void restart();

  /// A person or program changes values through the governor.
  command_result command(const std::string& loop, operator_command c);
  /// Somebody changes the plant itself.
  void meddle(const std::string& loop, knob_values values);

  [[nodiscard]] const config_proposal& proposal_of(std::uint64_t id) const { return state.proposals.at(id); }
  [[nodiscard]] const knob_values& in_force(const std::string& loop) const { return loops.at(loop).plant; }

  struct governed {
    governor_config config;
    governor_state core;
    knob_values plant;
    std::vector<std::uint64_t> applied; ///< proposals by number, one entry per step that came into force
    std::vector<audit_record> records;
  };

  authority_config config;
  authority_state state;
  std::map<std::string, governed> loops;
  std::vector<audit_record> records;
  std::vector<authority_notice> notices;
  instant now{1'000'000s};
  bool lose_answers{false}; ///< receipts of governors do not come back
  bool hold_requests{false};
  std::size_t looks_without_time{0}; ///< the authority wants to be asked again at once: it would spin

  /// The governor of a loop decides a request, and its answer comes back or is lost.
  void give(const loop_request& r);
  /// As give, but nobody hears of it.
  void apply(const loop_request& r) { decide_at(loops.at(r.loop), r.wanted); }

private:
  proposal_verdict decide_at(governed& g, const governor_input& input);

  authority_memory kept_;
  std::map<std::uint64_t, config_proposal> kept_proposals_;
  std::map<std::string, config_recommendation> kept_advice_;
};

/// A loop with memory (128..1152 MB, default 256) and pool (1..101, default 20).
[[nodiscard]] governed_loop loop_of(const std::string& name);
[[nodiscard]] new_proposal wish_for(const std::string& loop, const std::string& knob, double value,
                                    const std::string& author = "ann");

} // namespace homeostat::sim
