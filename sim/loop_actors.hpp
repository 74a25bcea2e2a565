#pragma once

#include "sim/invariants.hpp"
#include "sim/kernel.hpp"
#include "sim/policy_set.hpp"
#include "sim/source.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace homeostat::sim {

/// Source -> digests -> windows.
class sensor_actor {
public:
  sensor_actor(kernel& k, const scenario& s, const policy_set& policies, telemetry_source& source, invariants& check);
  void start();
  void end();
  void on(const digest_mail& m);
  void on(const stream_mail& m);
  void on(const live_configuration& live);
  [[nodiscard]] const sensor_state* state() const { return running_ ? &state_ : nullptr; }
  [[nodiscard]] std::uint64_t windows() const { return windows_; }
  /// Faults by kind, over all the lives of the sensor.
  [[nodiscard]] const std::array<std::uint64_t, digest_fault_count>& faults() const { return faults_; }

private:
  kernel& kernel_;
  const scenario& scenario_;
  const policy_set& policies_;
  invariants& check_;
  telemetry_source& source_;
  bool running_{false};
  instant started_{};
  std::uint32_t stream_{0};
  sensor_state state_;
  std::uint64_t windows_{0};
  std::array<std::uint64_t, digest_fault_count> faults_{};
};

/// Windows -> strategy -> proposals.
class engine_actor {
public:
  engine_actor(kernel& k, const scenario& s, const policy_set& policies, invariants& check);
  void start();
  void end();
  /// The process is gone: what was not saved is lost, unless nothing ever is.
  void on_process_end();
  void on(const live_configuration& live);
  void on(const objective_window& w);
  void on(const proposal_verdict& v);
  void on(const failed_request&);
  void on(const alarm_mail& a);
  [[nodiscard]] const engine_state* state() const { return running_ ? &state_ : nullptr; }
  [[nodiscard]] std::uint64_t updates() const { return updates_; }
  /// Refusals of its own proposals by reason: a strategy that keeps inside its guardrails has few.
  [[nodiscard]] const std::array<std::uint64_t, violation_code_count>& refusals() const { return refusals_; }

private:
  void poll();

  kernel& kernel_;
  const scenario& scenario_;
  const policy_set& policies_;
  invariants& check_;
  bool running_{false};
  bool ready_{false}; ///< the live configuration has come
  engine_state state_;
  std::optional<engine_state> saved_;
  std::uint64_t answer_token_{0};
  std::uint64_t look_token_{0};
  std::uint64_t updates_{0};
  std::array<std::uint64_t, violation_code_count> refusals_{};
};

/// What the governor did, over all its lives.
struct governor_tally {
  std::uint64_t decisions{0};
  std::uint64_t committed{0};
  std::uint64_t aborted{0};
  std::uint64_t rollbacks{0};
  std::uint64_t drifts{0};
  std::uint64_t recoveries{0};
  std::array<std::uint64_t, violation_code_count> refusals{};
  std::array<std::uint64_t, safe_mode_reason_count> safe_modes{};
};

/// Proposals, windows and commands -> the safety executor -> audit, actuator, and everyone who listens. The one place
/// that carries out governor_effects, in the order that is written on them.
class governor_actor {
public:
  governor_actor(kernel& k, const scenario& s, const policy_set& policies, invariants& check);
  /// @param text  if not empty: the supervisor has given up, and this is why.
  void start(std::string give_up_text);
  void end();
  void on(proposal_mail& m);
  void on(const audit_answer& a);
  void on(const actuation_answer& a);
  void on(const batch_answer& a);
  void on(const objective_window& w);
  void on(const operator_command& c);
  void on(load_answer& a);
  void on(const read_answer& a);
  void on(const subscribe& s) { tell(s.who); }
  void on(const status_request& r);
  void on(const order_mail& o);
  void on(const stop_request& s);
  void on(const alarm_mail& a);
  /// Tells a listener that has just started.
  void tell(party listener);

  [[nodiscard]] const governor_state* state() const { return phase_ == phase::running ? &state_ : nullptr; }
  /// @returns the state it had when it stopped or ended.
  [[nodiscard]] const governor_state& last_state() const { return state_; }
  [[nodiscard]] bool booting() const { return phase_ == phase::loading || phase_ == phase::reading; }
  [[nodiscard]] const governor_tally& tally() const { return tally_; }

private:
  enum class phase : std::uint8_t { down, loading, reading, running, stopped };
  /// Who waits for a verdict or for the answer to a command.
  struct requester {
    party who{};
    std::uint64_t token{0}; ///< the authority's
  };
  void decide(const governor_input& input, std::optional<requester> from = std::nullopt);
  void enact(governor_effects effects, std::optional<requester> from, operator_action command);
  void answer(const requester& to, const proposal_verdict& verdict);
  void hand_over_records(governor_effects& effects);
  void recover(const std::optional<knob_values>& actual);
  void ask_store();
  void count(const governor_effects& effects);
  void trace(const governor_effects& effects);

  struct unanswered_command {
    std::uint64_t batch;
    party to;
    command_answer answer;
  };

  kernel& kernel_;
  const scenario& scenario_;
  const policy_set& policies_;
  invariants& check_;
  phase phase_{phase::down};
  governor_state state_;
  std::unique_ptr<governor_state> persisted_;
  std::string give_up_text_;
  std::optional<requester> requester_;      ///< of the proposal in flight
  std::optional<live_configuration> live_;  ///< last announced
  std::deque<unanswered_command> commands_; ///< answered once their records are durable
  std::optional<stop_request> stop_;        ///< came while starting
  std::uint64_t batches_{0};
  std::uint64_t start_token_{0};
  std::uint64_t read_token_{0}; ///< of the reading asked for while running
  std::uint64_t look_token_{0};
  governor_tally tally_;
};

} // namespace homeostat::sim
