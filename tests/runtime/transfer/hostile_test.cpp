// Peers and senders that do not keep to the protocol: answered or hung up on, never a crash, a SIGBUS or a leak.
#include "messages/transfer.grpc.pb.h"
#include "tests/runtime/transfer/channel_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace homeostat {
namespace {

using namespace rig;
using testing::HasSubstr;

packet_socket::deadline later() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }

descriptor memory_file(std::size_t size, unsigned seals, unsigned flags = MFD_ALLOW_SEALING) {
  descriptor fd(::memfd_create("homeostat-transfer", MFD_CLOEXEC | flags));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) throw std::runtime_error("no memfd");
  if (seals != 0 && ::fcntl(fd.get(), F_ADD_SEALS, seals) != 0) throw std::runtime_error("no seal");
  return fd;
}

v1::TransferNotice notice_of(std::uint64_t length, std::uint64_t capacity, std::uint64_t segment = 1) {
  v1::TransferNotice notice;
  notice.set_transfer_id(1);
  notice.set_segment(segment);
  notice.set_capacity(capacity);
  notice.set_length(length);
  return notice;
}

class HostileSender : public testing::Test {
protected:
  HostileSender() : to_(way::reused), socket_(packet_socket::connect(to_.path()).value()) {
    // One round trip: the connection's descriptors are there.
    EXPECT_THAT(answer(notice_of(1, 1), -1), HasSubstr("never sent"));
    before_ = descriptors();
  }
  ~HostileSender() override {
    EXPECT_TRUE(to_.send(pattern(100'000))) << "others are served";
    to_.channel.reset();
    socket_ = packet_socket();
    EXPECT_TRUE(soon([] { return mapped_segments() == 0; })) << mapped_segments();
    // Gone are both ends of the hostile connection.
    EXPECT_TRUE(soon([this] { return descriptors() <= before_ - 2; })) << descriptors() << " of " << before_;
  }

  /// @returns the receipt's error; "closed" when there is none.
  std::string answer(const v1::TransferNotice& notice, int passed) {
    if (!socket_.send(notice.SerializeAsString(), passed, later())) return "closed";
    const auto packet = socket_.receive(later());
    if (!packet) return packet.error().why == kind::timed_out ? "nothing" : "closed";
    v1::TransferReceipt receipt;
    if (!receipt.ParseFromString(packet->bytes)) return "unreadable";
    EXPECT_EQ(receipt.transfer_id(), notice.transfer_id());
    return receipt.error().empty() ? "delivered " + std::to_string(receipt.received()) : receipt.error();
  }

  link to_;
  packet_socket socket_;
  std::size_t before_{0};
};

TEST_F(HostileSender, SegmentNeverSent) {
  EXPECT_THAT(answer(notice_of(10, 4096), -1), HasSubstr("segment 1 was never sent"));
  const auto fd = memory_file(4096, F_SEAL_SHRINK);
  EXPECT_EQ(answer(notice_of(10, 4096, 5), fd.get()), "delivered 10");
  EXPECT_THAT(answer(notice_of(10, 4096, 6), -1), HasSubstr("segment 6 was never sent"));
  EXPECT_EQ(answer(notice_of(4096, 4096, 5), -1), "delivered 4096");
}

TEST_F(HostileSender, SegmentAfterItsLastUse) {
  const auto fd = memory_file(4096, F_SEAL_SHRINK);
  auto last = notice_of(10, 4096);
  last.set_last_use(true);
  EXPECT_EQ(answer(last, fd.get()), "delivered 10");
  EXPECT_THAT(answer(notice_of(10, 4096), -1), HasSubstr("never sent"));
}

TEST_F(HostileSender, LengthBeyondTheSegment) {
  const auto fd = memory_file(4096, F_SEAL_SHRINK);
  EXPECT_THAT(answer(notice_of(4097, 4096), fd.get()), HasSubstr("do not fit"));
  EXPECT_THAT(answer(notice_of(1'000'000, 4096), -1), HasSubstr("do not fit"));
  EXPECT_THAT(answer(notice_of(UINT64_MAX, 4096), -1), HasSubstr("are accepted"));
}

TEST_F(HostileSender, CapacityBeyondTheFile) {
  const auto fd = memory_file(4096, F_SEAL_SHRINK);
  for (const std::uint64_t capacity : {std::uint64_t{4097}, std::uint64_t{1} << 30, std::uint64_t{0}})
    EXPECT_THAT(answer(notice_of(4000, capacity), fd.get()), HasSubstr("announced were")) << capacity;
  for (const std::uint64_t capacity : {std::uint64_t{1} << 40, UINT64_MAX})
    EXPECT_THAT(answer(notice_of(4000, capacity), fd.get()), HasSubstr("are accepted")) << capacity;
}

TEST_F(HostileSender, DescriptorsThatAreNoSealedMemory) {
  scratch_folder folder("homeostat-hostile");
  const descriptor file(::open((folder.path() + "/file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
  EXPECT_THAT(answer(notice_of(10, 4096), file.get()), HasSubstr("no sealed memory"));
  const descriptor device(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(answer(notice_of(10, 4096), device.get()), HasSubstr("no sealed memory"));
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const descriptor in(ends[0]), out(ends[1]);
  EXPECT_THAT(answer(notice_of(10, 4096), in.get()), HasSubstr("no sealed memory"));
  EXPECT_THAT(answer(notice_of(10, 4096), socket_.fd()), HasSubstr("no sealed memory"));
  EXPECT_THAT(answer(notice_of(10, 4096), memory_file(4096, 0).get()), HasSubstr("not sealed against shrinking"));
  EXPECT_THAT(answer(notice_of(10, 4096), memory_file(4096, F_SEAL_GROW | F_SEAL_WRITE).get()),
              HasSubstr("not sealed against shrinking"));
  EXPECT_THAT(answer(notice_of(10, 4096), memory_file(4096, 0, 0).get()), HasSubstr("not sealed against shrinking"));
}

TEST_F(HostileSender, HugePages) {
  const descriptor fd(::memfd_create("homeostat-transfer", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  if (!fd || ::ftruncate(fd.get(), 1 << 21) != 0 || ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0)
    GTEST_SKIP() << "this kernel has none";
  EXPECT_THAT(answer(notice_of(10, 4096), fd.get()), HasSubstr("ordinary pages"));
}

TEST_F(HostileSender, ShrinkingAndPunchingUnderTheReader) {
  const auto fd = memory_file(1 << 20, F_SEAL_SHRINK);
  EXPECT_EQ(answer(notice_of(1 << 20, 1 << 20), fd.get()), "delivered 1048576");
  EXPECT_NE(::ftruncate(fd.get(), 0), 0);
  (void)::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20); // zeros, at worst
  EXPECT_EQ(answer(notice_of(1 << 20, 1 << 20), -1), "delivered 1048576");
}

TEST_F(HostileSender, SeveralDescriptorsAtOnce) {
  const auto a = memory_file(4096, F_SEAL_SHRINK);
  const auto b = memory_file(4096, F_SEAL_SHRINK);
  for (std::size_t count = 2; count <= 40; count += 38) {
    const std::size_t open_before = descriptors();
    packet_socket socket = packet_socket::connect(to_.path()).value();
    const std::string text = notice_of(10, 4096).SerializeAsString();
    std::vector<int> fds(count, a.get());
    fds.back() = b.get();
    std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(head), fds.data(), count * sizeof(int));
    ASSERT_GE(::sendmsg(socket.fd(), &message, 0), 0);
    const auto packet = socket.receive(later());
    ASSERT_FALSE(packet);
    EXPECT_EQ(packet.error().why, kind::peer_gone);
    socket = packet_socket();
    EXPECT_TRUE(soon([&] { return descriptors() <= open_before; })) << descriptors() << " of " << open_before;
  }
}

TEST_F(HostileSender, GarbagePackets) {
  chacha8_rng rng(3, 0);
  const auto fd = memory_file(4096, F_SEAL_SHRINK);
  const std::string good = notice_of(10, 4096).SerializeAsString();
  int closed = 0;
  for (int i = 0; i < 300; ++i) {
    packet_socket socket = packet_socket::connect(to_.path()).value();
    std::string text = good;
    if (i % 3 == 0) { // anything, also more than a packet holds
      text.resize(1 + static_cast<std::size_t>(rng.uniform() * 8000));
      for (char& c : text) c = static_cast<char>(rng.uniform() * 256);
    } else if (i % 3 == 1) { // cut short
      text.resize(1 + static_cast<std::size_t>(rng.uniform() * static_cast<double>(text.size() - 1)));
    } else { // one byte is another
      text[static_cast<std::size_t>(rng.uniform() * static_cast<double>(text.size()))] =
          static_cast<char>(rng.uniform() * 256);
    }
    ASSERT_TRUE(socket.send(text, i % 2 == 0 ? fd.get() : -1, later()));
    const auto packet = socket.receive(later());
    if (packet)
      EXPECT_TRUE(v1::TransferReceipt().ParseFromString(packet->bytes));
    else
      closed += packet.error().why == kind::peer_gone;
  }
  EXPECT_GT(closed, 50);
}

TEST_F(HostileSender, HangsUpWithoutReadingAnswers) {
  const auto fd = memory_file(4096, F_SEAL_SHRINK);
  for (int i = 0; i < 200; ++i) {
    packet_socket socket = packet_socket::connect(to_.path()).value();
    ASSERT_TRUE(socket.send(notice_of(10, 4096).SerializeAsString(), fd.get(), later()));
  }
}

// ---- a hostile peer: what a sender makes of its answers ----

class HostilePeer : public testing::Test {
protected:
  using reply = std::function<void(packet_socket&, const v1::TransferNotice&)>;
  /// What the channel says of one transfer that is answered so.
  transfer_error error_for(const reply& answer) {
    scratch_folder folder("homeostat-hostile");
    const std::string path = folder.path() + "/socket";
    const std::size_t before = descriptors();
    transfer_error seen;
    {
      const descriptor listener = listen_for_packets(path).value();
      std::thread peer([&] {
        packet_socket with(descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
        const auto packet = with.receive(later());
        v1::TransferNotice notice;
        if (packet && notice.ParseFromString(packet->bytes)) answer(with, notice);
      });
      shm_channel channel({.path = path});
      const auto sent = channel.send(pattern(1000), {.data_size = 1000}, 5s);
      peer.join();
      if (sent) throw std::runtime_error("taken for delivered");
      seen = sent.error();
      EXPECT_EQ(channel.segment_bytes(), 0U);
      EXPECT_EQ(mapped_segments(), 0U);
    }
    EXPECT_LE(descriptors(), before);
    return seen;
  }
  static void send(packet_socket& to, const v1::TransferReceipt& receipt, int passed = -1) {
    (void)to.send(receipt.SerializeAsString(), passed, later());
  }
};

TEST_F(HostilePeer, HangsUp) {
  EXPECT_EQ(error_for([](packet_socket&, const v1::TransferNotice&) {}).why, kind::peer_gone);
}

TEST_F(HostilePeer, AnswersGarbage) {
  EXPECT_EQ(
      error_for([](packet_socket& to, const v1::TransferNotice&) { (void)to.send("\xff\xff\xff", -1, later()); }).why,
      kind::failed);
  EXPECT_EQ(error_for([](packet_socket& to, const v1::TransferNotice&) {
              (void)to.send(std::string(20'000, 'x'), -1, later());
            }).why,
            kind::failed);
}

TEST_F(HostilePeer, AnswersAnotherTransfer) {
  const transfer_error seen = error_for([](packet_socket& to, const v1::TransferNotice& notice) {
    v1::TransferReceipt receipt;
    receipt.set_transfer_id(notice.transfer_id() + 1);
    receipt.set_received(notice.length());
    send(to, receipt);
  });
  EXPECT_THAT(seen.text, HasSubstr("does not belong"));
}

TEST_F(HostilePeer, ReceivedLess) {
  const transfer_error seen = error_for([](packet_socket& to, const v1::TransferNotice& notice) {
    v1::TransferReceipt receipt;
    receipt.set_transfer_id(notice.transfer_id());
    receipt.set_received(notice.length() - 1);
    send(to, receipt);
  });
  EXPECT_THAT(seen.text, HasSubstr("999 of 1000"));
}

TEST_F(HostilePeer, DescriptorsInAnswersAreClosed) {
  const auto fd = memory_file(4096, F_SEAL_SHRINK);
  EXPECT_EQ(error_for([&](packet_socket& to, const v1::TransferNotice& notice) {
              v1::TransferReceipt receipt;
              receipt.set_transfer_id(notice.transfer_id() + 7);
              send(to, receipt, fd.get());
            }).why,
            kind::failed);
}

TEST_F(HostilePeer, CannotWriteOrResizeTheSegment) {
  scratch_folder folder("homeostat-hostile");
  const std::string path = folder.path() + "/socket";
  const descriptor listener = listen_for_packets(path).value();
  std::thread peer([&] {
    packet_socket with(descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    auto packet = with.receive(later());
    v1::TransferNotice notice;
    if (!packet || !notice.ParseFromString(packet->bytes)) return;
    const int fd = packet->passed.get();
    EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    EXPECT_LT(::pwrite(fd, "x", 1, 0), 0);
    EXPECT_NE(::ftruncate(fd, 0), 0);
    EXPECT_NE(::ftruncate(fd, 1 << 30), 0);
    EXPECT_NE(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
    v1::TransferReceipt receipt;
    receipt.set_transfer_id(notice.transfer_id());
    receipt.set_received(notice.length());
    send(with, receipt);
  });
  shm_channel channel({.path = path});
  EXPECT_TRUE(channel.send(pattern(1000), {}, 30s));
  peer.join();
}

class HostileGrpcSender : public testing::Test {
protected:
  static v1::TransferChunk chunk(std::uint64_t total, std::size_t bytes) {
    v1::TransferChunk made;
    made.set_total(total);
    made.set_type(99); // unknown ones are "other"
    made.set_format(99);
    made.set_data(std::string(bytes, 'x'));
    return made;
  }
  grpc::Status send(const v1::TransferChunk& one) {
    grpc::ClientContext context;
    v1::TransferReceipt receipt;
    return stub_->Send(&context, one, &receipt);
  }
  grpc::Status stream(const std::vector<v1::TransferChunk>& all) {
    grpc::ClientContext context;
    v1::TransferReceipt receipt;
    const auto writer = stub_->Stream(&context, &receipt);
    for (const auto& one : all)
      if (!writer->Write(one)) break;
    writer->WritesDone();
    return writer->Finish();
  }
  link to_{way::grpc, digest_all, 1 << 20};
  std::unique_ptr<v1::TransferPeer::Stub> stub_{
      v1::TransferPeer::NewStub(grpc::CreateChannel("unix:" + to_.path(), grpc::InsecureChannelCredentials()))};
};

TEST_F(HostileGrpcSender, SizesThatLieAreRefused) {
  EXPECT_TRUE(send(chunk(10, 10)).ok());
  EXPECT_TRUE(stream({chunk(20, 10), chunk(20, 10)}).ok());
  EXPECT_TRUE(stream({}).ok()) << "nothing at all is a transfer of nothing";
  EXPECT_THAT(send(chunk(11, 10)).error_message(), HasSubstr("must be the whole transfer"));
  EXPECT_THAT(send(chunk(0, 10)).error_message(), HasSubstr("must be the whole transfer"));
  EXPECT_THAT(stream({chunk(15, 10), chunk(15, 10)}).error_message(), HasSubstr("more bytes than"));
  EXPECT_THAT(stream({chunk(25, 10), chunk(25, 10)}).error_message(), HasSubstr("ended after 20 of 25"));
  EXPECT_THAT(stream({chunk(UINT64_MAX, 10)}).error_message(), HasSubstr("at most 1048576 are accepted"));
  EXPECT_THAT(stream({chunk((1 << 20) + 1, 10)}).error_message(), HasSubstr("are accepted"));
  EXPECT_THAT(stream({chunk(10, 0), chunk(UINT64_MAX, 0), chunk(10, 10)}).error_message(), HasSubstr("are accepted"));
  EXPECT_EQ(send(chunk(5 << 20, 5 << 20)).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << "gRPC's own limit";
  EXPECT_TRUE(to_.send(pattern(1000))) << "others are served";
}

} // namespace
} // namespace homeostat
