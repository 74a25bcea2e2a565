#pragma once

#include "policies/safety/audit_record.hpp"
#include "policies/safety/guardrails.hpp"
#include "policies/safety/knob.hpp"
#include "policies/safety/movement.hpp"
#include "policies/safety/proposal.hpp"
#include "policies/safety/rate_limit.hpp"
#include "policies/safety/regression.hpp"
#include "policies/safety/safe_mode.hpp"
#include "policies/telemetry/window.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace homeostat {

// The safety executor: the sole path to a live value (design §3, I1..I5, §10).
//
// One change is in flight at a time and goes through two phases: its intent is durable in the audit, then it is applied
// and read back, then it is committed. What does not come into force is undone; what cannot be undone freezes the loop.
// The alternative, applying first and recording after, is refused: a crash between the two would leave a live value
// nobody can explain.

/// The settings of one governed loop. Checked by the configuration; never changed while the governor lives.
struct governor_config {
  std::string loop;
  std::vector<knob_spec> knobs; ///< 1..max_knobs
  guardrails limits;
  rollback_policy rollback;
  safe_mode_settings safe_mode;
  regression_settings regression;
  std::uint64_t epoch{0};     ///< fencing token of this owner
  bool watch_telemetry{true}; ///< false: nothing is sensed (an embedded loop fed by proposals alone)
  std::string origin{};       ///< tells apart the configurations that a plant starts from; empty: the plant keeps its
                              ///< values by itself
  duration drift_check{0};    ///< how often a resting plant's values are read back; 0: only at the start
};

/// The named, tested set of values that a rollback restores.
struct tested_baseline {
  std::string name;
  std::uint64_t revision{0};
  knob_values values;
  friend bool operator==(const tested_baseline&, const tested_baseline&) = default;
};

/// Live values that somebody changed outside: adopted as a revision, and to be reviewed by a person (design §8).
struct captured_drift {
  std::uint64_t revision{0};
  instant found_at{};
  knob_values desired; ///< what the base point was
  knob_values found;   ///< what it became
  friend bool operator==(const captured_drift&, const captured_drift&) = default;
};
/// Unreviewed ones a loop keeps; the oldest are only in the audit.
inline constexpr std::size_t max_captured_drifts = 16;

enum class change_origin : std::uint8_t { proposal, operator_change, rollback, retreat, undo };
enum class change_phase : std::uint8_t { awaiting_audit, awaiting_actuation };

/// The change in flight.
struct pending_change {
  std::uint64_t ticket{0}; ///< answers to other tickets are late and ignored
  std::uint64_t generation{0};
  change_phase phase{change_phase::awaiting_audit};
  change_origin origin{change_origin::proposal};
  proposal_kind kind{proposal_kind::update};
  std::uint64_t proposal_id{0};
  knob_values wanted;
  std::string actor;
  std::string reason;
  change_class classification{change_class::proposal}; ///< as its intent says
  std::string request{};                               ///< the authority's, if it is one
  friend bool operator==(const pending_change&, const pending_change&) = default;
};

/// A return to safer values that is still to be made, strongest last.
enum class wanted_restore : std::uint8_t { none, base_point, baseline };

struct governor_state {
  std::uint64_t generation{0};      ///< last committed
  std::uint64_t last_generation{0}; ///< last number used, committed or not
  std::uint64_t revision{0};
  std::uint64_t last_ticket{0};
  knob_values live;      ///< values of `generation`
  knob_values base;      ///< the base point: live without probes
  bool live_known{true}; ///< false after a change whose outcome could not be read back
  /// The plant has not been read since the loop's first start: nothing is written over values nobody has seen.
  bool unread{false};
  std::optional<tested_baseline> baseline;
  std::optional<pending_change> pending;
  wanted_restore restore{wanted_restore::none};
  std::string restore_actor; ///< who asked for the restore; "homeostat" when a guard did
  std::string restore_reason;
  rate_window updates; ///< every change
  rate_window probes;  ///< probes alone
  std::optional<instant> last_change;
  std::vector<knob_movement> movement;
  regression_state regression;
  bool base_judged{false};       ///< the present base point has been compared already
  rate_window rollbacks;         ///< automatic ones, per hour
  rate_window hostile;           ///< hostile refusals, per minute
  rate_window cumulative;        ///< refusals for cumulative delta, per minute
  rate_window actuator_failures; ///< per minute
  rate_window recorded_refusals; ///< refusals written to the audit one by one, per second
  std::uint64_t unrecorded_refusals{0};
  std::optional<instant> stable_until;
  safe_mode_state safe_mode;
  std::vector<captured_drift> drifts;     ///< oldest first
  std::string last_request;               ///< the authority's last request that came into force
  std::uint64_t last_request_revision{0}; ///< the one it made; later ones are somebody else's doing
  std::optional<instant> last_reading;    ///< of the plant's values, for the drift check
  std::optional<instant> last_window;     ///< last telemetry, or the start
  std::optional<double> last_objective;
  instant last_now{}; ///< time never runs backwards in here
  std::string origin; ///< of the configuration these values came from
  bool stopping{false};
  friend bool operator==(const governor_state&, const governor_state&) = default;
};

// ---- inputs
// ------------------------------------------------------------------------------------------------------------

