#include "sim/supervisor.hpp"

#include <algorithm>
#include <utility>

namespace homeostat::sim {

namespace {

constexpr std::array<party, 4> order{party::actuator, party::governor, party::sensor, party::engine};
constexpr std::size_t governor_child = 1;

std::size_t child_of(party who) { return static_cast<std::size_t>(std::ranges::find(order, who) - order.begin()); }

} // namespace

loop_supervisor::loop_supervisor(kernel& k, const scenario& s, const policy_set& policies, actuator& a,
                                 governor_actor& g, sensor_actor& sensor, engine_actor& e, invariants& check)
    : kernel_(k), scenario_(s), policies_(policies), actuator_(a), governor_(g), sensor_(sensor), engine_(e),
      check_(check) {
  state_.rng = chacha8_rng(s.seed, 5);
}

void loop_supervisor::start() {
  kernel_.bear(party::supervisor);
  state_.restarts.clear();
  given_up_ = false;
  for (std::size_t i = 0; i < children; ++i) start_child(i);
}

void loop_supervisor::start_child(std::size_t child) {
  if (running_[child]) return;
  running_[child] = true;
  kernel_.note([&] { return "supervisor: starts " + std::string(name_of(order[child])); });
  switch (order[child]) {
  case party::actuator: kernel_.bear(party::actuator); break;
  case party::governor:
    governor_.start(given_up_ ? "restart intensity exceeded" : "");
    if (stop_) governor_.on(*stop_);
    break;
  case party::sensor: sensor_.start(); break;
  default: engine_.start(); break;
  }
}

void loop_supervisor::end_child(std::size_t child) {
  if (!running_[child]) return;
  running_[child] = false;
  switch (order[child]) {
  case party::actuator: actuator_.on_end(); break;
  case party::governor:
    governor_.end();
    // Whoever waited for an answer may be told so, or may find out by waiting.
    if (kernel_.random().chance(0.5)) kernel_.send(party::governor, party::engine, failed_request{});
    break;
  case party::sensor: sensor_.end(); break;
  default: engine_.end(); break;
  }
}

void loop_supervisor::on_child_crash(party who) {
  const std::size_t child = child_of(who);
  kernel_.note([&] { return "supervisor: " + std::string(name_of(who)) + " has crashed"; });
  end_child(child);
  if (given_up_) return kernel_.arm(party::supervisor, scenario_.supervision.backoff_limit, alarm::start, child);
  const std::vector<child_restart> kinds(children, child_restart::permanent);
  const supervision_decision d =
      policies_.on_child_end(scenario_.supervision, state_, kinds, running_, child, true, kernel_.now());
  check_.supervised(d, child, running_);
  for (std::size_t other : d.stop) end_child(other);
  if (d.what == supervision_decision::verdict::give_up) {
    kernel_.note([] { return std::string("supervisor: gives up"); });
    given_up_ = true;
    kernel_.arm(party::supervisor, scenario_.supervision.backoff_limit, alarm::start, child_of(party::actuator));
    kernel_.arm(party::supervisor, scenario_.supervision.backoff_limit, alarm::start, governor_child);
    return;
  }
  for (std::size_t next : d.start) kernel_.arm(party::supervisor, d.delay, alarm::start, next);
}

void loop_supervisor::on(const alarm_mail& a) {
  if (a.what != alarm::start) return;
  const bool automation = a.token > governor_child;
  if (given_up_ && automation) return;
  ++restarts_;
  start_child(static_cast<std::size_t>(a.token));
}

void loop_supervisor::on_reset() {
  if (!std::exchange(given_up_, false)) return;
  state_.restarts.clear();
  for (std::size_t i = 0; i < children; ++i) start_child(i);
}

void loop_supervisor::stop(stop_request request) {
  stop_ = request;
  if (running_[governor_child]) governor_.on(request);
}

void loop_supervisor::on_process_end() {
  kernel_.kill(party::supervisor);
  engine_.on_process_end();
  sensor_.end();
  governor_.end();
  actuator_.on_end();
  running_.assign(children, false);
}

} // namespace homeostat::sim
