#include "policies/search/solver.hpp"

#include "policies/number_text.hpp"
#include "policies/search/noise.hpp"
#include "policies/search/probe.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

std::expected<void, std::string> check_numbers(const solver_settings& s) {
  const auto fail = [](std::string text) { return std::unexpected(std::move(text)); };
  if (s.history_cap < 1 || s.history_cap > largest_history_cap)
    return fail("history_cap is " + std::to_string(s.history_cap) + ", expected 1 to " +
                std::to_string(largest_history_cap));
  if (s.budget && (*s.budget < 1 || *s.budget > s.history_cap))
    return fail("budget is " + std::to_string(*s.budget) + ", expected 1 to history_cap " +
                std::to_string(s.history_cap));
  if (!(s.probe_ratio >= 0 && s.probe_ratio <= 1))
    return fail("probe_ratio is " + number_text(s.probe_ratio) + ", expected 0 to 1");
  if (s.batch_size < 1 || s.batch_size > largest_batch)
    return fail("batch_size is " + std::to_string(s.batch_size) + ", expected 1 to " + std::to_string(largest_batch));
  return {};
}

std::unexpected<tell_refusal> refuse(tell_refusal_kind kind, std::string text) {
  return std::unexpected(tell_refusal{kind, std::move(text)});
}

std::expected<void, tell_refusal> check_measured(double value, double cost) {
  if (!std::isfinite(value))
    return refuse(tell_refusal_kind::not_finite, "value is " + number_text(value) + ", expected a finite number");
  if (!std::isfinite(cost) || cost < 0)
    return refuse(tell_refusal_kind::not_finite, "cost is " + number_text(cost) + ", expected a finite number from 0");
  return {};
}

// What strategies see of a value: beyond this no cost is a measurement, and squares and sums of it must stay finite.
double bounded(double value) {
  constexpr double largest_value = 1e100;
  return std::clamp(value, -largest_value, largest_value);
}

// Equal up to what a decimal text may lose.
bool same_values(std::span<const double> a, std::span<const double> b) {
  return std::ranges::equal(
      a, b, [](double x, double y) { return x == y || std::abs(x - y) <= 1e-12 * std::max(std::abs(x), std::abs(y)); });
}

} // namespace

std::expected<solver, std::string> solver::create(solver_settings settings) {
  if (auto sound = check_numbers(settings); !sound) return std::unexpected(sound.error());
  auto space = search_space::create(settings.space);
  if (!space) return std::unexpected(space.error());
  solver made(std::move(settings));
  made.space_ = std::make_unique<search_space>(std::move(*space));
  std::vector<double> initial;
  for (const knob_spec& knob : made.settings_.space) initial.push_back(knob.initial);
  const strategy_settings parts{made.settings_.seed, made.settings_.budget, made.settings_.probe_ratio,
                                made.space_->point_of(initial), made.settings_.strategy_params};
  auto strategy = make_strategy(made.settings_.strategy, *made.space_, parts);
  if (!strategy) return std::unexpected(strategy.error());
  made.strategy_ = std::move(*strategy);
  made.filler_ = std::make_unique<probe_search>(*made.space_, probe_settings{.seed = made.settings_.seed, .stream = 7});
  made.count_remaining();
  return made;
}

std::expected<solver, std::string> solver::replay(solver_settings settings, std::span<const journal_entry> journal) {
  auto made = create(std::move(settings));
  if (!made) return made;
  for (std::size_t i = 0; i < journal.size(); ++i) {
    const journal_entry& entry = journal[i];
    const auto fail = [&](const std::string& text) {
      return std::unexpected("journal entry " + std::to_string(i) + " (trial " + std::to_string(entry.id) +
                             "): " + text);
    };
    if (entry.kind == journal_kind::ask) {
      const auto asked = made->ask_one();
      if (!asked) return fail("the search is finished before it");
      if (asked->id != entry.id || asked->values != entry.values)
        return fail(
            "the candidate differs from the recorded one: other settings, another version, or a damaged record");
      continue;
    }
    if (entry.kind == journal_kind::tell) {
      if (auto told = made->tell(entry.id, entry.value, entry.cost); !told) return fail(told.error().text);
      continue;
    }
    if (entry.values.size() != made->space_->size()) return fail("it has not one value for each knob");
    named_result result{{}, entry.value, entry.cost};
    for (std::size_t k = 0; k < entry.values.size(); ++k)
      result.values[made->settings_.space[k].name] = entry.values[k];
    const auto id = made->add_seed(result);
    if (!id) return fail(id.error().text);
    if (*id != entry.id) return fail("its number does not follow from the entries before");
  }
  return made;
}

void solver::count_remaining() {
  const std::uint64_t room = settings_.history_cap - trials_.size();
  history_.remaining = settings_.budget ? std::min(*settings_.budget - asked_, room) : room;
}

bool solver::finished() const { return *history_.remaining == 0 || strategy_->finished(); }

