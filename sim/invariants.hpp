#pragma once

#include "sim/authority_checks.hpp"
#include "sim/measure.hpp"
#include "sim/scenario.hpp"

#include <array>
#include <bitset>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat::sim {

/// A broken invariant.
struct finding {
  std::string invariant; ///< "I1" .. "I12", as the design numbers them
  std::string what;
};

/// What the world looks like after one step, for the checks that need no history of their own. Absent parts are down.
struct world_view {
  const governor_state* governor{nullptr};
  const engine_state* engine{nullptr};
  const sensor_state* sensor{nullptr};
  const supervision_state* supervision{nullptr};
  const authority_state* authority{nullptr};
  const knob_values* plant{nullptr};
  std::size_t mail{0};          ///< messages and timers under way
  std::size_t audit_backlog{0}; ///< batches not yet durable
  std::size_t actuator_backlog{0};
  bool governor_booting{false};
  bool given_up{false}; ///< the supervisor has ended the loop's automation
  instant now{};
  duration at{0};
  duration calm_since{0}; ///< when the last fault period ended
};

/// Checks the design's invariants from facts: what the plant got, what became durable, what was measured, what was
/// decided. It shares types with the policies but none of their arithmetic: limits are counted again, by brute force,
/// over lists. `at` is true time; `now` is what the process's clock says.
class invariants {
public:
  explicit invariants(const scenario& s);

  // What the plant is and gets.
  void plant_starts(const knob_values& values);
  /// The actuator has put values into the plant. @param complete  false: only some of them.
  void applied(std::uint64_t generation, const knob_values& commanded, bool complete, duration at);
  /// The plant is back at its defaults: the process it lives in has ended.
  void plant_restarted(const knob_values& defaults, duration at);
  /// The plant no longer is what the actuator says: until the next honest apply nobody can know its values.
  void disturbed() { trusted_ = false; }

  // What was measured and what came of it.
  void measured(std::uint32_t truth, duration begin, duration end);
  /// The source dated this digest wrongly. Delivered late enough, nobody can tell.
  void misdated(std::uint32_t truth);
  /// A loop that started without a reading of the plant has one now.
  void read(duration at);
  void counted(std::uint32_t truth, const telemetry_digest& digest, instant now);
  void window_closed(const objective_window& window);
  /// @returns true if a window holds what was measured under another configuration than it says: a change was under way
  ///          that the sensor had not heard of yet. Nothing may be built on such a window.
  [[nodiscard]] bool tainted(const objective_window& window) const;
  /// The proposer has put such a window to use. It counts once it changes anything.
  void engine_misled() { engine_misled_ = true; }
  void engine_told_of_change() { engine_misled_ = false; }
  void collection_dropped() { collected_.clear(); }

  // What the audit holds.
  void durable(const audit_record& record);
  void acknowledged(std::uint64_t ticket);

  // What was decided.
  void decided(const governor_input& input, const governor_state& after, const governor_effects& effects, instant now,
               duration at);
  void recovered(const governor_state* persisted, const std::optional<knob_values>& actual, const governor_step& step,
                 instant now, duration at);
  void governor_lost();
  void asked(const proposal& wish, duration at);
  void engine_started(duration at) { last_ask_ = at; }

  // What people were told.
  void command_given(operator_action action);
  void command_acknowledged(operator_action action);

  void stop_requested(bool revert, duration at);
  /// The loop has come to its end. @param excused  the audit or the actuator is gone: it stops as it is.
  void stopped(const governor_state& state, const knob_values& plant, duration at);

  /// What the restart policy decided about the end of one child. @param running  which children still ran.
  void supervised(const supervision_decision& d, std::size_t ended, const std::vector<bool>& running);
  /// The run does not come to its end.
  void overdue(std::string what) { fail("I12", std::move(what)); }

  void after_step(const world_view& view);

  [[nodiscard]] authority_checks& authority() { return authority_; }

