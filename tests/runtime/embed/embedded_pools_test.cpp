// Pools inside the program that moves the buffers: named once, asked from every thread, learning on a thread of their
// own.
#include "runtime/embed/embedded_pools.hpp"
#include "runtime/transfer/metrics_file.hpp"
#include "tests/runtime/store/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

namespace homeostat {
namespace {

using testing::HasSubstr, testing::IsEmpty;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

transfer_policy calm() {
  transfer_policy p;
  p.cpu_pressure_threshold = p.memory_pressure_threshold = 1; // what else runs here is not the test's business
  return p;
}

class embedded_pools_test : public ::testing::Test {
protected:
  embedded_pools_options options() {
    return {.store = (folder / "mover").string(),
            .notes = {.alert = [this](const std::string& pool, const std::string& text) {
              const std::lock_guard hold(mutex);
              alerts.push_back(pool + ": " + text);
            }}};
  }
  std::unique_ptr<embedded_pools> started(std::vector<pool_config> pools) {
    auto made = embedded_pools::start(pools, options());
    EXPECT_TRUE(made) << (made ? "" : made.error());
    return made ? std::move(*made) : nullptr;
  }
  /// Moves one buffer on a machine where shared memory takes a thirtieth of the time.
  static bool move(const embedded_pool& pool, std::uint64_t size) {
    const transfer_characteristics data{.data_size = size};
    const auto mark = pool.under_way();
    const transfer_decision decision = pool.decide(data);
    return pool.record({.data = data,
                        .decision = decision,
                        .latency = std::chrono::microseconds(decision.method == transfer_method::grpc ? 9000 : 300)});
  }
  /// Moves buffers until measured costs decide.
  static void learn(const embedded_pool& pool, std::uint64_t size) {
    transfer_policy curious = pool.policy();
    const transfer_policy before = curious;
    curious.exploration_rate = 0.5;
    curious.exploration_budget = 0.5;
    ASSERT_TRUE(pool.set_policy(curious));
    for (int i = 0; i < 100'000 && pool.decide({.data_size = size}).reason != decision_reason::cost_benefit; ++i) {
      (void)move(pool, size);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_TRUE(pool.set_policy(before));
  }

  temporary_folder folder;
  std::mutex mutex;
  std::vector<std::string> alerts;
};

TEST_F(embedded_pools_test, DecidesByNameAndLearnsByItself) {
  transfer_policy eager = calm();
  eager.zero_copy_threshold = 2 * mebibyte;
  const auto pools = started({{.name = "tensors", .supervision = {}, .transfer = calm()},
                              {.name = "frames", .supervision = {}, .transfer = eager}});
  const auto tensors = pools->pool("tensors");
  ASSERT_TRUE(tensors) << tensors.error();
  EXPECT_EQ(tensors->decide({.data_size = 4 * mebibyte}).method, transfer_method::grpc);
  EXPECT_EQ(pools->decide("frames", {.data_size = 4 * mebibyte})->method, transfer_method::zero_copy);
  const auto unknown = pools->decide("images", {.data_size = 1});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error(), "no pool 'images', expected one of tensors, frames");

  learn(*tensors, 4 * mebibyte);
  transfer_decision decision = tensors->decide({.data_size = 4 * mebibyte});
  while (decision.reason == decision_reason::exploration) decision = tensors->decide({.data_size = 4 * mebibyte});
  EXPECT_EQ(decision.method, transfer_method::zero_copy);
  EXPECT_EQ(decision.reason, decision_reason::cost_benefit);
  EXPECT_THAT(tensors->explain(decision, {.data_size = 4 * mebibyte}), HasSubstr("zero_copy for 4 MiB"));
  EXPECT_THAT(alerts, IsEmpty());
}

TEST_F(embedded_pools_test, ReadsPoolsFromAConfigurationFile) {
  const auto file = folder / "pools.yaml";
  std::ofstream(file) << R"(apiVersion: homeostat/v1
kind: Pool
metadata: {name: tensors}
spec: {transfer: {zero_copy_threshold: 64 KiB, minimum_threshold: 0 B, cpu_pressure_threshold: 1, memory_pressure_threshold: 1}}
)";
  const auto pools = embedded_pools::load(file, options());
  ASSERT_TRUE(pools) << pools.error();
  EXPECT_EQ((*pools)->pool("tensors")->policy().zero_copy_threshold, 65536U);
  std::ofstream(file, std::ios::app) << "  goals: fast\n";
  const auto wrong = embedded_pools::load(file, options());
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error(), HasSubstr("pools.yaml:"));
}

TEST_F(embedded_pools_test, SaysWhatIsWrongAndStartsNothing) {
  const pool_config good{.name = "tensors", .supervision = {}, .transfer = calm()};
  EXPECT_THAT(embedded_pools::start({good}, {}).error(), HasSubstr("store is empty"));
  EXPECT_THAT(embedded_pools::start({}, options()).error(), HasSubstr("no pool decides"));
  EXPECT_THAT(embedded_pools::start({good, good}, options()).error(), HasSubstr("pool tensors is there twice"));
  pool_config bad = good;
  bad.transfer->exploration_rate = 7;
  EXPECT_THAT(embedded_pools::start({bad}, options()).error(), HasSubstr("exploration_rate"));
  bad = good;
  bad.transfer->rules = {{"r", 1, transfer_method::grpc, "no_metric > 1"}};
  EXPECT_THAT(embedded_pools::start({bad}, options()).error(), HasSubstr("no_metric"));
}

TEST_F(embedded_pools_test, AnOutcomeWithoutADurationIsNotTaken) {
  const auto pools = started({{.name = "tensors", .supervision = {}, .transfer = calm()}});
  EXPECT_FALSE(pools->pool("tensors")->record({.data = {.data_size = 1}}));
}

TEST_F(embedded_pools_test, EightThreadsAskAndReportWhileItLearns) {
  transfer_policy policy = calm();
  policy.minimum_threshold = 0;
  policy.rules = {{"crowded", 1, transfer_method::grpc, "in_flight > 100"}};
  const auto pools = started({{.name = "tensors", .supervision = {}, .transfer = policy},
                              {.name = "frames", .supervision = {}, .transfer = policy}});
  constexpr std::uint64_t each = 4000;
  std::atomic<std::uint64_t> taken{0}, wrong{0};
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        const auto pool = pools->pool(t % 2 == 0 ? "tensors" : "frames").value();
        for (std::uint64_t i = 0; i < each; ++i) {
          const std::uint64_t size = (i * 7919 + t) % (4 * mebibyte);
          taken += move(pool, size) ? 1 : 0;
          if (pool.decide({.data_size = size}).reason == decision_reason::fallback) ++wrong;
          if (i % 500 == 0 && !pool.set_policy(policy)) ++wrong;
        }
      });
  }
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(taken + pools->pool("tensors")->lost() + pools->pool("frames")->lost(), 8 * each);
  EXPECT_THAT(alerts, IsEmpty());
}

TEST_F(embedded_pools_test, WhatWasReportedBeforeTheEndIsKept) {
  {
    const auto pools = started({{.name = "tensors", .supervision = {}, .transfer = calm()}});
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(move(*pools->pool("tensors"), 4 * mebibyte));
  }
  EXPECT_GT(std::filesystem::file_size(folder / "mover.transfers"), 0U);
  metrics_file_options file{.path = folder / "mover.transfers"};
  metrics_store store;
  EXPECT_EQ(metrics_file::open(file)
                .value()
                ->load("tensors", store, std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()))
                ->samples,
            50U);
}

} // namespace
} // namespace homeostat
