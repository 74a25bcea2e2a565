#include "sim/world.hpp"

#include <utility>

namespace homeostat::sim {

namespace {

constexpr duration longest_shutdown = 1800s;
constexpr std::uint64_t most_steps = 2'000'000;

} // namespace

world::world(const scenario& s, const policy_set& policies, std::function<void(std::string)> sink)
    : scenario_(s), check_(s), kernel_(s, std::move(sink)), plant_(s), source_(kernel_, s, plant_, check_),
      store_(kernel_, s, check_), actuator_(kernel_, s, plant_, check_), sensor_(kernel_, s, policies, source_, check_),
      engine_(kernel_, s, policies, check_), governor_(kernel_, s, policies, check_),
      supervisor_(kernel_, s, policies, actuator_, governor_, sensor_, engine_, check_), operators_(kernel_, s, check_),
      rival_(kernel_, s), authority_(kernel_, s, policies, check_), neighbour_(kernel_, s, policies, check_),
      reviewers_(kernel_, s, check_), policies_(policies) {
  node_.rng = chacha8_rng(s.seed, 14);
}

void world::boot() {
  kernel_.bear(party::store);
  supervisor_.start();
  if (!scenario_.authority) return;
  node_.restarts.clear();
  authority_.start();
}

void world::end_process() {
  ++crashes_;
  kernel_.note([] { return std::string("world: the process dies"); });
  // First what is under way reaches the plant and the disk, or does not; then everything in memory is gone.
  supervisor_.on_process_end();
  authority_.end();
  store_.on_process_end();
  source_.on_process_end();
  plant_.relabel(0);
  if (scenario_.habits.embedded) {
    plant_.restart();
    check_.plant_restarted(plant_.values(), kernel_.at());
  }
  if (stopping_) {
    over_ = true;
    return;
  }
  const duration down = 10ms + kernel_.random().exponential(2s);
  if (scenario_.clock_goes_back && kernel_.random().chance(0.5))
    kernel_.set_clock_back(scaled(1us, kernel_.random().log_uniform(1e3, 2e10)));
  kernel_.arm(party::world, down, alarm::boot);
}

void world::end_authority() {
  kernel_.note([] { return std::string("node supervisor: the authority has ended"); });
  authority_.end();
  const supervision_decision d = policies_.on_child_end(scenario_.authority->supervision, node_,
                                                        {child_restart::permanent}, {false}, 0, true, kernel_.now());
  // A node without its authority is no node: it ends, and whoever started it starts it again.
  if (d.what == supervision_decision::verdict::give_up) return end_process();
  if (!d.start.empty()) kernel_.arm(party::world, d.delay, alarm::start, crashes_);
}

void world::to_world(const mail& m) {
  if (std::holds_alternative<governor_stopped>(m)) {
    check_.stopped(governor_.last_state(), plant_.values(), kernel_.at());
    over_ = stopped_ = true;
    return;
  }
  const auto* a = std::get_if<alarm_mail>(&m);
  if (a == nullptr) return;
  if (a->what == alarm::boot) boot();
  if (a->what == alarm::start && a->token == crashes_) authority_.start();
  if (a->what == alarm::stop) {
    stopping_ = true;
    check_.stop_requested(scenario_.revert_on_exit, kernel_.at());
    kernel_.note([] { return std::string("world: shutdown"); });
    supervisor_.stop({.revert = scenario_.revert_on_exit});
  }
}

namespace {

/// Hands mail to an actor that has a handler for its type; what it has no handler for it never gets.
template <class Actor> void hand(Actor& actor, mail& m) {
  std::visit(
      [&](auto& content) {
        if constexpr (requires { actor.on(content); }) actor.on(content);
      },
      m);
}

} // namespace

void world::dispatch(kernel::delivery& d) {
  switch (d.to) {
  case party::source: return hand(source_, d.content);
  case party::sensor: return hand(sensor_, d.content);
  case party::engine: return hand(engine_, d.content);
  case party::actuator: return hand(actuator_, d.content);
  case party::supervisor: return hand(supervisor_, d.content);
  case party::rival: return hand(rival_, d.content);
  case party::governor: return hand(governor_, d.content);
  case party::store:
    if (auto* batch = std::get_if<batch_mail>(&d.content)) return store_.on(std::move(*batch));
    return hand(store_, d.content);
  case party::operators:
    if (const auto* answer = std::get_if<command_answer>(&d.content)) {
      if (operators_.on(*answer)) supervisor_.on_reset();
      return;
    }
    return hand(operators_, d.content);
  case party::world: return to_world(d.content);
  case party::authority: return hand(authority_, d.content);
  case party::neighbour: return hand(neighbour_, d.content);
  case party::reviewers: return hand(reviewers_, d.content);
  }
}

void world::look() {
  check_.after_step({.governor = governor_.state(),
                     .engine = scenario_.authority && !scenario_.authority->strategy ? nullptr : engine_.state(),
                     .sensor = sensor_.state(),
                     .supervision = &supervisor_.state(),
                     .authority = authority_.state(),
                     .plant = &plant_.values(),
                     .mail = kernel_.waiting(),
                     .audit_backlog = store_.backlog(),
                     .actuator_backlog = actuator_.backlog(),
                     .governor_booting = governor_.booting(),
                     .given_up = supervisor_.given_up(),
                     .now = kernel_.now(),
                     .at = kernel_.at(),
                     .calm_since = kernel_.faults().calm_since(kernel_.at())});
}

run_result world::run() {
  kernel_.note([&] { return describe(scenario_); });
  if (scenario_.habits.starts_elsewhere) {
    draw elsewhere(scenario_.seed, 8);
    plant_.tamper(random_values(elsewhere, scenario_.governor.knobs));
  }
  check_.plant_starts(plant_.values());
  source_.start();
  boot();
  if (scenario_.operators) operators_.start();
  if (scenario_.rival) rival_.start();
  if (scenario_.authority) {
    neighbour_.start();
    reviewers_.start();
  }
  kernel_.arm(party::world, scenario_.times.run, alarm::stop);
  while (!over_ && !check_.first()) {
    auto delivery = kernel_.next();
    if (!delivery) break;
    try {
      dispatch(*delivery);
    } catch (const process_crash&) { end_process(); } catch (const child_crash& crash) {
      if (crash.who == party::authority)
        end_authority();
      else
        supervisor_.on_child_crash(crash.who);
    }
    look();
    if (kernel_.at() > scenario_.times.run + longest_shutdown)
      check_.overdue("the run has not ended half an hour after its shutdown");
    if (kernel_.steps() > most_steps) check_.overdue("the run takes more than 2,000,000 steps");
  }
  return result();
}

run_result world::result() const {
  run_result r;
  r.seed = scenario_.seed;
  r.broken = check_.first();
  r.at = kernel_.at();
  r.steps = kernel_.steps();
  r.hash = check_.hash();
  r.fault_free = scenario_.fault_free;
  r.landscape = scenario_.plant.kind;
  r.benefit = source_.whole_run().ratio();
  r.benefit_second_half = source_.second_half().ratio();
  r.digests = source_.digests();
  r.windows = sensor_.windows();
  r.updates = engine_.updates();
  r.records = store_.records();
  r.process_crashes = crashes_;
  r.child_restarts = supervisor_.restarts();
  r.commands = operators_.commands();
  r.strange_proposals = rival_.proposals();
  r.gave_up = supervisor_.given_up();
  r.stopped = stopped_;
  r.governor = governor_.tally();
  r.authority = authority_.tally();
  r.calls = reviewers_.calls();
  r.engine_refusals = engine_.refusals();
  r.digest_faults = sensor_.faults();
  return r;
}

run_result run_seed(std::uint64_t seed, const policy_set& policies, std::function<void(std::string)> sink) {
  const scenario s = draw_scenario(seed);
  return world(s, policies, std::move(sink)).run();
}

} // namespace homeostat::sim