enum class audit_status : std::uint8_t { durable, full, failed };
/// The audit's answer to a record that had to be durable.
struct audit_answer {
  std::uint64_t ticket{0};
  audit_status status{audit_status::durable};
  std::string text;
};
/// The actuator's answer: the values read back once in force, or why there are none.
struct actuation_answer {
  std::uint64_t ticket{0};
  bool ok{false};
  knob_values read_back;
  std::string text;
};
enum class operator_action : std::uint8_t {
  pause,
  resume,
  rollback,
  reset_safe_mode,
  set_baseline,
  set_values,
  accept_drift,
  revert_drift
};
/// A person's command.
struct operator_command {
  operator_action action{};
  std::string actor;           ///< who
  std::string text;            ///< reason, or the baseline's name
  knob_values values;          ///< set_values only
  bool override_bounds{false}; ///< set_values only: a human override, which the audit says (I1)
  std::uint64_t revision{
      0}; ///< accept_drift and revert_drift: which; set_values: only while it is the present one; 0: any
};
/// The supervisor gives up on the loop: its knobs go to the last good values and stay there.
struct give_up {
  std::string text;
};
/// Ordered shutdown. @param revert  true: back to the baseline, false: the base point stays.
struct stop_request {
  bool revert{false};
};
struct tick {};

/// The answer to `governor_effects::read_plant`.
struct plant_reading {
  std::optional<knob_values> values; ///< absent: the plant did not answer
};

using governor_input = std::variant<proposal, audit_answer, actuation_answer, objective_window, operator_command,
                                    give_up, stop_request, tick, plant_reading>;

// ---- effects
// -----------------------------------------------------------------------------------------------------------

struct actuation {
  std::uint64_t ticket{0};
  std::uint64_t generation{0};
  knob_values values;
};
struct proposal_verdict {
  std::uint64_t proposal_id{0};
  std::optional<receipt> accepted;
  std::optional<violation> refused;  ///< exactly one of the two is set; a rehearsal that would pass has the receipt of
                                     ///< what is live now
  std::vector<violation> findings{}; ///< of a rehearsal: what each guard that refuses would say
};
struct command_result {
  bool ok{false};
  std::string text;
  bool later{false}; ///< refused because of the moment only: who looks again and asks anew may be heard
};
/// What everyone who measures or proposes must know after a change came into force.
struct live_configuration {
  std::uint64_t generation{0};
  std::uint64_t revision{0};
  instant applied_at{}; ///< when the values were confirmed in force; on the first start, when the governor began
  knob_values values;
  knob_values base;
  bool frozen{false};
  knob_values baseline{}; ///< what a rollback restores; empty if unknown
  friend bool operator==(const live_configuration&, const live_configuration&) = default;
};

/// What to do now, in the order of the fields. `runtime/hotpath` and the governor actor each have one function enacting
/// it.
struct governor_effects {
  /// 1. Append these to the audit, in order, in one batch with the state if `persist`.
  std::vector<audit_record> records;
  /// 2. If set: answer `audit_answer` with this ticket once that batch is durable (or in the bounded queue, where the
  /// loop
  ///    declares it). Nothing below that concerns a live value may happen before.
  std::optional<std::uint64_t> durable_ticket;
  /// 3. Apply and read back; answer `actuation_answer`.
  std::optional<actuation> apply;
  /// Read the plant's values back, changing nothing; answer `plant_reading`.
  bool read_plant{false};
  /// 4. Tell the sensor and the proposer.
  std::optional<live_configuration> live;
  /// 5. Answer the proposer.
  std::optional<proposal_verdict> verdict;
  /// 6. Answer the operator.
  std::optional<command_result> command;
  /// The state must outlive a crash; goes with `records`.
  bool persist{false};
  /// When time alone changes something; ask again with `tick` then.
  std::optional<instant> look_again;
  /// Shutdown is complete: nothing is in flight and the values are those that shall stay.
  bool stopped{false};
};

struct governor_step {
  governor_state state;
  governor_effects effects;
};

/// @returns the state of a loop that has never run: baseline and live values are the knobs' defaults, named "default".
[[nodiscard]] governor_state fresh_state(const governor_config& config, instant now);

/// Decides one input. Windows whose objective is not a number of sane size (below 1e150) are no telemetry and are
/// ignored.
/// @param state  consumed; the next state is in the result. On a refusal it differs only in counters and timers.
/// @param now  time of this decision; a time before the last one is taken as the last one.
[[nodiscard]] governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                                   instant now);

/// What every guard would say to a proposal now. Decides nothing.
/// @param p  as for decide. @returns a verdict with `findings`, one at most of each kind of guard.
[[nodiscard]] proposal_verdict rehearse(const governor_config& config, const governor_state& state, const proposal& p,
                                        instant now);

/// Starts from what survived (I9, I10). With a change in flight: read back as wanted = committed, as before = aborted,
/// some knobs wanted and the others as before = aborted and undone (I3), anything else = drift. Drift is adopted, never
/// reverted in silence; outside the bounds it freezes the loop until a person has brought it back. If the set of knobs
/// or the origin has changed, values start from the defaults, while safe mode, timers and used-up budgets carry over.
/// @param persisted  last durable state, absent on the first start.
/// @param actual  values the plant reports now; absent, of another number or not finite if it does not answer: the loop
/// then
///                starts frozen. After a known state it restores that after the cooldown; on the first start it waits
///                for an operator or for `recover` with an answer, because it never writes to a plant it has never
///                read.
/// @param now  may lie before the persisted times (the clock was set back): timers then restart from now, never
/// shorter.
[[nodiscard]] governor_step recover(const governor_config& config, std::optional<governor_state> persisted,
                                    const std::optional<knob_values>& actual, instant now);

} // namespace homeostat
