// What both methods promise alike: every test runs by shared memory, reused and fresh, and by gRPC.
#include "tests/runtime/transfer/channel_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace homeostat {
namespace {

using namespace rig;
using testing::HasSubstr;

class Channel : public testing::TestWithParam<way> {};
INSTANTIATE_TEST_SUITE_P(ByEach, Channel, testing::Values(way::reused, way::fresh, way::grpc),
                         [](const auto& row) { return name_of(row.param); });

TEST_P(Channel, ContentsArriveIntact) {
  link to(GetParam());
  constexpr std::size_t mib = 1 << 20; // the chunk size of gRPC
  std::uint64_t seed = 0;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65}, std::size_t{4095},
        std::size_t{4096}, std::size_t{4097}, std::size_t{65535}, std::size_t{65536}, std::size_t{65537}, mib - 1, mib,
        mib + 1, 2 * mib - 1, 2 * mib, 2 * mib + 1, 9 * mib, std::size_t{10}}) {
    const auto bytes = pattern(size, ++seed);
    const auto sent = to.send(bytes);
    ASSERT_TRUE(sent) << size << ": " << sent.error().text;
    EXPECT_EQ(sent->checksum, digest(bytes)) << size;
  }
}

TEST_P(Channel, CharacteristicsReachTheConsumer) {
  transfer_characteristics seen;
  link to(GetParam(), [&](std::span<const std::byte>, const transfer_characteristics& data) {
    seen = data;
    return 0U;
  });
  const auto bytes = pattern(100);
  const transfer_characteristics told{100, data_type::dataframe, data_format::arrow, true};
  ASSERT_TRUE(to.channel->send(bytes, told, 60s));
  EXPECT_EQ(seen, told);
}

TEST_P(Channel, ReceiptTellsWhatItCost) {
  link to(GetParam());
  const auto bytes = pattern(3'000'000);
  const auto sent = to.send(bytes);
  ASSERT_TRUE(sent);
  EXPECT_GT(sent->latency_us, 0);
  EXPECT_GT(sent->cpu_time_us, 0);
  EXPECT_GE(sent->memory_used, bytes.size()) << "a second copy of the bytes, somewhere";
  EXPECT_LE(sent->memory_used, 4 * bytes.size());
}

