#include "runtime/transfer/transfer_sender.hpp"
#include "tests/runtime/transfer/channel_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace homeostat {
namespace {

using namespace rig;
using testing::HasSubstr;

/// From 1,000 bytes on zero_copy, without exploring.
transfer_policy policy() {
  transfer_policy p;
  p.minimum_threshold = 0;
  p.zero_copy_threshold = 1000;
  p.exploration_rate = 0;
  return p;
}

class Sender : public testing::Test {
protected:
  void listen(const transfer_consumer& consumer = digest_all) {
    listen_shared(consumer);
    grpc_ = std::move(grpc_receiver::listen("unix:" + folder_.path() + "/grpc", consumer).value());
  }
  void listen_shared(const transfer_consumer& consumer = digest_all) {
    shared_ = std::move(shm_receiver::listen(folder_.path() + "/shm", consumer).value());
  }
  /// Waits for the consumers: before what they use ends.
  void hang_up() {
    shared_.reset();
    grpc_.reset();
  }
  sender_settings settings() {
    sender_settings s;
    s.shared.path = folder_.path() + "/shm";
    s.serialised.target = "unix:" + folder_.path() + "/grpc";
    return s;
  }
  /// What was reported since the last call.
  static std::vector<transfer_metrics> reported(transfer_sender& by) {
    std::vector<transfer_metrics> all;
    by.pool().learn(instant{}, [&](const transfer_metrics& one) { all.push_back(one); });
    return all;
  }
  scratch_folder folder_{"homeostat-sender"};
  std::unique_ptr<shm_receiver> shared_;
  std::unique_ptr<grpc_receiver> grpc_;
};

TEST_F(Sender, SendsByTheChosenMethodAndReports) {
  listen();
  transfer_sender by("pool", policy(), settings());
  for (const std::size_t size : {10U, 100'000U}) {
    const auto bytes = pattern(size);
    transfer_characteristics data{.data_size = 12345, .type = data_type::tensor}; // the size is not believed
    const auto sent = by.send(bytes, data, 60s);
    ASSERT_TRUE(sent) << sent.error().text;
    const transfer_method expected = size < 1000 ? transfer_method::grpc : transfer_method::zero_copy;
    EXPECT_EQ(sent->method, expected);
    EXPECT_EQ(sent->decision.method, expected);
    EXPECT_FALSE(sent->fell_back);
    EXPECT_EQ(sent->receipt.checksum, digest(bytes));
    const auto reports = reported(by);
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_EQ(reports[0].method, expected);
    EXPECT_EQ(reports[0].data.data_size, size);
    EXPECT_EQ(reports[0].data.type, data_type::tensor);
    EXPECT_FALSE(reports[0].failed);
    EXPECT_EQ(reports[0].latency_us, sent->receipt.latency_us);
    EXPECT_EQ(reports[0].memory_used, sent->receipt.memory_used);
    EXPECT_EQ(reports[0].generation, sent->decision.generation);
    EXPECT_EQ(reports[0].predicted_latency_us, sent->decision.predicted_us());
    EXPECT_GT(reports[0].decision_time_us, 0);
    EXPECT_EQ(reports[0].conditions.in_flight, 1U);
    EXPECT_GT(reports[0].timestamp, instant{});
  }
  EXPECT_EQ(by.pool().conditions().in_flight, 0U);
}

TEST_F(Sender, FallsBackWhenSharedMemoryIsExhaustedAndRecovers) {
  std::latch release(1), reading(1);
  std::atomic<bool> first{true};
  listen([&](std::span<const std::byte> bytes, const transfer_characteristics& data) {
    if (first.exchange(false)) {
      reading.count_down();
      release.wait();
    }
    return digest_all(bytes, data);
  });
  sender_settings s = settings();
  s.shared.lanes = 1;
  s.shared.lane_patience = 1ms;
  transfer_sender by("pool", policy(), s);
  const auto bytes = pattern(100'000);
  std::thread other([&] { EXPECT_TRUE(by.send(bytes, {}, 60s)); }); // keeps the only lane
  reading.wait();
  const auto sent = by.send(bytes, {}, 60s);
  release.count_down();
  other.join();
  ASSERT_TRUE(sent) << sent.error().text;
  EXPECT_EQ(sent->method, transfer_method::grpc);
  EXPECT_EQ(sent->decision.method, transfer_method::zero_copy);
  ASSERT_TRUE(sent->fell_back);
  EXPECT_EQ(sent->fell_back->why, kind::exhausted);
  EXPECT_EQ(sent->receipt.checksum, digest(bytes));

  auto reports = reported(by);
  std::erase_if(reports, [](const transfer_metrics& one) { return one.transfer_id != 2; });
  ASSERT_EQ(reports.size(), 2U) << "both attempts of the second transfer";
  EXPECT_EQ(reports[0].method, transfer_method::zero_copy);
  EXPECT_TRUE(reports[0].failed);
  EXPECT_GT(reports[0].latency_us, 0) << "the time lost";
  EXPECT_EQ(reports[1].method, transfer_method::grpc);
  EXPECT_FALSE(reports[1].failed);
  EXPECT_EQ(reports[1].data.data_size, bytes.size());
  EXPECT_EQ(reports[0].decision_time_us, reports[1].decision_time_us);

  ASSERT_TRUE(by.pool().set_policy(policy(), instant{}));
  by.pool().reset(instant{}, "test"); // the failure taught it to prefer gRPC
  const auto again = by.send(bytes, {}, 60s);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->method, transfer_method::zero_copy);
}

TEST_F(Sender, TooLargeForTheSegmentsGoesByGrpc) {
  listen();
  sender_settings s = settings();
  s.shared.segment_bytes = 1 << 20;
  transfer_sender by("pool", policy(), s);
  const auto bytes = pattern(3 << 20);
  const auto sent = by.send(bytes, {}, 60s);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->method, transfer_method::grpc);
  EXPECT_EQ(sent->receipt.checksum, digest(bytes));
}

TEST_F(Sender, FallsBackWhenTheSocketIsGoneAndRecovers) {
  listen();
  transfer_sender by("pool", policy(), settings());
  const auto bytes = pattern(50'000);
  ASSERT_TRUE(by.send(bytes, {}, 60s));
  shared_.reset();
  for (int i = 0; i < 5; ++i) {
    const auto sent = by.send(bytes, {}, 60s);
    ASSERT_TRUE(sent) << sent.error().text;
    EXPECT_EQ(sent->method, transfer_method::grpc);
    ASSERT_TRUE(sent->fell_back);
    EXPECT_EQ(sent->fell_back->why, kind::peer_gone);
  }
  listen_shared();
  const auto sent = by.send(bytes, {}, 60s);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->method, transfer_method::zero_copy);
}

TEST_F(Sender, TimeThatIsLeftAfterATimeoutIsUsed) {
  std::latch release(1);
  std::atomic<bool> first{true};
  listen([&](std::span<const std::byte> bytes, const transfer_characteristics& data) {
    if (first.exchange(false)) release.wait();
    return digest_all(bytes, data);
  });
  sender_settings s = settings();
  s.zero_copy_patience = 50ms;
  transfer_sender by("pool", policy(), s);
  const auto sent = by.send(pattern(50'000), {}, 60s);
  release.count_down();
  hang_up();
  ASSERT_TRUE(sent) << sent.error().text;
  EXPECT_EQ(sent->method, transfer_method::grpc);
  ASSERT_TRUE(sent->fell_back);
  EXPECT_EQ(sent->fell_back->why, kind::timed_out);
}

TEST_F(Sender, WithoutTimeLeftThereIsNoSecondAttempt) {
  std::latch release(1);
  std::atomic<int> calls{0};
  listen([&](std::span<const std::byte>, const transfer_characteristics&) {
    ++calls;
    release.wait();
    return 0U;
  });
  transfer_sender by("pool", policy(), settings());
  const auto sent = by.send(pattern(50'000), {}, 50ms);
  release.count_down();
  hang_up();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().why, kind::timed_out);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(reported(by).size(), 1U);
}

TEST_F(Sender, WhatIsRefusedIsNotSentAgain) {
  std::atomic<int> calls{0};
  listen([&](std::span<const std::byte>, const transfer_characteristics&) -> std::uint64_t {
    ++calls;
    throw std::runtime_error("no");
  });
  transfer_sender by("pool", policy(), settings());
  const auto sent = by.send(pattern(50'000), {}, 60s);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().why, kind::refused);
  EXPECT_EQ(calls, 1);
}

TEST_F(Sender, WhenBothFailTheErrorTellsBoth) {
  transfer_sender by("pool", policy(), settings()); // nobody listens
  const auto sent = by.send(pattern(50'000), {}, 60s);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().why, kind::peer_gone);
  EXPECT_THAT(sent.error().text, HasSubstr("gRPC"));
  EXPECT_THAT(sent.error().text, HasSubstr("by shared memory: connect to"));
  const auto reports = reported(by);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_TRUE(reports[0].failed && reports[1].failed);
  EXPECT_EQ(by.pool().conditions().in_flight, 0U);
}

TEST_F(Sender, ManyThreadsAllDeliver) {
  listen();
  sender_settings s = settings();
  s.shared.lanes = 2;
  s.shared.lane_patience = 1ms;
  transfer_sender by("pool", policy(), s);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 16; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 30; ++i) {
        const auto bytes = pattern(100 + i * 1000, t + 1);
        const auto sent = by.send(bytes, {}, 60s);
        if (!sent || sent->receipt.checksum != digest(bytes)) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

} // namespace
} // namespace homeostat
