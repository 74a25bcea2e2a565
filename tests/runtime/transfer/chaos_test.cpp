// Processes that are killed in the middle of a transfer by shared memory, and processes that run out of memory. All
// peers are forked, so this program must not start threads that outlive a test: no gRPC here.
#include "tests/runtime/transfer/channel_rig.hpp"

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace homeostat {
namespace {

using namespace rig;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool under_asan = true;
#else
constexpr bool under_asan = false;
#endif

/// Kills of each kind; more by HOMEOSTAT_CHAOS_RUNS.
int runs() {
  const char* wanted = std::getenv("HOMEOSTAT_CHAOS_RUNS");
  return wanted != nullptr ? std::atoi(wanted) : 200;
}

/// A process that does its work and then waits to be killed.
class child {
public:
  explicit child(const std::function<void()>& work) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const descriptor ready(ends[0]);
    descriptor theirs(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      try {
        work();
        if (::write(theirs.get(), "R", 1) == 1)
          for (;;) ::pause();
      } catch (...) {}
      ::_exit(1);
    }
    theirs.close();
    char mark = 0;
    if (pid_ < 0 || ::read(ready.get(), &mark, 1) != 1) throw std::runtime_error("the child did not begin");
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  void wait() {
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  [[nodiscard]] bool lives() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string name() const { return std::to_string(pid_); }

private:
  pid_t pid_{0};
};

class Chaos : public testing::Test {
protected:
  [[nodiscard]] std::string path() const { return folder_.path() + "/socket"; }
  /// A receiving process.
  std::unique_ptr<child> receiver(const transfer_consumer& consumer = digest_all) {
    return std::make_unique<child>([this, consumer] {
      auto made = shm_receiver::listen(path(), consumer);
      if (!made) throw std::runtime_error(made.error().text);
      (void)made->release(); // for as long as the process lives
    });
  }
  scratch_folder folder_{"homeostat-chaos"};
};

TEST_F(Chaos, PeersKilledInTheirConsumerLeaveNothing) {
  shm_settings reused{.path = path()}, fresh{.path = path()};
  fresh.use = segment_use::fresh;
  shm_channel channels[]{shm_channel(reused), shm_channel(fresh)};
  const std::size_t before = descriptors();
  const auto bytes = pattern(200'000);
  for (int i = 0; i < runs(); ++i) {
    shm_channel& by = channels[i % 2];
    const bool at_once = i % 4 < 2;
    const auto peer = receiver([at_once, calls = std::make_shared<int>(0)](std::span<const std::byte> given,
                                                                           const transfer_characteristics& data) {
      if (++*calls == 1) return digest_all(given, data);
      if (!at_once) (void)digest_all(given, data);
      ::raise(SIGKILL);
      return std::uint64_t{0};
    });
    const auto first = by.send(bytes, {.data_size = bytes.size()}, 60s);
    ASSERT_TRUE(first) << i << ": " << first.error().text; // a new peer is found at once
    ASSERT_EQ(first->checksum, digest(bytes));
    const auto second = by.send(bytes, {.data_size = bytes.size()}, 60s);
    ASSERT_FALSE(second);
    ASSERT_EQ(second.error().why, kind::peer_gone) << second.error().text;
    ASSERT_EQ(by.segment_bytes(), 0U);
    ASSERT_EQ(mapped_segments(), 0U);
    ASSERT_LE(descriptors(), before);
  }
}

TEST_F(Chaos, PeersKilledAtAnyMomentLeaveNothing) {
  shm_channel by({.path = path()});
  const std::size_t before = descriptors();
  const auto bytes = pattern(100'000);
  chacha8_rng rng(5, 0);
  for (int i = 0; i < runs(); ++i) {
    const auto peer = receiver();
    const auto wait = std::chrono::microseconds(static_cast<int>(rng.uniform() * 3000));
    std::thread killer([&] {
      std::this_thread::sleep_for(wait);
      ::kill(peer->pid(), SIGKILL);
    });
    std::expected<transfer_receipt, transfer_error> sent;
    do {
      sent = by.send(bytes, {.data_size = bytes.size()}, 60s);
      if (sent) { EXPECT_EQ(sent->checksum, digest(bytes)); }
    } while (sent);
    killer.join();
    ASSERT_EQ(sent.error().why, kind::peer_gone) << sent.error().text;
    ASSERT_EQ(mapped_segments(), 0U);
    ASSERT_LE(descriptors(), before);
  }
}

TEST_F(Chaos, SendersKilledAtAnyMomentLeaveNothingInTheReceiver) {
  const auto peer = receiver();
  shm_channel good({.path = path()});
  const auto bytes = pattern(100'000);
  ASSERT_TRUE(good.send(bytes, {.data_size = bytes.size()}, 60s));
  const std::size_t open = descriptors(peer->name());
  const std::size_t mapped = mapped_segments(peer->name());
  ASSERT_EQ(mapped, 1U);
  chacha8_rng rng(6, 0);
  for (int i = 0; i < runs(); ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      shm_settings settings{.path = path()};
      settings.use = i % 2 == 0 ? segment_use::reused : segment_use::fresh;
      shm_channel by(settings);
      for (;;) (void)by.send(bytes, {.data_size = bytes.size()}, 60s);
    }
    ASSERT_GT(pid, 0);
    ::usleep(static_cast<useconds_t>(rng.uniform() * 5000));
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    if (i % 20 != 0) continue;
    const auto sent = good.send(bytes, {.data_size = bytes.size()}, 60s);
    ASSERT_TRUE(sent) << sent.error().text;
    ASSERT_EQ(sent->checksum, digest(bytes));
  }
  EXPECT_TRUE(soon([&] { return descriptors(peer->name()) == open; })) << descriptors(peer->name()) << " of " << open;
  EXPECT_TRUE(soon([&] { return mapped_segments(peer->name()) == mapped; })) << mapped_segments(peer->name());
  EXPECT_TRUE(good.send(bytes, {.data_size = bytes.size()}, 60s));
}

/// From here on this process gets no more than `more` bytes of address space.
void limit_memory(std::size_t more) {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  statm >> pages;
  const rlim_t bytes = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + more;
  const rlimit limit{bytes, bytes};
  if (::setrlimit(RLIMIT_AS, &limit) != 0) throw std::runtime_error("no limit");
}

TEST_F(Chaos, SenderWithoutMemoryIsExhaustedAndGoesOn) {
  if (under_asan) GTEST_SKIP() << "its shadow needs the address space";
  const auto peer = receiver();
  const pid_t pid = ::fork();
  if (pid == 0) {
    limit_memory(std::size_t{64} << 20);
    int failed = 0;
    {
      shm_channel by({.path = path()});
      const std::size_t before = descriptors();
      for (int i = 0; i < 20; ++i) {
        const auto place = by.acquire(std::size_t{256} << 20, 1s);
        failed += place || place.error().why != kind::exhausted;
      }
      failed += by.segment_bytes() != 0 || descriptors() != before;
      failed += !by.send(pattern(100'000), {.data_size = 100'000}, 60s);
    }
    ::_exit(failed);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Chaos, ReceiverWithoutMemorySaysSoAndGoesOn) {
  if (under_asan) GTEST_SKIP() << "its shadow needs the address space";
  const child peer([this] {
    auto made = shm_receiver::listen(path(), digest_all);
    if (!made) throw std::runtime_error(made.error().text);
    (void)made->release();
    limit_memory(std::size_t{100} << 20);
  });
  shm_channel by({.path = path()});
  for (int i = 0; i < 3; ++i) {
    auto place = by.acquire(std::size_t{256} << 20, 1s);
    ASSERT_TRUE(place);
    const auto sent = std::move(*place).send({.data_size = std::size_t{256} << 20}, 60s);
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().why, kind::exhausted) << sent.error().text;
    const auto small = by.send(pattern(10), {.data_size = 10}, 60s);
    EXPECT_TRUE(small) << small.error().text;
  }
  EXPECT_TRUE(peer.lives());
}

TEST_F(Chaos, ReceiverThatCanStartNoMoreThreadsClosesAndGoesOn) {
  if (under_asan) GTEST_SKIP() << "its shadow needs the address space";
  const child peer([this] {
    auto made = shm_receiver::listen(path(), digest_all);
    if (!made) throw std::runtime_error(made.error().text);
    (void)made->release();
    limit_memory(std::size_t{60} << 20); // some stacks of 8 MiB
  });
  int served = 0, closed = 0;
  {
    std::vector<std::unique_ptr<shm_channel>> channels;
    for (int i = 0; i < 40; ++i) {
      channels.push_back(std::make_unique<shm_channel>(shm_settings{.path = path()}));
      const auto sent = channels.back()->send(pattern(10), {.data_size = 10}, 60s);
      ++(sent ? served : closed);
      if (!sent) { EXPECT_EQ(sent.error().why, kind::peer_gone) << sent.error().text; }
    }
  }
  EXPECT_GT(served, 0);
  EXPECT_GT(closed, 0);
  EXPECT_TRUE(peer.lives());
  shm_channel by({.path = path()});
  EXPECT_TRUE(soon([&] { return by.send(pattern(10), {.data_size = 10}, 60s).has_value(); }));
}

} // namespace
} // namespace homeostat
