// What only shared memory has: leases, lanes, the bound on segments, the socket's path.
#include "tests/runtime/transfer/buffer_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <latch>
#include <optional>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace homeostat {
namespace {

using namespace rig;
using testing::HasSubstr;

shm_settings settings_for(const shm_link& to, std::size_t lanes, std::size_t segment_bytes) {
  shm_settings settings{.path = to.path()};
  settings.lanes = lanes;
  settings.segment_bytes = segment_bytes;
  return settings;
}

TEST(ShmLease, IsBuiltInPlaceAndSent) {
  shm_link to(segment_use::reused);
  shm_channel channel({.path = to.path()});
  auto place = channel.acquire(100'000, 1s);
  ASSERT_TRUE(place);
  ASSERT_EQ(place->bytes().size(), 100'000U);
  const auto bytes = pattern(100'000);
  std::ranges::copy(bytes, place->bytes().begin());
  const auto sent = std::move(*place).send({.data_size = 100'000}, 60s);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->checksum, digest(bytes));
  EXPECT_GT(sent->latency_us, 0);
}

TEST(ShmLease, LetGoUnsentGivesItsLaneBack) {
  shm_link to(segment_use::reused);
  shm_channel channel(settings_for(to, 1, 1 << 20));
  for (int i = 0; i < 10; ++i) {
    const auto place = channel.acquire(10, 1s);
    ASSERT_TRUE(place);
    const auto second = channel.acquire(10, 1ms);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().why, kind::exhausted);
    EXPECT_THAT(second.error().text, HasSubstr("1 lanes"));
  }
  EXPECT_TRUE(channel.send(pattern(10), {.data_size = 10}, 60s));
}

TEST(ShmLease, AbsurdSizesAreExhausted) {
  shm_link to(segment_use::reused);
  shm_channel channel(settings_for(to, 2, 1 << 20));
  for (const std::size_t size :
       {(std::size_t{1} << 20) + 1, std::size_t{1} << 62, (std::size_t{1} << 63) + 1, SIZE_MAX}) {
    const auto place = channel.acquire(size, 1s);
    ASSERT_FALSE(place) << size;
    EXPECT_EQ(place.error().why, kind::exhausted) << place.error().text;
  }
  EXPECT_EQ(channel.segment_bytes(), 0U);
}

TEST(ShmLane, BusyOnesAreWaitedForNoLongerThanTheirOwnPatience) {
  shm_link to(segment_use::reused);
  shm_settings settings = settings_for(to, 1, 1 << 20);
  settings.lane_patience = 5ms;
  shm_channel channel(settings);
  const auto held = channel.acquire(10, 1s);
  ASSERT_TRUE(held);
  const auto sent = channel.send(pattern(10), {.data_size = 10}, 24h); // would wait a day
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().why, kind::exhausted);
}

TEST(ShmBound, HoldsAndIdleLanesGiveBackOnBothSides) {
  shm_link to(segment_use::reused);
  constexpr std::size_t bound = 1 << 20;
  shm_channel channel(settings_for(to, 3, bound));
  {
    auto a = channel.acquire(300'000, 1s); // rounded to 512 KiB
    auto b = channel.acquire(300'000, 1s);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(channel.segment_bytes(), bound);
    const auto c = channel.acquire(10, 1s);
    ASSERT_FALSE(c);
    EXPECT_EQ(c.error().why, kind::exhausted);
    EXPECT_THAT(c.error().text, HasSubstr("bound"));
    ASSERT_TRUE(std::move(*a).send({}, 60s));
    ASSERT_TRUE(std::move(*b).send({}, 60s));
  }
  EXPECT_EQ(mapped_segments(), 4U) << "two segments, mapped by both ends";
  auto all = channel.acquire(bound, 1s); // takes what the idle ones hold
  ASSERT_TRUE(all) << all.error().text;
  EXPECT_EQ(channel.segment_bytes(), bound);
  // The lane's own smaller one stays with the peer until it gets the next.
  EXPECT_TRUE(soon([] { return mapped_segments() == 2; })) << mapped_segments();
  EXPECT_TRUE(std::move(*all).send({}, 60s));
  EXPECT_TRUE(soon([] { return mapped_segments() == 2; })) << "the large one, mapped by both ends";
}

TEST(ShmBound, WithoutRoomToRoundUpItIsExact) {
  shm_link to(segment_use::reused);
  shm_channel channel(settings_for(to, 1, 700'000));
  EXPECT_TRUE(channel.send(pattern(690'000), {.data_size = 690'000}, 60s));
  EXPECT_LE(channel.segment_bytes(), 700'000U);
}

TEST(ShmSegments, AreFreedOnBothSides) {
  const std::size_t before = descriptors();
  {
    shm_link to(segment_use::fresh);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(to.send(pattern(100'000)));
    EXPECT_EQ(mapped_segments(), 0U) << "fresh ones go with their transfer";
  }
  {
    shm_link to(segment_use::reused);
    for (std::size_t size = 1'000; size < 4'000'000; size *= 2) ASSERT_TRUE(to.send(pattern(size)));
    EXPECT_EQ(mapped_segments(), 2U) << "a larger one replaces the smaller";
  }
  EXPECT_EQ(mapped_segments(), 0U);
  EXPECT_LE(descriptors(), before); // fewer, when gRPC closes meanwhile what an earlier test has left
}

TEST(ShmExhaustion, WithoutDescriptorsIsTypedAndRecovers) {
  shm_link to(segment_use::reused);
  rlimit limits{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limits), 0);
  rlimit low = limits;
  low.rlim_cur = 3;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  const auto sent = to.send(pattern(10));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limits), 0);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().why, kind::exhausted) << sent.error().text;
  EXPECT_TRUE(to.send(pattern(10)));
  EXPECT_EQ(mapped_segments(), 2U);
}

TEST(ShmExhaustion, ReceiverWithoutDescriptorsClosesAndRecovers) {
  shm_link to(segment_use::reused);
  ASSERT_TRUE(to.send(pattern(10))); // connected
  rlimit limits{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limits), 0);
  // The sender has its new segment before the limit, the receiver gets it after.
  auto* channel = static_cast<shm_channel*>(to.channel.get());
  auto place = channel->acquire(1'000'000, 1s);
  ASSERT_TRUE(place);
  rlimit low = limits;
  low.rlim_cur = 3;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  const auto sent = std::move(*place).send({}, 10s);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limits), 0);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().why, kind::peer_gone) << sent.error().text;
  EXPECT_TRUE(to.send(pattern(1'000'000)));
}

TEST(ShmReceiver, TakesNoMoreConnectionsThanItsLimit) {
  scratch_folder folder("homeostat-channel");
  const std::string path = folder.path() + "/socket";
  const auto receiver = shm_receiver::listen(path, digest_all, 1 << 20, 2);
  ASSERT_TRUE(receiver);
  std::vector<std::unique_ptr<shm_channel>> channels;
  for (int i = 0; i < 3; ++i) channels.push_back(std::make_unique<shm_channel>(shm_settings{.path = path}));
  EXPECT_TRUE(channels[0]->send(pattern(10), {}, 60s));
  EXPECT_TRUE(channels[1]->send(pattern(10), {}, 60s));
  const auto third = channels[2]->send(pattern(10), {}, 60s);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().why, kind::peer_gone) << third.error().text;
  channels[0].reset();
  EXPECT_TRUE(soon([&] { return channels[2]->send(pattern(10), {}, 60s).has_value(); }));
}

// ---- the socket's path ----

TEST(ShmPath, TooLongOrEmptyIsSaid) {
  for (const std::string& path : {std::string(), "/tmp/" + std::string(200, 'x')}) {
    const auto receiver = shm_receiver::listen(path, digest_all);
    ASSERT_FALSE(receiver);
    EXPECT_THAT(receiver.error().text, HasSubstr("expected 1 to 107"));
    shm_channel channel({.path = path});
    const auto sent = channel.send(pattern(10), {}, 1s);
    ASSERT_FALSE(sent);
    EXPECT_THAT(sent.error().text, HasSubstr("expected 1 to 107"));
  }
}

TEST(ShmPath, FileInTheWayStays) {
  scratch_folder folder("homeostat-channel");
  const std::string path = folder.path() + "/precious";
  std::ofstream(path) << "data";
  const auto receiver = shm_receiver::listen(path, digest_all);
  ASSERT_FALSE(receiver);
  EXPECT_THAT(receiver.error().text, HasSubstr("exists and is no socket"));
  std::string text;
  std::ifstream(path) >> text;
  EXPECT_EQ(text, "data");
}

TEST(ShmPath, LivingListenerStays) {
  shm_link to(segment_use::reused);
  const auto second = shm_receiver::listen(to.path(), digest_all);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text, HasSubstr("another process listens on"));
  EXPECT_TRUE(to.send(pattern(10)));
}

/// A socket at a path that accepts nothing.
descriptor mute_listener(const std::string& path, int type, int backlog) {
  descriptor fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), backlog) != 0)
    throw std::runtime_error("no listener at " + path);
  return fd;
}

