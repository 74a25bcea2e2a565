// The node's actor tree over real pools on real threads, with an engine that fails at every look: pools go on.
#include "actors/group_supervisor.hpp"
#include "runtime/node/transfer_pools.hpp"
#include "tests/actors/doubles.hpp"
#include "tests/runtime/store/temporary_folder.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

namespace homeostat::testing {
namespace {

using ::testing::Contains, ::testing::HasSubstr;

/// Fails at every look; what follows from that is for the port it stands for.
class failing_port final : public transfer_port {
public:
  explicit failing_port(std::shared_ptr<transfer_port> real) : real_(std::move(real)) {}
  void learn(instant) override { throw std::runtime_error("the disk is on fire"); }
  void abandoned(const std::string& why) override {
    real_->abandoned(why);
    given_up.set_value();
  }
  std::promise<void> given_up;

private:
  std::shared_ptr<transfer_port> real_;
};

std::vector<pool_config> one_pool() {
  transfer_policy policy;
  policy.memory_pressure_threshold = policy.cpu_pressure_threshold =
      1; // what else runs here is not the test's business
  return {{.name = "tensors", .supervision = {}, .transfer = policy}};
}

class failing_engine_test : public ::testing::Test {
protected:
  failing_engine_test() {
    register_messages(config);
    config.set("scheduler.max-threads", 2U);
    system.emplace(config);
    time = time_line::anchored(system->clock());
    pools.emplace(one_pool(), 1, (folder / "audit.db").string(), nullptr, time.wall,
                  pool_notes{.alert = [this](const std::string& pool, const std::string& text) {
                    const std::lock_guard hold(mutex);
                    alerts.push_back(pool + ": " + text);
                  }});
    setup.name = "node";
    setup.store = std::make_shared<fake_store>();
    setup.time = time;
    setup.supervision.intensity = 2;
    setup.pools.push_back(
        {.name = "tensors", .supervision = {.intensity = 2}, .loops = {}, .transfers = pools->port_of("tensors")});
    setup.learning = pools->learning_port();
    setup.analysis = pools->analysis_port();
  }
  void start() { node = system->spawn(node_supervisor, setup); }
  ~failing_engine_test() override {
    if (!node) return;
    caf::scoped_actor self{*system};
    self->request(node, 5s, stop_atom::value)
        .receive([](bool clean) { EXPECT_TRUE(clean); },
                 [](const caf::error&) { ADD_FAILURE() << "the node had ended before it was told to"; });
    node = nullptr;
  }
  transfer_pool& pool() { return *pools->find("tensors"); }
  /// Reports so many transfers by each method; by shared memory they are thirty times as fast.
  void report(int count) {
    for (int i = 0; i < count; ++i)
      for (const auto method : {transfer_method::grpc, transfer_method::zero_copy}) {
        transfer_metrics m;
        m.timestamp = time.at(system->clock().now());
        m.method = method;
        m.data.data_size = size;
        m.latency_us = method == transfer_method::grpc ? 9000 : 300;
        ASSERT_TRUE(pool().record(m));
      }
  }
  /// Until the metrics have them, which see a transfer after the pool has learned from it.
  void await_transfers(std::uint64_t count) {
    const auto recorded = [this] { return pools->metrics().counts("tensors").recorded; };
    for (int i = 0; i < 10'000 && recorded() < count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_EQ(recorded(), count);
  }
  decision_reason reason() {
    for (;;)
      if (const auto decision = pool().decide({.data_size = size}); decision.reason != decision_reason::exploration)
        return decision.reason;
  }

  static constexpr std::uint64_t size = 2U << 20U;
  temporary_folder folder;
  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  time_line time;
  std::mutex mutex;
  std::vector<std::string> alerts;
  std::optional<transfer_pools> pools;
  node_setup setup;
  supervisor_actor node;
};

TEST_F(failing_engine_test, WithoutLearningPoolsDecideByWhatIsMeasured) {
  const auto learning = std::make_shared<failing_port>(setup.learning);
  setup.learning = learning;
  start();
  learning->given_up.get_future().wait();
  report(20);
  await_transfers(40);
  EXPECT_EQ(reason(), decision_reason::cost_benefit);
  EXPECT_THAT(pools->learning().status("tensors")->failure, HasSubstr("the disk is on fire"));
  const std::lock_guard hold(mutex);
  EXPECT_THAT(alerts, Contains(HasSubstr("models are no longer used or trained: more than 2 restarts")));
}

TEST_F(failing_engine_test, WithoutItsTunerAPoolDecidesByThresholdsAndCountsWhatItCannotTake) {
  report(20);
  pool().learn(time.wall);
  ASSERT_EQ(reason(), decision_reason::cost_benefit);
  const auto tuner = std::make_shared<failing_port>(setup.pools[0].transfers);
  setup.pools[0].transfers = tuner;
  start();
  tuner->given_up.get_future().wait();
  EXPECT_EQ(reason(), decision_reason::threshold) << "what was learned is no longer kept up to date";
  transfer_metrics m;
  m.latency_us = 1;
  for (int i = 0; i < 100'000; ++i) (void)pool().record(m);
  EXPECT_GT(pool().lost(), 0U);
  const std::lock_guard hold(mutex);
  EXPECT_THAT(alerts, Contains(HasSubstr("tensors: outcomes are no longer learned from, thresholds and rules decide")));
}

TEST_F(failing_engine_test, WithoutItsAnalyzerNothingIsWrittenAndThatIsCounted) {
  const auto analysis = std::make_shared<failing_port>(setup.analysis);
  setup.analysis = analysis;
  start();
  analysis->given_up.get_future().wait();
  report(20);
  await_transfers(40);
  EXPECT_EQ(reason(), decision_reason::cost_benefit);
  EXPECT_EQ(pools->metrics().written().refused_samples, 40U);
  EXPECT_THAT(pools->metrics().written().last_error, HasSubstr("the disk is on fire"));
}

} // namespace
} // namespace homeostat::testing
