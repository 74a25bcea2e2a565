#pragma once

#include "policies/search/search_strategy.hpp"
#include "policies/search/strategies.hpp"
#include "policies/search/trial.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace homeostat {

inline constexpr std::size_t largest_history_cap = 1'000'000; ///< some 200 MB of trials at 8 knobs
inline constexpr std::size_t largest_batch = 4096;            ///< candidates of one ask

/// What a batch search is given. Two solvers with equal settings and equal tells make equal asks, bit for bit (I7).
struct solver_settings {
  std::vector<knob_spec> space;          ///< 1 to 1000 knobs; `initial` is where local methods start
  std::uint64_t seed{0};                 ///< of all its random numbers
  std::optional<std::uint64_t> budget{}; ///< evaluations to ask for, 1..history_cap; absent: until the history is full
  std::string strategy{"auto"};          ///< a name of strategy_names()
  double probe_ratio{0.2};               ///< share of the budget that looks around before a method that needs it, 0..1
  std::size_t batch_size{1};             ///< candidates of an ask that names no number, 1..4096
  std::map<std::string, double> strategy_params{}; ///< see strategies.hpp; unknown names are errors
  std::size_t history_cap{10'000}; ///< most trials kept, 1..1,000,000; the search is finished when it is full
  friend bool operator==(const solver_settings&, const solver_settings&) = default;
};

enum class tell_refusal_kind : std::uint8_t {
  not_finite,        ///< value or cost is NaN or infinite, or cost is negative: measure again
  missing_parameter, ///< a knob has no value
  unknown_parameter, ///< a value for a knob the space has not
  inadmissible,      ///< a value the knob cannot take
  never_asked,       ///< no open candidate has these values: declare it as a seed
  duplicate,         ///< that candidate's result is known already
  history_full,      ///< history_cap is reached
};

/// Why a result was not taken. Nothing has changed then.
struct tell_refusal {
  tell_refusal_kind kind;
  std::string text; ///< one sentence: what was given and what is expected
};

enum class journal_kind : std::uint8_t { ask, tell, seed };

/// One step of the search's history. Asks carry the candidate, so that a replay can compare.
struct journal_entry {
  journal_kind kind{journal_kind::ask};
  std::uint64_t id{0};
  std::vector<double> values; ///< asks and seeds
  double value{0};            ///< tells and seeds
  double cost{1};
  friend bool operator==(const journal_entry&, const journal_entry&) = default;
};

/// A point to use, with what the solver expects of it.
struct recommendation {
  std::vector<double> values;
  double expected_value{0}; ///< the model's under noise, else the measured one
  bool from_model{false};   ///< true: the objective is noisy and a model chose among the points
};

// The public ask/tell interface of the batch search (design §6). Pure: no clock, no thread, no I/O; not synchronised.
// Memory is bounded by history_cap. Its state is its settings and its journal: replay() asks again for everything and
// compares each candidate with the recorded one.
class solver {
public:
  /// @returns a solver, or one sentence that names the setting, its value and the expected form.
  [[nodiscard]] static std::expected<solver, std::string> create(solver_settings settings);
  /// @returns a solver in the state the journal ends in, or which entry does not follow from those before it.
  [[nodiscard]] static std::expected<solver, std::string> replay(solver_settings settings,
                                                                 std::span<const journal_entry> journal);

  /// @param count  1..4096.  @returns that many new candidates, fewer near the end of the budget, none when finished().
  /// ask(n) is n times ask(1). A sequential method that waits for results is helped out with probe points.
  [[nodiscard]] std::vector<trial> ask(std::size_t count);
  [[nodiscard]] std::vector<trial> ask() { return ask(settings_.batch_size); }

  std::expected<void, tell_refusal> tell(std::uint64_t id, double value, double cost = 1);
  /// The open candidate with these values (the oldest, where there are several).  @returns its id.
  std::expected<std::uint64_t, tell_refusal> tell(const named_result& result);
  /// Warm start: a result nobody was asked for. Costs no budget.  @returns its id.
  std::expected<std::uint64_t, tell_refusal> add_seed(const named_result& result);

  /// @returns the trial with the smallest value told; nothing before the first.
  [[nodiscard]] std::optional<trial> best() const;
  /// @returns the point to use: best() on an exact objective; under noise the lowest posterior mean of a model of all
  ///          results, because the smallest of many noisy values is mostly luck. Nothing before the first result.
  [[nodiscard]] std::optional<recommendation> recommend() const;
  /// @returns true if no further candidate will be asked.
  [[nodiscard]] bool finished() const;

  [[nodiscard]] const solver_settings& settings() const { return settings_; }
  [[nodiscard]] const search_space& space() const { return *space_; }
  [[nodiscard]] std::span<const trial> trials() const { return trials_; }
  [[nodiscard]] std::span<const journal_entry> journal() const { return journal_; }
  [[nodiscard]] std::uint64_t asked() const { return asked_; }
  [[nodiscard]] std::size_t told() const { return history_.told.size(); }
  /// @returns which strategy was in charge from when on, and why; one entry for a fixed strategy.
  [[nodiscard]] std::span<const strategy_switch> switches() const { return strategy_->switches(); }

private:
  struct open_trial {
    std::uint64_t id;
    std::size_t ticket;
    bool filler; ///< a probe point that helps out a waiting method
    unit_point point;
  };

  explicit solver(solver_settings settings) : settings_(std::move(settings)) {}
  std::optional<trial> ask_one();
  void take(std::uint64_t id, double value);
  [[nodiscard]] std::expected<std::vector<double>, tell_refusal> values_of(const named_result& result) const;
  void count_remaining();

  solver_settings settings_;
  std::unique_ptr<search_space> space_;
  std::unique_ptr<search_strategy> strategy_;
  std::unique_ptr<search_strategy> filler_;
  std::vector<trial> trials_;
  std::vector<journal_entry> journal_;
  std::vector<open_trial> open_;
  search_history history_;
  std::uint64_t asked_{0};
};

} // namespace homeostat
