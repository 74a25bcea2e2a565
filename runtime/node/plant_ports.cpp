#include "runtime/node/plant_ports.hpp"

#include <cmath>
#include <utility>

namespace homeostat {

plant_actuator_port::plant_actuator_port(std::shared_ptr<plant_actuator> target, std::vector<std::string> knobs,
                                         duration patience)
    : target_(std::move(target)), knobs_(std::move(knobs)), patience_(patience) {}

actuation_answer plant_actuator_port::answer_of(std::uint64_t ticket,
                                                const std::expected<named_values, plant_error>& result) const {
  actuation_answer answer{.ticket = ticket, .ok = false, .read_back = {}, .text = {}};
  if (!result) {
    answer.text = result.error().what;
    return answer;
  }
  for (const std::string& knob : knobs_) {
    const auto value = result->find(knob);
    if (value == result->end()) {
      answer.text = "the plant reports no value for knob " + knob;
      return answer;
    }
    answer.read_back.push_back(value->second);
  }
  answer.ok = true;
  return answer;
}

void plant_actuator_port::apply(actuation wanted, std::function<void(actuation_answer)> done) {
  const std::uint64_t ticket = wanted.ticket;
  const bool taken = worker_.post([this, wanted = std::move(wanted), done] {
    named_values values;
    for (std::size_t i = 0; i < knobs_.size(); ++i) values[knobs_[i]] = wanted.values[i];
    done(answer_of(wanted.ticket, target_->apply(values, patience_)));
  });
  if (!taken)
    done({.ticket = ticket, .ok = false, .read_back = {}, .text = "the plant is still busy with earlier changes"});
}

void plant_actuator_port::read_back(std::function<void(actuation_answer)> done) {
  const bool taken = worker_.post([this, done] { done(answer_of(0, target_->read_back(patience_))); });
  if (!taken) done({.ticket = 0, .ok = false, .read_back = {}, .text = "the plant is still busy with earlier changes"});
}

plant_telemetry_port::plant_telemetry_port(std::shared_ptr<plant_sensor> source, objective target, duration interval,
                                           duration patience, time_line time, std::function<void(std::string)> report,
                                           std::shared_ptr<rule_metrics> rules)
    : source_(std::move(source)), objective_(std::move(target)), interval_(interval), patience_(patience), time_(time),
      report_(std::move(report)), rules_(std::move(rules)) {}

plant_telemetry_port::~plant_telemetry_port() { stop(); }

void plant_telemetry_port::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void plant_telemetry_port::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_signal_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<telemetry_digest> plant_telemetry_port::pop() {
  auto digest = ring_.pop();
  if (digest) return digest;
  // Empty: the next digest wakes again. Looking once more closes the gap between the two.
  woken_.store(false);
  return ring_.pop();
}

void plant_telemetry_port::on_ready(std::function<void()> wake) {
  {
    const std::lock_guard lock(wake_mutex_);
    wake_ = std::move(wake);
  }
  woken_.store(false);
}

void plant_telemetry_port::wake() {
  if (woken_.exchange(true)) return;
  const std::lock_guard lock(wake_mutex_);
  if (wake_)
    wake_();
  else
    woken_.store(false);
}

void plant_telemetry_port::read_once(std::uint64_t generation_before) {
  const instant now = time_.at(std::chrono::steady_clock::now());
  std::string problem;
  if (auto seen = source_->read(now, patience_); !seen) {
    problem = seen.error().what;
  } else if (seen->end > seen->begin) {
    if (rules_) rules_->take(seen->metrics);
    // Stamped with what was live when the interval began: if it changed meanwhile, the digest matches nothing (I6).
    if (auto digest = digest_of(*seen, objective_, generation_before, sequence_ + 1)) {
      ++sequence_;
      ring_.push(*digest);
      wake();
    } else {
      problem = digest.error();
    }
  }
  const bool failing = !problem.empty();
  if (failing || failing_) report_(std::move(problem));
  failing_ = failing;
}

void plant_telemetry_port::run() {
  auto next = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::uint64_t generation = generation_.load(std::memory_order_acquire);
    next = std::max(next + interval_, std::chrono::steady_clock::now());
    if (stop_signal_.wait_until(lock, next, [this] { return stopping_; })) return;
    lock.unlock();
    read_once(generation);
    lock.lock();
  }
}

} // namespace homeostat