TEST(ShmPath, ListenerThatIsTooBusyToAnswerStays) {
  scratch_folder folder("homeostat-channel");
  const std::string path = folder.path() + "/socket";
  const descriptor busy = mute_listener(path, SOCK_SEQPACKET, 0);
  std::vector<packet_socket> backlog;
  for (int i = 0; i < 10; ++i)
    if (auto one = packet_socket::connect(path)) backlog.push_back(std::move(*one));
  const auto receiver = shm_receiver::listen(path, digest_all);
  ASSERT_FALSE(receiver);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(ShmPath, ListenerOfAnotherKindStays) {
  scratch_folder folder("homeostat-channel");
  const std::string path = folder.path() + "/socket";
  const descriptor stream = mute_listener(path, SOCK_STREAM, 10);
  const auto receiver = shm_receiver::listen(path, digest_all);
  ASSERT_FALSE(receiver);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(ShmPath, SocketOfTheDeadIsReplaced) {
  scratch_folder folder("homeostat-channel");
  const std::string path = folder.path() + "/socket";
  mute_listener(path, SOCK_SEQPACKET, 1).close();
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(shm_receiver::listen(path, digest_all));
}

TEST(ShmPath, OneThatEndsLeavesItsSuccessorAlone) {
  std::latch release(1), reading(1);
  shm_link to(segment_use::reused, [&](std::span<const std::byte>, const transfer_characteristics&) {
    reading.count_down();
    release.wait();
    return 0U;
  });
  std::thread sender([&] { (void)to.send(pattern(10)); });
  reading.wait();
  std::thread ending([&, old = std::move(to.shared)]() mutable { old.reset(); }); // waits for its consumer
  std::unique_ptr<shm_receiver> successor;
  ASSERT_TRUE(soon([&] {
    auto made = shm_receiver::listen(to.path(), digest_all);
    if (made) successor = std::move(*made);
    return made.has_value();
  }));
  release.count_down();
  ending.join();
  sender.join();
  EXPECT_TRUE(to.send(pattern(10)));
}

} // namespace
} // namespace homeostat