TEST_P(Channel, ManyThreadsAtOnce) {
  link to(GetParam());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      chacha8_rng rng(7, t);
      for (int i = 0; i < 40; ++i) {
        const auto bytes = pattern(static_cast<std::size_t>(rng.uniform() * 300'000), t * 1000 + 1);
        const auto sent = to.send(bytes);
        if (!sent || sent->checksum != digest(bytes)) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

struct odd_reason final : std::exception {
  explicit odd_reason(std::string t) : text(std::move(t)) {}
  [[nodiscard]] const char* what() const noexcept override { return text.c_str(); }
  std::string text;
};

TEST_P(Channel, ConsumerThatThrowsRefuses) {
  std::atomic<int> call{0};
  link to(GetParam(), [&](std::span<const std::byte> bytes, const transfer_characteristics& data) {
    switch (call++) {
    case 0: throw std::runtime_error("not today");
    case 1: throw 42;                                    // nothing that has a text
    case 2: throw odd_reason("");                        // an empty one is no consent
    case 3: throw odd_reason(std::string(100'000, 'x')); // longer than any packet
    case 4: throw odd_reason("\xff\xfe\n broken");       // no text at all
    default: return digest_all(bytes, data);
    }
  });
  const std::vector<std::string> reasons{"not today", "no reason", "no reason", "xxxxxxxxxx", "broken"};
  for (const std::string& reason : reasons) {
    const auto sent = to.send({}); // no byte is missing: the answer alone can tell
    ASSERT_FALSE(sent) << reason;
    EXPECT_EQ(sent.error().why, kind::refused) << sent.error().text;
    EXPECT_THAT(sent.error().text, HasSubstr(reason));
    EXPECT_LT(sent.error().text.size(), 1200U);
  }
  EXPECT_TRUE(to.send(pattern(100))) << "and goes on";
}

TEST_P(Channel, TooLargeIsRefusedAndTheLargestIsNot) {
  for (const std::size_t largest : {std::size_t{100'000}, std::size_t{5} << 20}) {
    link to(GetParam(), digest_all, largest);
    const auto sent = to.send(pattern(largest));
    EXPECT_TRUE(sent) << sent.error().text;
    for (const std::size_t size : {largest + 1, 2 * largest + 1}) {
      const auto over = to.send(pattern(size));
      ASSERT_FALSE(over);
      EXPECT_EQ(over.error().why, kind::refused);
      EXPECT_THAT(over.error().text, HasSubstr("are accepted"));
    }
    EXPECT_TRUE(to.send(pattern(10)));
  }
}

TEST_P(Channel, SlowConsumerTimesOutAndTheNextTransferIsItsOwn) {
  std::latch release(1);
  std::atomic<bool> slow{true};
  link to(GetParam(), [&](std::span<const std::byte> bytes, const transfer_characteristics& data) {
    const std::uint64_t before = digest_all(bytes, data);
    if (slow.exchange(false)) release.wait();
    if (digest_all(bytes, data) != before) throw std::runtime_error("the bytes changed under the consumer");
    return before;
  });
  const auto late = to.send(pattern(200'000, 1), 100ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().why, kind::timed_out) << late.error().text;
  const auto bytes = pattern(200'000, 2);
  const auto next = to.send(bytes); // while the first is still being read
  release.count_down();
  ASSERT_TRUE(next) << next.error().text;
  EXPECT_EQ(next->checksum, digest(bytes));
}

TEST_P(Channel, AbsentPeerIsGone) {
  link to(GetParam());
  to.hang_up();
  const auto sent = to.send(pattern(10));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().why, kind::peer_gone) << sent.error().text;
}

TEST_P(Channel, PeerThatRestartsIsFoundAgain) {
  link to(GetParam());
  for (int absent : {0, 1, 30}) { // also one that was missed so often that it would be looked for rarely
    ASSERT_TRUE(to.send(pattern(70'000)));
    to.hang_up();
    for (int i = 0; i < absent; ++i) {
      EXPECT_FALSE(to.send(pattern(10)));
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    to.listen();
    const auto bytes = pattern(70'000, 9);
    auto sent = to.send(bytes);
    if (!sent) sent = to.send(bytes); // the connection of before ends with one that fails
    ASSERT_TRUE(sent) << absent << ": " << sent.error().text;
    EXPECT_EQ(sent->checksum, digest(bytes));
  }
}

TEST_P(Channel, EndlessPatienceIsNoOverflow) {
  link to(GetParam());
  const auto sent = to.send(pattern(10), duration::max());
  EXPECT_TRUE(sent) << sent.error().text;
}

TEST(GrpcChannel, ChunksOfAnySizeAndTcp) {
  auto receiver = grpc_receiver::listen("127.0.0.1:47911", digest_all);
  ASSERT_TRUE(receiver) << receiver.error().text;
  for (const std::size_t chunk : {std::size_t{0}, std::size_t{4096}, std::size_t{100} << 20}) { // clamped
    grpc_channel channel({"127.0.0.1:47911", chunk});
    for (const std::size_t size : {4095U, 4096U, 4097U, 8191U, 8192U, 8193U, 3'145'727U, 3'145'728U, 3'145'729U}) {
      const auto bytes = pattern(size, size);
      const auto sent = channel.send(bytes, {.data_size = size}, 60s);
      ASSERT_TRUE(sent) << size << ": " << sent.error().text;
      EXPECT_EQ(sent->checksum, digest(bytes));
    }
  }
}

TEST(GrpcChannel, LivingListenerKeepsItsSocket) {
  link to(way::grpc);
  const auto second = grpc_receiver::listen("unix:" + to.path(), digest_all);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text, HasSubstr("another process listens on"));
  EXPECT_TRUE(to.send(pattern(10)));
}

} // namespace
} // namespace homeostat
