// The same tree on real threads: ports answer from their own, and everything still ends.
#include "actors/group_supervisor.hpp"
#include "tests/actors/loops.hpp"

#include <caf/scoped_actor.hpp>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

namespace homeostat::testing {
namespace {

/// One thread that does what it is given, in order.
class worker {
public:
  worker() : thread_([this] { run(); }) {}
  ~worker() {
    give({});
    thread_.join();
  }
  void give(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
  }

private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !tasks_.empty(); });
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (!task) return;
      task();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::thread thread_;
};

/// A fake store whose answers come from its own thread.
class threaded_store final : public store_port {
public:
  bool submit(audit_batch batch, std::function<void(audit_answer)> done) override {
    thread_.give([this, batch = std::move(batch), done = std::move(done)] { (void)inner_.submit(batch, done); });
    return true;
  }
  bool save(std::string key, std::string value, std::function<void(audit_answer)> done) override {
    thread_.give([this, key = std::move(key), value = std::move(value), done = std::move(done)] {
      (void)inner_.save(key, value, done);
    });
    return true;
  }
  void load(std::string key, std::function<void(loaded)> done) override {
    thread_.give([this, key = std::move(key), done = std::move(done)] { inner_.load(key, done); });
  }
  /// @returns how many records of that kind are durable.
  std::size_t records_of(audit_kind kind) {
    std::promise<std::size_t> count;
    thread_.give([&] { count.set_value(inner_.records_of(kind).size()); });
    return count.get_future().get();
  }

private:
  fake_store inner_; ///< touched by the thread alone
  worker thread_;
};

/// A plant that applies on its own thread and reports a digest after each change and reading.
class threaded_plant final : public actuator_port, public telemetry_port {
public:
  explicit threaded_plant(time_line time, const caf::actor_clock& clock) : time_(time), clock_(clock) {}

  void apply(actuation wanted, std::function<void(actuation_answer)> done) override {
    thread_.give([this, wanted, done = std::move(done)] {
      {
        const std::lock_guard lock(mutex_);
        in_force_ = wanted.values;
        ++changes_;
      }
      changed_.notify_all();
      done({.ticket = wanted.ticket, .ok = true, .read_back = wanted.values, .text = {}});
    });
  }
  void read_back(std::function<void(actuation_answer)> done) override {
    thread_.give([this, done = std::move(done)] {
      std::unique_lock lock(mutex_);
      const knob_values values = in_force_;
      lock.unlock();
      done({.ticket = 0, .ok = true, .read_back = values, .text = {}});
    });
  }

  std::optional<telemetry_digest> pop() override {
    const std::lock_guard lock(mutex_);
    if (ring_.empty()) {
      told_ = false;
      return std::nullopt;
    }
    const telemetry_digest front = ring_.front();
    ring_.pop_front();
    return front;
  }
  void on_ready(std::function<void()> wake) override {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
  }
  void set_live_generation(std::uint64_t generation) override {
    const std::lock_guard lock(mutex_);
    generation_ = generation;
  }

  /// One digest about now.
  void report() {
    const std::lock_guard lock(mutex_);
    const instant now = time_.at(clock_.now());
    const double x = in_force_[0] - 70, y = in_force_[1] - 70;
    if (ring_.size() == 64) ring_.pop_front();
    ring_.push_back({.at = now,
                     .window = 100us,
                     .sequence = ++sequence_,
                     .generation = generation_,
                     .sample_count = 1,
                     .objective = 10 + (x * x + y * y) / 100,
                     .measures = {}});
    if (!std::exchange(told_, true) && wake_) wake_();
  }
  /// Reports until so many changes have come into force. @returns false if they do not within half a minute.
  bool report_until(int changes) {
    std::unique_lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (changes_ < changes) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      lock.unlock();
      report();
      lock.lock();
      changed_.wait_for(lock, 1ms);
    }
    return true;
  }

private:
  const time_line time_;
  const caf::actor_clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  knob_values in_force_{50, 50};
  int changes_{0};
  std::deque<telemetry_digest> ring_;
  std::function<void()> wake_;
  bool told_{false};
  std::uint64_t generation_{0};
  std::uint64_t sequence_{0};
  worker thread_; ///< last, so that it ends first
};

TEST(threads, CarryAWholeNode) {
  const auto store = std::make_shared<threaded_store>();
  caf::actor_system_config config;
  register_messages(config);
  config.set("scheduler.max-threads", 2U);
  auto system = std::make_unique<caf::actor_system>(config);
  const time_line time = time_line::anchored(system->clock());

  std::vector<std::shared_ptr<threaded_plant>> plants;
  node_setup setup{.name = "node", .store = store, .pools = {}, .time = time, .seed = 1};
  for (int p = 0; p < 2; ++p) {
    pool_setup& pool = setup.pools.emplace_back(pool_setup{.name = "pool", .loops = {}});
    for (int l = 0; l < 2; ++l) {
      const auto plant = plants.emplace_back(std::make_shared<threaded_plant>(time, system->clock()));
      loop_setup& loop = pool.loops.emplace_back(loop_of("loop" + std::to_string(plants.size()), time, plant, plant));
      for (guardrails* limits : {&loop.governor.config.limits, &loop.proposer.engine.limits}) {
        limits->max_updates_per_second = 10'000;
        limits->min_interval = 0ms;
        limits->max_cumulative_delta_per_minute = 1000;
        limits->direction_flip_limit = 1000;
      }
      loop.sensor.windows = {.digests = 1, .span = 1s, .settle_time = 0ms, .max_age = 5s};
    }
  }
  {
    caf::scoped_actor self{*system};
    const auto node = self->spawn(node_supervisor, setup);
    for (const auto& plant : plants) EXPECT_TRUE(plant->report_until(30));
    std::size_t loops = 0;
    self->request(node, std::chrono::seconds(10), status_atom::value)
        .receive([&](const std::vector<loop_status>& all) { loops = all.size(); },
                 [&](const caf::error& reason) { ADD_FAILURE() << system->render(reason); });
    EXPECT_EQ(loops, 4U);
    std::optional<bool> clean;
    self->request(node, std::chrono::seconds(10), stop_atom::value)
        .receive([&](bool value) { clean = value; },
                 [&](const caf::error& reason) { ADD_FAILURE() << system->render(reason); });
    EXPECT_EQ(clean, true);
  }
  system.reset(); // waits for every actor to end
  EXPECT_EQ(store->records_of(audit_kind::stopped), 4U);
}

} // namespace
} // namespace homeostat::testing
