#include "policies/search/auto_search.hpp"

#include "policies/number_text.hpp"
#include "policies/search/classify.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr double opening_radius = 0.25;
constexpr double finest_radius = 1e-5; ///< a local search is finished here: its error is then some 1e-10 of the bowl
constexpr double misfit_limit = 0.5;   ///< smoothed relative error of the model's steps that calls for other means
constexpr std::uint64_t misfit_steps = 3;
constexpr double polish_edge = 0.03;        ///< the Bayesian region has closed in on a basin
constexpr double fruitless_edge = 0.1;      ///< so far closed in on a basin that is finished already: begin elsewhere
constexpr std::uint64_t fruitless_goes = 3; ///< before the evolution strategy is tried
constexpr double fading = 0.98;             ///< of a stage's record with each of its evaluations
constexpr std::size_t largest_local = 128;  ///< dimensions beyond which the interpolation system is too slow

std::string percent(double share) { return number_text(std::round(100 * share)) + " %"; }

double spread_of(const search_history& history) {
  std::vector<double> values;
  for (const observation& o : history.told) values.push_back(o.value);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle - history.told[history.best].value;
}

} // namespace

auto_search::auto_search(const search_space& space, strategy_settings settings)
    : space_(&space), settings_(std::move(settings)),
      bayes_(space, {.seed = settings_.seed, .probes = 2 * space.size() + 1}) {
  const auto declared = settings_.params.find("noisy");
  noisy_ = declared != settings_.params.end() && declared->second >= 0.5;
  if (noisy_) bayes_.expect_noise();
}

void auto_search::enter(stage next, std::string to, std::string why, const search_history& history) {
  const std::string from = switches_.empty() ? "" : switches_.back().to;
  switches_.push_back({history.told.size(), from, std::move(to), std::move(why)});
  stage_ = next;
}

void auto_search::open_local(const unit_point& start, double radius) {
  ++generation_;
  local_ = std::make_unique<quadratic_search>(
      *space_, quadratic_settings{.start = start, .first_radius = radius, .last_radius = finest_radius});
}

void auto_search::begin(const search_history& history) {
  begun_ = true;
  const std::uint64_t star = 2 * space_->size() + 1;
  if (noisy_) return enter(stage::exploring, "bayes", "the objective is declared noisy", history);
  if (!space_->is_smooth()) return enter(stage::exploring, "bayes", "some knobs have few values or no order", history);
  if (space_->size() > largest_local || (history.remaining && *history.remaining < star + 2))
    return enter(stage::exploring, "bayes", "the budget is too small for a star of " + std::to_string(star), history);
  open_local(history.told.empty() ? settings_.start : history.told[history.best].point, opening_radius);
  enter(stage::opening, "quadratic", "a smooth space: look at the landscape with a quadratic model", history);
}

std::optional<candidate> auto_search::propose(const search_history& history) {
  if (!begun_) begin(history);
  review(history);
  if (repeat_wanted_ && !history.told.empty()) {
    repeat_wanted_ = false;
    repeat_ticket_ = next_ticket_;
    repeat_of_ = history.told[history.best].value;
    return candidate{history.told[history.best].point, next_ticket_++};
  }
  search_strategy& active = stage_ == stage::exploring  ? static_cast<search_strategy&>(bayes_)
                            : stage_ == stage::evolving ? static_cast<search_strategy&>(*evolution_)
                                                        : static_cast<search_strategy&>(*local_);
  auto next = active.propose(history);
  if (!next) return next; // it waits for results
  const std::uint64_t generation = stage_ == stage::exploring  ? 0
                                   : stage_ == stage::evolving ? evolution_generation_
                                                               : generation_;
  issued_[next_ticket_] = {generation, next->ticket, stage_};
  next->ticket = next_ticket_++;
  return next;
}

void auto_search::learn(std::size_t ticket, double value, const search_history& history) {
  if (repeat_ticket_ == ticket) return judge_repeat(value, history);
  const auto found = issued_.find(ticket);
  const issued known = found->second;
  issued_.erase(found);
  note_gain(known.from, value, history);
  if (known.generation == 0)
    bayes_.learn(known.ticket, value, history);
  else if (known.from == stage::evolving && known.generation == evolution_generation_)
    evolution_->learn(known.ticket, value, history);
  else if (known.generation == generation_ && local_)
    local_->learn(known.ticket, value, history);
}