  [[nodiscard]] const std::optional<finding>& first() const { return first_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_ ^ authority_.hash(); }

private:
  /// One change from intent on.
  struct change {
    std::uint64_t generation{0};
    change_origin origin{change_origin::proposal};
    proposal_kind kind{proposal_kind::update};
    knob_values wanted;
    bool overridden{false};
    bool automatic{false}; ///< asked for by the loop itself
    bool issued{false};    ///< handed to the actuator
    bool acknowledged{false};
    bool restarts{false}; ///< of a rollback: the first of a row of attempts
    duration issued_at{0};
    std::optional<duration> applied_at;
    std::string request; ///< of the authority
  };
  struct base_move {
    duration at{0};
    std::uint64_t generation{0};
    std::vector<double> moves;
  };
  struct era {
    duration since{0};
    std::uint64_t generation{0};
    bool by_apply{false};
    bool adopted{false}; ///< somebody else's values: whoever measures hears of it later
  };
  struct interval {
    duration begin{0};
    duration end{0};
    bool misdated{false};
  };
  /// What the checker believes the governor knows, from its records alone.
  struct shadow {
    std::uint64_t generation{0};
    std::uint64_t last_generation{0};
    std::uint64_t revision{0};
    knob_values live;
    knob_values base;
    knob_values baseline;
    std::bitset<safe_mode_reason_count> holds;
    instant last_window{};
    std::optional<double> last_objective;
    bool live_known{true};
  };

  void fail(std::string_view invariant, std::string what);
  void mix(std::uint64_t word) { hash_ = (hash_ ^ word) * 0x9E3779B97F4A7C15ULL, hash_ ^= hash_ >> 29U; }
  void mix(const knob_values& values);
  void mix(const governor_effects& effects);
  [[nodiscard]] change* find(std::uint64_t generation);
  void take_records(std::span<const audit_record> records, duration at);
  void take_intent(const audit_record& r);
  void take_commit(const audit_record& r, duration at);

  // invariants_plant.cpp
  void check_bounds(const change& c);
  void check_record(const change& c);
  void check_step(const change& c);
  void check_pace(const change& c, duration at);
  void check_base_move(const change& c, duration at);
  void check_restore(change& c, duration at);

  // invariants_decisions.cpp
  void check_standing(const proposal& p, const governor_state& after);
  void check_issue(const governor_state& after, const governor_effects& effects, instant now, duration at);
  void check_failures(const governor_input& input, const governor_effects& effects, instant now);
  void note_window(const governor_input& input, const governor_state& after, instant now);

  // invariants_recovery.cpp
  [[nodiscard]] bool half_done(const knob_values& actual, const governor_state& persisted) const;
  void check_outcome(const governor_state& persisted, const knob_values& actual, const governor_step& step);
  void check_holds_kept(const governor_state& persisted, const governor_state& after, instant now);

  // invariants_progress.cpp
  void check_sizes(const world_view& v);
  void check_at_rest(const world_view& v);
  void check_timers(const world_view& v);
  void check_progress(const world_view& v);
  void check_end(const world_view& v);

  const scenario& scenario_;
  const std::vector<knob_spec>& knobs_;
  std::vector<knob_range> ranges_;
  std::optional<finding> first_;
  std::uint64_t hash_{0x243F6A8885A308D3ULL};

  authority_checks authority_;
  shadow shadow_;
  std::deque<change> changes_;          ///< the last few
  std::uint64_t pending_generation_{0}; ///< of the change whose answer is awaited; 0 = none
  std::uint64_t pending_ticket_{0};
  std::vector<std::uint8_t> introduced_; ///< durable introducing records per generation
  std::uint64_t last_introduced_{0};
  std::uint64_t outcome_due_{0}; ///< a durable intent that was carried out, its outcome not recorded yet; 0 = none
  std::uint64_t last_applied_{0};
  knob_values last_applied_values_;
  std::vector<duration> proposals_applied_; ///< times
  std::vector<duration> probes_applied_;
  std::vector<duration> rollbacks_applied_; ///< automatic ones that moved the plant
  std::vector<duration> restores_applied_;
  std::optional<duration> last_applied_at_;
  std::vector<base_move> moves_;
  bool trusted_{true};

  std::vector<era> eras_;
  std::vector<interval> truths_;
  std::deque<std::pair<std::uint64_t, instant>> tainted_; ///< windows, by generation and end
  bool engine_misled_{false};
  std::vector<bool> used_; ///< truths that went into a window
  struct collected {
    std::uint32_t truth;
    double objective;
  };
  std::vector<collected> collected_;

  std::vector<instant> actuator_failures_;
  std::vector<instant> hostile_;
  std::optional<bool> paused_for_certain_; ///< a pause was acknowledged and nothing ended it
  operator_action last_command_{};

  duration last_ask_{0};
  duration free_since_{0};
  duration running_since_{0};
  duration booting_since_{0};
  duration known_since_{0};
  bool was_known_{false};
  bool was_frozen_{true};
  bool was_booting_{false};
  std::optional<duration> stop_at_;
  bool revert_{false};
  duration same_time_{-1};
  std::uint32_t steps_at_same_time_{0};
};

} // namespace homeostat::sim
