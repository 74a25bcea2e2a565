#pragma once

#include "policies/search/bayes_search.hpp"
#include "policies/search/cma_es.hpp"
#include "policies/search/quadratic_search.hpp"
#include "policies/search/search_strategy.hpp"
#include "policies/search/strategies.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace homeostat {

// Chooses the strategy while it searches; the default. It opens with the star and the steps of a quadratic model, which
// are at the same time the cheapest look at the landscape: a model that predicts its steps shows a structured one, and
// then nothing is faster. Errors as large as the predictions show a chaotic landscape or noise; one repeat of the
// incumbent tells which. Chaotic or converged: Bayesian search over the cube for a better basin, each of which is then
// finished by a local quadratic. Noisy: Bayesian search on a robust model to the end. Where Bayesian search found
// nothing in several goes, the evolution strategy has one, and from then on whichever gained more per evaluation goes
// first. Every switch is recorded with its reason.
// Refused: a fixed share of the budget for a probe, which costs the smooth objectives most of a small budget.
class auto_search final : public search_strategy {
public:
  auto_search(const search_space& space, strategy_settings settings);

  std::optional<candidate> propose(const search_history& history) override;
  void learn(std::size_t ticket, double value, const search_history& history) override;
  [[nodiscard]] std::span<const strategy_switch> switches() const override { return switches_; }
  [[nodiscard]] bool sees_noise(const search_history& /*history*/) const override { return noisy_; }

private:
  enum class stage : std::uint8_t { opening, exploring, evolving, polishing };
  struct issued {
    std::uint64_t generation; ///< of the local search or evolution it belongs to; 0 = the Bayesian search
    std::size_t ticket;
    stage from;
  };
  /// What a stage's evaluations brought, older ones fading.
  struct record {
    double gain{0}; ///< improvements of the best value, in distances from it to the median
    double evaluations{0};
    [[nodiscard]] double rate() const { return evaluations > 0 ? gain / evaluations : 0; }
  };

  void begin(const search_history& history);
  void enter(stage next, std::string to, std::string why, const search_history& history);
  void open_local(const unit_point& start, double radius);
  void review(const search_history& history);
  void review_local(const search_history& history);
  void review_exploring(const search_history& history);
  void review_evolving(const search_history& history);
  void next_explorer(const search_history& history);
  void note_gain(stage from, double value, const search_history& history);
  void judge_repeat(double value, const search_history& history);
  [[nodiscard]] bool polished(const search_history& history) const;

  const search_space* space_;
  strategy_settings settings_;
  stage stage_{stage::opening};
  bool begun_{false};
  std::unique_ptr<quadratic_search> local_;
  std::uint64_t generation_{0};
  bayes_search bayes_;
  std::unique_ptr<cma_search> evolution_;
  std::uint64_t evolution_generation_{0};
  std::array<record, 4> records_{}; ///< by stage
  double best_before_{0};
  std::uint64_t fruitless_{0}; ///< goes at exploring that ended where they began
  std::map<std::size_t, issued> issued_;
  std::size_t next_ticket_{0};
  std::optional<std::size_t> repeat_ticket_; ///< the repeat being waited for
  bool repeat_wanted_{false};
  bool repeated_{false};
  double repeat_of_{0};
  bool noisy_{false};
  double polished_value_{0}; ///< best value a finished local search ended with
  bool any_polished_{false};
  std::vector<strategy_switch> switches_;
};

} // namespace homeostat