void auto_search::note_gain(stage from, double value, const search_history& history) {
  record& r = records_[static_cast<std::size_t>(from)];
  r.gain *= fading;
  r.evaluations = fading * r.evaluations + 1;
  if (history.told.size() > 1 && value < best_before_)
    r.gain += (best_before_ - value) / std::max(spread_of(history), 1e-300);
  best_before_ = history.told[history.best].value;
}

void auto_search::judge_repeat(double value, const search_history& history) {
  repeat_ticket_.reset();
  repeated_ = true;
  const double difference = std::abs(value - repeat_of_);
  if (difference <= 1e-6 * spread_of(history)) return;
  noisy_ = true;
  bayes_.expect_noise();
  local_.reset();
  enter(stage::exploring, "bayes", "noise: the incumbent measured again differs by " + number_text(difference),
        history);
}

void auto_search::review(const search_history& history) {
  if (noisy_ || repeat_wanted_ || repeat_ticket_) return;
  if (stage_ == stage::exploring)
    review_exploring(history);
  else if (stage_ == stage::evolving)
    review_evolving(history);
  else
    review_local(history);
}

void auto_search::review_local(const search_history& history) {
  const bool misfit = local_->steps() >= misfit_steps && local_->model_error() > misfit_limit;
  if (misfit && !repeated_) {
    repeat_wanted_ = true;
    return;
  }
  if (local_->finished()) {
    any_polished_ = true;
    polished_value_ = history.told[history.best].value;
    bayes_.reopen(0.8);
    return enter(stage::exploring, "bayes", "the local search has converged: is there a better basin?", history);
  }
  if (stage_ == stage::opening && misfit) {
    const landscape seen = classify(*space_, history.told);
    bayes_.reopen(0.8);
    enter(stage::exploring, "bayes",
          "the quadratic model's steps are off by " + percent(local_->model_error()) + "; over all, " +
              std::string(name_of(seen.kind)) + " (" + percent(seen.score) + " foretold)",
          history);
  }
}

bool auto_search::polished(const search_history& history) const {
  return any_polished_ && history.told[history.best].value >= polished_value_;
}

void auto_search::review_exploring(const search_history& history) {
  const std::uint64_t star = 2 * space_->size() + 1;
  const bool local_works = space_->is_smooth() && space_->size() <= largest_local;
  if (!local_works || history.told.size() < star) return;
  if (polished(history)) {
    if (bayes_.edge() < fruitless_edge) next_explorer(history);
    return;
  }
  if (bayes_.edge() >= polish_edge) return;
  if (history.remaining && *history.remaining < star + 3) return;
  fruitless_ = 0;
  open_local(history.told[history.best].point, 0.5 * polish_edge);
  enter(stage::polishing, "quadratic", "the region has closed in on a basin: finish it", history);
}

void auto_search::next_explorer(const search_history& history) {
  ++fruitless_;
  bayes_.reopen(0.8);
  const record& mine = records_[static_cast<std::size_t>(stage::exploring)];
  const record& other = records_[static_cast<std::size_t>(stage::evolving)];
  const bool turn = fruitless_ >= fruitless_goes && (!evolution_ || other.rate() >= mine.rate());
  if (!turn || (history.remaining && *history.remaining < 20 * space_->size())) return;
  fruitless_ = 0;
  ++generation_;
  evolution_generation_ = generation_;
  evolution_ = std::make_unique<cma_search>(
      *space_,
      cma_settings{.seed = settings_.seed + generation_, .start = history.told[history.best].point, .deviation = 0.3});
  enter(stage::evolving, "cma-es", "the Bayesian search found no better basin in several goes", history);
}

void auto_search::review_evolving(const search_history& history) {
  if (evolution_->restarts() == 0) return;
  bayes_.reopen(0.8);
  enter(stage::exploring, "bayes", "the evolution strategy has converged", history);
}

} // namespace homeostat
