// The actor path against bare CAF, and what ten thousand idle loops cost.
#include "actors/actuator.hpp"
#include "actors/group_supervisor.hpp"
#include "bench/row.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <malloc.h>
#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

namespace homeostat::bench {

namespace {

using clock = std::chrono::steady_clock;

class instant_store final : public store_port {
public:
  bool submit(audit_batch, std::function<void(audit_answer)> done) override { return done({}), true; }
  bool save(std::string, std::string, std::function<void(audit_answer)> done) override { return done({}), true; }
  void load(std::string, std::function<void(loaded)> done) override { done(loaded(std::nullopt)); }
};

class instant_actuator final : public actuator_port {
public:
  explicit instant_actuator(knob_values values) : values_(values) {}
  void apply(actuation wanted, std::function<void(actuation_answer)> done) override {
    values_ = wanted.values;
    done({.ticket = wanted.ticket, .ok = true, .read_back = values_, .text = {}});
  }
  void read_back(std::function<void(actuation_answer)> done) override {
    done({.ticket = 0, .ok = true, .read_back = values_, .text = {}});
  }

private:
  knob_values values_;
};

/// Hands out as many digests as it is told to, one wake-up each.
class scripted_telemetry final : public telemetry_port {
public:
  std::optional<telemetry_digest> pop() override { return std::exchange(next_, std::nullopt); }
  void on_ready(std::function<void()> wake) override { wake_ = std::move(wake); }
  void set_live_generation(std::uint64_t generation) override { generation_ = generation; }
  void push(instant now) {
    telemetry_digest d;
    d.sequence = ++sequence_;
    d.at = now;
    d.generation = generation_;
    d.window = duration(1);
    d.sample_count = 1;
    d.objective = 1;
    next_ = d;
    wake_();
  }
  [[nodiscard]] bool is_wired() const { return generation_ > 0 && wake_; }

private:
  std::optional<telemetry_digest> next_;
  std::function<void()> wake_;
  std::uint64_t generation_{0};
  std::uint64_t sequence_{0};
};

std::vector<knob_spec> three_knobs() {
  std::vector<knob_spec> knobs;
  for (const char* name : {"a", "b", "c"})
    knobs.push_back({.name = name,
                     .type = knob_type::continuous,
                     .scale = knob_scale::linear,
                     .unit = {},
                     .min = 0,
                     .max = 1,
                     .initial = 0.5,
                     .step = {},
                     .step_limit = {},
                     .categories = {}});
  return knobs;
}

loop_setup make_loop(const std::string& name, const time_line& time, std::shared_ptr<telemetry_port> telemetry) {
  loop_setup loop;
  loop.governor.config.loop = name;
  loop.governor.config.knobs = three_knobs();
  loop.governor.config.watch_telemetry = false;
  loop.governor.pool = "bench";
  loop.governor.time = loop.sensor.time = loop.proposer.time = time;
  loop.sensor.windows = {.digests = 1, .span = 1s, .settle_time = duration(0), .max_age = 10s};
  loop.proposer.loop = name;
  loop.proposer.engine.knobs = loop.governor.config.knobs;
  loop.actuator = std::make_shared<instant_actuator>(initial_values(loop.governor.config.knobs));
  loop.telemetry = std::move(telemetry);
  return loop;
}

/// A proposer that asks for something on every window, so that each digest ends in a decision.
proposer_actor::behavior_type eager_proposer(proposer_actor::pointer self, governor_actor governor, sensor_actor sensor,
                                             caf::actor done) {
  self->send(sensor, credit_atom::value, window_listener_actor(self), std::uint32_t{1});
  auto id = std::make_shared<std::uint64_t>(0);
  return {
      [](const live_configuration&) {},
      [=](const objective_window& window) {
        proposal p;
        p.kind = proposal_kind::update;
        p.id = ++*id;
        p.base_generation = window.generation;
        p.base_revision = 1;
        p.values = {0.6, 0.5, 0.5};
        p.values[0] += 0.2; // too far: the governor goes through its guards and refuses
        self->request(governor, caf::infinite, std::move(p)).then([=](const proposal_verdict&) {
          self->send(sensor, credit_atom::value, window_listener_actor(self), std::uint32_t{1});
          caf::anon_send(done, std::uint64_t{1});
        });
      },
      [](look_atom, std::uint64_t) {},
  };
}

/// One link of the bare chain.
caf::behavior link(caf::event_based_actor* self, caf::actor next) {
  return {[=](std::uint64_t x) { self->send(next, x); }};
}

constexpr int chain_rounds = 20'000;

/// Driver -> three actors -> driver, one token at a time: the same hops as wake, window, proposal, verdict.
double bare_chain_rate(caf::actor_system& system) {
  caf::scoped_actor driver{system};
  const auto third = system.spawn(link, caf::actor_cast<caf::actor>(driver));
  const auto second = system.spawn(link, third);
  const auto first = system.spawn(link, second);
  const auto zeroth = system.spawn(link, first);
  const auto begin = clock::now();
  for (int i = 0; i < chain_rounds; ++i) {
    driver->send(zeroth, std::uint64_t{1});
    driver->receive([](std::uint64_t) {});
  }
  const double rate = chain_rounds / std::chrono::duration<double>(clock::now() - begin).count();
  for (const auto& actor : {zeroth, first, second, third}) caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  return rate;
}

double governed_chain_rate(caf::actor_system& system) {
  const time_line time = time_line::anchored(system.clock());
  const auto telemetry = std::make_shared<scripted_telemetry>();
  loop_setup loop = make_loop("chain", time, telemetry);
  // Every proposal is refused for its size: that many would freeze the loop if they were hostile.
  loop.governor.config.safe_mode.repeated_violation_limit = 1'000'000'000;
  loop.sensor.windows.max_age = 3600s;
  const auto sink = system.spawn(audit_sink, std::make_shared<instant_store>());
  const auto plant = system.spawn(actuator, loop.actuator);
  const auto gov = system.spawn(governor, loop.governor, sink, plant);
  const auto sense = system.spawn(sensor, loop.sensor, std::static_pointer_cast<telemetry_port>(telemetry), gov);
  caf::scoped_actor driver{system};
  while (!telemetry->is_wired()) std::this_thread::yield();
  const auto eager = system.spawn(eager_proposer, gov, sense, caf::actor_cast<caf::actor>(driver));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto begin = clock::now();
  instant last{};
  for (int i = 0; i < chain_rounds; ++i) {
    instant now = time.at(system.clock().now());
    while (now <= last) now = time.at(system.clock().now()); // digests are in order, to the microsecond
    last = now;
    telemetry->push(now);
    driver->receive([](std::uint64_t) {});
  }
  const double rate = chain_rounds / std::chrono::duration<double>(clock::now() - begin).count();
  const auto end = [&](const auto& handle) { caf::anon_send_exit(handle, caf::exit_reason::user_shutdown); };
  end(eager), end(sense), end(gov), end(plant), end(sink);
  return rate;
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * 4096;
}

double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/// Ten thousand loops that sense nothing: their memory, and their part of a core.
std::vector<row> idle_loops() {
  constexpr int loops = 10'000;
  malloc_trim(0);
  const double before = resident_bytes();
  caf::actor_system_config config;
  register_messages(config);
  config.set("scheduler.max-threads", 2U);
  caf::actor_system system{config};
  const time_line time = time_line::anchored(system.clock());
  node_setup setup;
  setup.name = "bench";
  setup.store = std::make_shared<instant_store>();
  setup.time = time;
  pool_setup& pool = setup.pools.emplace_back();
  pool.name = "bench";
  for (int i = 0; i < loops; ++i) {
    pool.loops.push_back(make_loop("loop" + std::to_string(i), time, std::make_shared<scripted_telemetry>()));
    pool.loops.back().governor.config.watch_telemetry = true; // its timer is part of what an idle loop costs
    pool.loops.back().governor.config.safe_mode.telemetry_timeout = 10s;
  }
  const auto root = system.spawn(node_supervisor, std::move(setup));
  std::this_thread::sleep_for(std::chrono::seconds(3));
  const double per_loop = (resident_bytes() - before) / loops / 1024;
  const double cpu = cpu_seconds();
  constexpr int watch_s = 15;
  std::this_thread::sleep_for(std::chrono::seconds(watch_s));
  const double share = (cpu_seconds() - cpu) / watch_s / loops * 100;
  {
    caf::scoped_actor self{system};
    self->request(root, std::chrono::seconds(30), stop_atom::value).receive([](bool) {}, [](const caf::error&) {});
  }
  return {at_most("idle_loop_memory", per_loop, "KiB", 64), at_most("idle_loop_cpu", share, "% of a core", 0.01)};
}

} // namespace

std::vector<row> actor_rows() {
  std::vector<row> rows;
  {
    caf::actor_system_config config;
    register_messages(config);
    config.set("scheduler.max-threads", 2U);
    caf::actor_system system{config};
    std::vector<double> governed, bare;
    for (int i = 0; i < 5; ++i)
      bare.push_back(bare_chain_rate(system)), governed.push_back(governed_chain_rate(system));
    rows.push_back(
        at_least_ratio("digest_to_decision", quantile(governed, 0.5), "digests/s", quantile(bare, 0.5), 0.6));
  }
  for (row& r : idle_loops()) rows.push_back(std::move(r));
  return rows;
}

} // namespace homeostat::bench
