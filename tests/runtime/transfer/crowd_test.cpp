// A thousand threads that transfer at once, and peers with both methods that are killed meanwhile: every transfer ends,
// delivered or with a typed error.
#include "runtime/transfer/bench/peer_process.hpp"
#include "runtime/transfer/transfer_sender.hpp"
#include "tests/runtime/transfer/channel_rig.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <latch>
#include <set>

namespace homeostat {
namespace {

using namespace rig;

constexpr std::size_t crowd = 1000;

/// Every thread sends once, all at the same time.
template <typename Send> std::size_t delivered_to_a_crowd(Send send) {
  const auto bytes = pattern(20'000);
  const std::uint64_t expected = digest(bytes);
  std::latch together(crowd);
  std::atomic<std::size_t> delivered{0}, typed{0}, wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(crowd);
  for (std::size_t t = 0; t < crowd; ++t)
    threads.emplace_back([&] {
      together.arrive_and_wait();
      const auto sent = send(bytes);
      if (!sent)
        ++(sent.error().text.empty() ? wrong : typed);
      else
        ++(sent->checksum == expected ? delivered : wrong);
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(delivered + typed, crowd);
  return delivered;
}

class Crowd : public testing::TestWithParam<way> {};
INSTANTIATE_TEST_SUITE_P(ByEach, Crowd, testing::Values(way::reused, way::fresh, way::grpc),
                         [](const auto& row) { return name_of(row.param); });

TEST_P(Crowd, AllAreServed) {
  link to(GetParam());
  const std::size_t delivered =
      delivered_to_a_crowd([&](const std::vector<std::byte>& bytes) { return to.send(bytes, 120s); });
  EXPECT_EQ(delivered, crowd) << "lanes are waited for";
}

TEST(CrowdOfOneSender, AllAreServedByOneOrTheOther) {
  link shared(way::reused), serialised(way::grpc);
  sender_settings settings;
  settings.shared.path = shared.path();
  settings.shared.lane_patience = 1ms;
  settings.serialised.target = "unix:" + serialised.path();
  transfer_policy policy;
  policy.minimum_threshold = 0;
  policy.zero_copy_threshold = 1;
  policy.exploration_rate = 0;
  transfer_sender by("crowd", policy, settings);
  std::atomic<std::size_t> fallen{0};
  const std::size_t delivered = delivered_to_a_crowd([&](const std::vector<std::byte>& bytes) {
    const auto sent = by.send(bytes, {}, 120s);
    if (!sent) return std::expected<transfer_receipt, transfer_error>(std::unexpected(sent.error()));
    fallen += sent->fell_back.has_value();
    return std::expected<transfer_receipt, transfer_error>(sent->receipt);
  });
  EXPECT_EQ(delivered, crowd);
  EXPECT_GT(fallen, 0U);
  EXPECT_EQ(by.pool().conditions().in_flight, 0U);
}

TEST(CrowdOfOneSender, PeersKilledUnderWayEndEveryTransferAndAreFoundAgain) {
  scratch_folder folder("homeostat-crowd");
  sender_settings settings;
  settings.shared.path = folder.path() + "/shm";
  settings.serialised.target = "unix:" + folder.path() + "/grpc";
  transfer_policy policy;
  policy.minimum_threshold = 0;
  policy.zero_copy_threshold = 50'000;
  policy.exploration_rate = 0.5;
  transfer_sender by("kills", policy, settings);
  std::size_t descriptors_after_first = 0;
  for (int round = 0; round < 15; ++round) {
    auto peer = peer_process::start(HOMEOSTAT_PROGRAM, settings.shared.path, settings.serialised.target);
    ASSERT_TRUE(peer) << peer.error();
    EXPECT_EQ(peer->end(), "");
    std::atomic<bool> killed{false};
    std::atomic<std::size_t> delivered{0}, untyped{0};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        const auto small = pattern(10'000, t), large = pattern(2'000'000, t);
        for (int i = 0, after = 0; after < 3; ++i) {
          if (killed.load()) ++after;
          const auto& bytes = i % 2 == 0 ? small : large;
          const auto sent = by.send(bytes, {}, 60s);
          if (sent)
            delivered += sent->receipt.checksum == touch_lines(bytes);
          else
            untyped += sent.error().why != kind::peer_gone && sent.error().why != kind::failed;
        }
      });
    EXPECT_TRUE(soon([&] { return delivered >= 20; }));
    ::kill(peer->pid(), SIGKILL);
    killed = true;
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(untyped, 0U);
    EXPECT_TRUE(soon([&] { return !peer->end().empty(); }));
    EXPECT_EQ(peer->end(), "was ended by signal 9");
    by.pool().learn(instant{});
    EXPECT_LE(mapped_segments(), settings.shared.lanes) << "of lanes that were idle when it went";
    if (round == 0) descriptors_after_first = descriptors();
  }
  EXPECT_LE(descriptors(), descriptors_after_first + 8) << "gRPC keeps a few of its own";
}

} // namespace
} // namespace homeostat