std::vector<trial> solver::ask(std::size_t count) {
  std::vector<trial> asked;
  for (std::size_t i = 0; i < std::min(count, largest_batch); ++i) {
    auto one = ask_one();
    if (!one) break;
    asked.push_back(std::move(*one));
  }
  return asked;
}

std::optional<trial> solver::ask_one() {
  if (finished()) return std::nullopt;
  auto next = strategy_->propose(history_);
  if (!next && strategy_->finished()) return std::nullopt;
  const bool filler = !next;
  if (filler) next = filler_->propose(history_);
  trial made{trials_.size(), space_->values_at(next->point), std::nullopt};
  const unit_point place = space_->point_of(made.values);
  trials_.push_back(made);
  journal_.push_back({journal_kind::ask, made.id, made.values});
  open_.push_back({made.id, next->ticket, filler, place});
  history_.pending.push_back(place);
  ++asked_;
  count_remaining();
  return made;
}

std::expected<void, tell_refusal> solver::tell(std::uint64_t id, double value, double cost) {
  if (auto sound = check_measured(value, cost); !sound) return sound;
  if (id >= trials_.size())
    return refuse(tell_refusal_kind::never_asked, "trial " + std::to_string(id) + " was never asked for");
  if (trials_[id].value)
    return refuse(tell_refusal_kind::duplicate,
                  "trial " + std::to_string(id) + " was told before, as " + number_text(*trials_[id].value));
  trials_[id].value = value;
  trials_[id].cost = cost;
  journal_.push_back({journal_kind::tell, id, {}, value, cost});
  take(id, value);
  return {};
}

void solver::take(std::uint64_t id, double value) {
  const auto open = std::ranges::find(open_, id, &open_trial::id);
  const open_trial done = std::move(*open);
  history_.pending.erase(history_.pending.begin() + (open - open_.begin()));
  open_.erase(open);
  value = bounded(value);
  history_.told.push_back({done.point, value});
  if (value < history_.told[history_.best].value) history_.best = history_.told.size() - 1;
  if (!done.filler) strategy_->learn(done.ticket, value, history_);
}

std::expected<std::vector<double>, tell_refusal> solver::values_of(const named_result& result) const {
  if (auto sound = check_measured(result.value, result.cost); !sound) return std::unexpected(sound.error());
  for (const auto& [name, value] : result.values)
    if (std::ranges::find(settings_.space, name, &knob_spec::name) == settings_.space.end())
      return refuse(tell_refusal_kind::unknown_parameter, "'" + name + "' is not a knob of this search");
  std::vector<double> values;
  for (const knob_spec& knob : settings_.space) {
    const auto given = result.values.find(knob.name);
    if (given == result.values.end())
      return refuse(tell_refusal_kind::missing_parameter, "'" + knob.name + "' has no value");
    if (!is_admissible(knob, given->second))
      return refuse(tell_refusal_kind::inadmissible, "'" + knob.name + "' is " + number_text(given->second) +
                                                         ", expected a value the knob can take between " +
                                                         number_text(knob.min) + " and " + number_text(knob.max));
    values.push_back(given->second);
  }
  return values;
}

std::expected<std::uint64_t, tell_refusal> solver::tell(const named_result& result) {
  const auto values = values_of(result);
  if (!values) return std::unexpected(values.error());
  for (const open_trial& open : open_)
    if (same_values(trials_[open.id].values, *values)) {
      const std::uint64_t id = open.id; // telling ends its entry
      if (auto told = tell(id, result.value, result.cost); !told) return std::unexpected(told.error());
      return id;
    }
  for (const trial& t : trials_)
    if (t.value && same_values(t.values, *values))
      return refuse(tell_refusal_kind::duplicate, "these values were told before, as trial " + std::to_string(t.id));
  return refuse(tell_refusal_kind::never_asked,
                "no open candidate has these values; results from elsewhere are declared as seed");
}

std::expected<std::uint64_t, tell_refusal> solver::add_seed(const named_result& result) {
  const auto values = values_of(result);
  if (!values) return std::unexpected(values.error());
  if (trials_.size() >= settings_.history_cap)
    return refuse(tell_refusal_kind::history_full,
                  "the history holds its cap of " + std::to_string(settings_.history_cap) + " trials");
  const std::uint64_t id = trials_.size();
  trials_.push_back({id, *values, result.value, result.cost, true});
  journal_.push_back({journal_kind::seed, id, *values, result.value, result.cost});
  history_.told.push_back({space_->point_of(*values), bounded(result.value)});
  if (history_.told.back().value < history_.told[history_.best].value) history_.best = history_.told.size() - 1;
  count_remaining();
  return id;
}

std::optional<trial> solver::best() const {
  std::optional<trial> best;
  for (const trial& t : trials_)
    if (t.value && (!best || *t.value < *best->value)) best = t;
  return best;
}

std::optional<recommendation> solver::recommend() const {
  const auto top = best();
  if (!top) return std::nullopt;
  if (strategy_->sees_noise(history_))
    if (const auto found = lowest_posterior_mean(*space_, history_))
      return recommendation{space_->values_at(found->point), found->value, true};
  return recommendation{top->values, *top->value, false};
}

} // namespace homeostat
