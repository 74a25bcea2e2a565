#pragma once

#include "sim/invariants.hpp"
#include "sim/kernel.hpp"
#include "sim/policy_set.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace homeostat::sim {

/// What people and programs did with the authority, and what came of it, over all its lives.
struct authority_tally {
  std::uint64_t starts{0};
  std::uint64_t opened{0};
  std::uint64_t requests{0};
  std::uint64_t orders{0};
  std::array<std::uint64_t, review_state_count> settled{};
};

/// Calls, observations and verdicts -> the authority's policy -> audit and store, then answers, requests to the
/// governors, and orders. As in production: nothing is told or asked before what goes with it is durable, and when it
/// cannot be made durable, the actor ends and starts again from what was kept.
class authority_actor {
public:
  authority_actor(kernel& k, const scenario& s, const policy_set& policies, invariants& check);
  void start();
  void end();
  void on(memory_mail& m);
  void on(const batch_result& r);
  void on(const call_mail& m);
  void on(const status_answer& a);
  void on(const request_reply& r);
  void on(const page_request&);
  void on(const alarm_mail& a);

  /// @returns null while it is down or loading.
  [[nodiscard]] const authority_state* state() const { return phase_ == phase::running ? &state_ : nullptr; }
  [[nodiscard]] const authority_tally& tally() const { return tally_; }

private:
  enum class phase : std::uint8_t { down, loading, running };
  /// What may only happen once everything before it is durable.
  struct held {
    authority_effects effects;
    std::optional<std::uint64_t> call;
  };
  /// What has changed since the last batch.
  struct gathered {
    std::vector<audit_record> records;
    std::set<std::uint64_t> proposals;
    std::set<std::string> advice;
    bool ledger{false};
  };
  /// A call that waits until the loops it is about have been looked at.
  struct looking {
    call_mail call;
    std::size_t open{0};
  };
  struct question {
    std::string loop;
    std::optional<std::uint64_t> call; ///< that waits for the answer
  };

  void feed(const authority_input& input, std::optional<std::uint64_t> call = std::nullopt);
  void write_next();
  void release(const std::vector<held>& all);
  void answer(const held& h);
  void ask(const loop_request& r);
  void observe(const std::string& loop, std::optional<std::uint64_t> call = std::nullopt);
  void observed(const question& q);
  void send_out(party to, const mail& content);
  [[nodiscard]] std::unique_ptr<const authority_batch> batch_of(const gathered& changes) const;
  [[nodiscard]] std::vector<std::optional<double>> metrics(const std::string& loop);
  [[nodiscard]] static party party_of(const std::string& loop) {
    return loop == "loop" ? party::governor : party::neighbour;
  }

  kernel& kernel_;
  const scenario& scenario_;
  const policy_set& policies_;
  invariants& check_;
  draw draw_;
  phase phase_{phase::down};
  authority_state state_;
  gathered changes_;
  std::vector<held> held_;    ///< decided, and not on its way to the store yet
  std::vector<held> writing_; ///< goes with the batch under way
  std::optional<std::uint64_t> batch_;
  std::map<std::uint64_t, looking> looking_;
  std::map<std::uint64_t, question> questions_;
  std::map<std::uint64_t, std::string> requests_; ///< loops, by token
  std::uint64_t batches_{0};
  std::uint64_t tokens_{0};
  std::uint64_t load_token_{0};
  std::uint64_t look_token_{0};
  authority_tally tally_;
};

} // namespace homeostat::sim
