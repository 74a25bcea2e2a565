#include "runtime/transfer/transfer_pool.hpp"

#include "policies/bit_mix.hpp"
#include "policies/transfer/experiment.hpp"

#include <stdexcept>

namespace homeostat {

namespace {

/// Outcomes between two calls of learn(): at a call every 20 ms, 400,000 transfers a second.
constexpr std::size_t queue_capacity = 8192;

/// A uniform number from a counter: exploration needs no state shared by the threads.
double uniform_from(std::uint64_t x) noexcept {
  return static_cast<double>(mixed_bits(x + golden_step) >> 11) * 0x1.0p-53;
}

transfer_policy checked(transfer_policy policy) {
  if (const auto ok = check(policy); !ok) throw std::invalid_argument(ok.error());
  return policy;
}

/// @errors  the sentence of the rule's expression that is wrong.
std::expected<rule_conditions, std::string> conditions_of(const transfer_policy& policy) {
  try {
    return rule_conditions(policy.rules);
  } catch (const std::invalid_argument& e) { return std::unexpected(std::string(e.what())); }
}

} // namespace

transfer_pool::transfer_pool(std::string name, transfer_policy policy, std::uint64_t seed)
    : name_(std::move(name)), seed_(seed), outcomes_(queue_capacity),
      sensed_(std::make_unique<const system_conditions>()), learner_(checked(std::move(policy))),
      conditions_(learner_.policy().rules) {
  auto first = std::make_unique<served>();
  first->control = {learner_.look(instant{}), conditions_};
  served_ = std::make_unique<published<served>>(std::move(first));
}

system_conditions transfer_pool::conditions() const noexcept {
  system_conditions now = *sensed_.read();
  now.in_flight = in_flight_.load(std::memory_order_relaxed);
  return now;
}

experiment_place transfer_pool::split_sessions::place_of(std::string_view session) const noexcept {
  const std::uint64_t hash = session_hash(name, session);
  return {number, hash, arm_of(hash, split)};
}

transfer_decision transfer_pool::decide_by(const lookup& by, const transfer_advisor* model,
                                           const transfer_characteristics& data, std::uint64_t number) const noexcept {
  if (quick(by.view, data.data_size)) return homeostat::decide(by.view, data, 0, nullptr, 1);
  const system_conditions now = conditions();
  const std::uint32_t matching = by.conditions.matching(data, now);
  const double chance = uniform_from(seed_ ^ (number * 0xda942042e4dd58b5U));
  if (model == nullptr) return homeostat::decide(by.view, data, matching, nullptr, chance);
  const model_prediction prediction = model->predict(data, now);
  return homeostat::decide(by.view, data, matching, &prediction, chance);
}

transfer_decision transfer_pool::decide(const transfer_characteristics& data) noexcept { return decide(data, {}); }

transfer_decision transfer_pool::decide(const transfer_characteristics& data, std::string_view session) noexcept {
  const std::uint64_t number = decisions_.fetch_add(1, std::memory_order_relaxed);
  const auto reading = served_->read();
  const auto& experiment = reading->experiment;
  if (!experiment || session.empty()) return decide_by(reading->control, reading->model.get(), data, number);
  const experiment_place place = experiment->place_of(session);
  transfer_decision made = decide_by(place.arm == experiment_arm::treatment ? experiment->treatment : reading->control,
                                     reading->model.get(), data, number);
  made.place = place;
  return made;
}

experiment_place transfer_pool::place_of(std::string_view session) const noexcept {
  const auto reading = served_->read();
  return reading->experiment && !session.empty() ? reading->experiment->place_of(session) : experiment_place{};
}

bool transfer_pool::record(const transfer_metrics& done, const experiment_place& place) noexcept {
  if (outcomes_.try_enqueue({done, place}) == enqueue_result::enqueued) return true;
  lost_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

std::string transfer_pool::explain(const transfer_decision& decision, const transfer_characteristics& data) const {
  const std::lock_guard hold(owning_);
  if (!trial_ || decision.place.experiment != trial_->number)
    return homeostat::explain(decision, data, learner_.policy());
  const bool treated = decision.place.arm == experiment_arm::treatment;
  return homeostat::explain(decision, data, treated ? trial_->learner.policy() : learner_.policy()) + "; " +
         std::string(name_of(decision.place.arm)) + " of experiment " + trial_->name;
}

void transfer_pool::sense(const system_conditions& now) {
  const std::lock_guard hold(owning_);
  system_conditions with = now;
  with.recent_slowdown = learner_.recent_slowdown();
  sensed_.publish(std::make_unique<const system_conditions>(with));
  // Without pressure before and after, how busy the machine is changes no decision.
  const auto shown_to = [&](transfer_learner& learner) {
    const bool pressed = learner.under() != pressure::none;
    learner.conditions(with);
    stale_ = stale_ || pressed || learner.under() != pressure::none;
  };
  shown_to(learner_);
  if (trial_) shown_to(trial_->learner);
}

void transfer_pool::look(instant now) {
  last_look_ = now;
  auto made = std::make_unique<served>();
  made->control = {learner_.look(now), conditions_};
  made->model = model_;
  if (trial_)
    made->experiment = {trial_->number, trial_->name, trial_->split, {trial_->learner.look(now), trial_->conditions}};
  served_->publish(std::move(made));
}

void transfer_pool::learn(instant now, const std::function<void(const transfer_metrics&)>& each,
                          const std::function<void(const transfer_metrics&, const experiment_place&)>& in_experiment) {
  std::vector<outcome> taken;
  {
    const std::lock_guard hold(owning_);
    // What is reported from now on waits for the next call: a flood cannot keep this one busy for ever.
    for (std::size_t i = 0; i < queue_capacity; ++i) {
      auto next = outcomes_.try_dequeue();
      if (!next) break;
      if (!trial_ || next->place.experiment != trial_->number) next->place = {};
      const bool treated = next->place.experiment != 0 && next->place.arm == experiment_arm::treatment;
      learner_.record(next->done, !treated);
      if (trial_) trial_->learner.record(next->done, treated);
      if (each || in_experiment) taken.push_back(*next);
      stale_ = true;
    }
    const bool settled = learner_.thresholds().settled() && (!trial_ || trial_->learner.thresholds().settled());
    if (stale_ || !settled) { // a pool at rest costs nothing
      stale_ = false;
      look(now);
    }
  }
  // Not under the lock: who keeps outcomes has a lock of its own, and asks for the policy while it holds that.
  for (const auto& [done, place] : taken) {
    if (each) each(done);
    if (place.experiment != 0 && in_experiment) in_experiment(done, place);
  }
}

std::expected<void, std::string> transfer_pool::set_policy(transfer_policy policy, instant now) {
  auto conditions = conditions_of(policy);
  if (!conditions) return std::unexpected(std::move(conditions.error()));
  const std::lock_guard hold(owning_);
  const bool other = policy != learner_.policy();
  if (auto taken = learner_.set_policy(std::move(policy), now); !taken) return taken;
  conditions_ = std::move(*conditions);
  if (other)
    drop_trial();
  else if (trial_)
    trial_->learner.note_change(); // so that generations stay apart
  look(now);
  return {};
}

void transfer_pool::set_model(std::shared_ptr<const transfer_advisor> model) {
  const std::lock_guard hold(owning_);
  model_ = std::move(model);
  learner_.note_change();
  if (trial_) trial_->learner.note_change();
  look(last_look_);
}

void transfer_pool::reset(instant now, const std::string& why) {
  const std::lock_guard hold(owning_);
  drop_trial();
  learner_.reset(now, why);
  model_.reset();
  look(now);
}

std::expected<std::uint64_t, std::string> transfer_pool::begin_experiment(const std::string& name, double split,
                                                                          transfer_policy treatment, instant now) {
  auto conditions = conditions_of(treatment);
  if (!conditions) return std::unexpected(std::move(conditions.error()));
  const std::lock_guard hold(owning_);
  if (trial_) return std::unexpected("pool " + name_ + " is in experiment " + trial_->name + ", one runs at a time");
  // Outcomes before, of control and of treatment belong to different generations: what a regression is told by.
  trial begun{experiments_ + 1, name, split, std::move(*conditions), learner_};
  begun.learner.note_change();
  if (auto taken = begun.learner.set_policy(std::move(treatment), now); !taken)
    return std::unexpected(std::move(taken.error()));
  learner_.note_change();
  trial_ = std::move(begun);
  ++experiments_;
  look(now);
  return trial_->number;
}

void transfer_pool::drop_trial() {
  if (!trial_) return;
  trial_.reset();
  learner_.note_change(); // the treatment's generation
  learner_.note_change();
}

void transfer_pool::end_experiment(std::uint64_t number) {
  const std::lock_guard hold(owning_);
  if (!trial_ || trial_->number != number) return;
  drop_trial();
  look(last_look_);
}

std::uint64_t transfer_pool::experiment() const {
  const std::lock_guard hold(owning_);
  return trial_ ? trial_->number : 0;
}

transfer_policy transfer_pool::policy() const {
  const std::lock_guard hold(owning_);
  return learner_.policy();
}

pool_stats transfer_pool::stats() const {
  const std::lock_guard hold(owning_);
  return {.policy = learner_.policy(),
          .thresholds = learner_.thresholds(),
          .totals = learner_.totals(),
          .under = learner_.under(),
          .slowdown = learner_.recent_slowdown()};
}

transfer_memory transfer_pool::memory() const {
  const std::lock_guard hold(owning_);
  return learner_.memory();
}

std::expected<void, std::string> transfer_pool::remember(const transfer_memory& kept, instant now) {
  const std::lock_guard hold(owning_);
  if (auto taken = learner_.remember(kept, now); !taken) return taken;
  look(now);
  return {};
}

transfer_learner transfer_pool::state() const {
  const std::lock_guard hold(owning_);
  return learner_;
}

} // namespace homeostat
