#include "runtime/transfer/transfer_pool.hpp"

#include "policies/bit_mix.hpp"

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

} // namespace

transfer_pool::transfer_pool(std::string name, transfer_policy policy, std::uint64_t seed)
    : name_(std::move(name)), seed_(seed), outcomes_(queue_capacity),
      sensed_(std::make_unique<const system_conditions>()), learner_(checked(std::move(policy))) {
  auto first = std::make_unique<served>();
  first->conditions = rule_conditions(learner_.policy().rules);
  first->view = learner_.look(instant{});
  served_ = std::make_unique<published<served>>(std::move(first));
}

system_conditions transfer_pool::conditions() const noexcept {
  system_conditions now = *sensed_.read();
  now.in_flight = in_flight_.load(std::memory_order_relaxed);
  return now;
}

transfer_decision transfer_pool::decide(const transfer_characteristics& data) noexcept {
  const std::uint64_t number = decisions_.fetch_add(1, std::memory_order_relaxed);
  const auto reading = served_->read();
  if (quick(reading->view, data.data_size)) return homeostat::decide(reading->view, data, 0, nullptr, 1);
  const system_conditions now = conditions();
  const std::uint32_t matching = reading->conditions.matching(data, now);
  const double chance = uniform_from(seed_ ^ (number * 0xda942042e4dd58b5U));
  if (!reading->model) return homeostat::decide(reading->view, data, matching, nullptr, chance);
  const model_prediction prediction = reading->model->predict(data, now);
  return homeostat::decide(reading->view, data, matching, &prediction, chance);
}

bool transfer_pool::record(const transfer_metrics& done) noexcept {
  transfer_metrics copy = done;
  if (outcomes_.try_enqueue(std::move(copy)) == enqueue_result::enqueued) return true;
  lost_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

std::string transfer_pool::explain(const transfer_decision& decision, const transfer_characteristics& data) const {
  const std::lock_guard hold(owning_);
  return homeostat::explain(decision, data, learner_.policy());
}

void transfer_pool::sense(const system_conditions& now) {
  const std::lock_guard hold(owning_);
  system_conditions with = now;
  with.recent_slowdown = learner_.recent_slowdown();
  sensed_.publish(std::make_unique<const system_conditions>(with));
  // Without pressure before and after, how busy the machine is changes no decision.
  const bool pressed = learner_.under() != pressure::none;
  learner_.conditions(with);
  stale_ = stale_ || pressed || learner_.under() != pressure::none;
}

void transfer_pool::publish() {
  auto made = std::make_unique<served>();
  made->view = next_;
  made->conditions = served_->read()->conditions;
  made->model = model_;
  served_->publish(std::move(made));
}

void transfer_pool::learn(instant now, const std::function<void(const transfer_metrics&)>& each) {
  const std::lock_guard hold(owning_);
  // What is reported from now on waits for the next call: a flood cannot keep this one busy for ever.
  for (std::size_t i = 0; i < queue_capacity; ++i) {
    const auto done = outcomes_.try_dequeue();
    if (!done) break;
    learner_.record(*done);
    if (each) each(*done);
    stale_ = true;
  }
  if (!stale_ && learner_.thresholds().settled()) return; // a pool at rest costs nothing
  stale_ = false;
  last_look_ = now;
  next_ = learner_.look(now);
  publish();
}

std::expected<void, std::string> transfer_pool::set_policy(transfer_policy policy, instant now) {
  rule_conditions conditions;
  try {
    conditions = rule_conditions(policy.rules);
  } catch (const std::invalid_argument& e) { return std::unexpected(std::string(e.what())); }
  const std::lock_guard hold(owning_);
  if (auto taken = learner_.set_policy(std::move(policy), now); !taken) return taken;
  auto made = std::make_unique<served>();
  last_look_ = now;
  next_ = learner_.look(now);
  made->view = next_;
  made->conditions = std::move(conditions);
  made->model = model_;
  served_->publish(std::move(made));
  return {};
}

void transfer_pool::set_model(std::shared_ptr<const transfer_advisor> model) {
  const std::lock_guard hold(owning_);
  model_ = std::move(model);
  learner_.note_change();
  next_ = learner_.look(last_look_);
  publish();
}

void transfer_pool::reset(instant now, const std::string& why) {
  const std::lock_guard hold(owning_);
  learner_.reset(now, why);
  model_.reset();
  last_look_ = now;
  next_ = learner_.look(now);
  publish();
}

transfer_policy transfer_pool::policy() const {
  const std::lock_guard hold(owning_);
  return learner_.policy();
}

transfer_learner transfer_pool::state() const {
  const std::lock_guard hold(owning_);
  return learner_;
}

} // namespace homeostat
