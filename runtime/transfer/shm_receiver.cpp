#include "runtime/transfer/shm_receiver.hpp"

#include "messages/transfer.pb.h"
#include "runtime/transfer/cpu_clock.hpp"
#include "runtime/transfer/segment.hpp"

#include <algorithm>
#include <bit>
#include <exception>

#include <poll.h>
#include <sys/socket.h>

namespace homeostat {

namespace {

constexpr auto answer_patience = std::chrono::seconds(30);

transfer_characteristics characteristics_of(const v1::TransferNotice& notice) {
  return {notice.length(), static_cast<data_type>(std::min<std::uint32_t>(notice.type(), data_type_count - 1)),
          static_cast<data_format>(std::min<std::uint32_t>(notice.format(), data_format_count - 1)),
          notice.compressed()};
}

} // namespace

struct shm_receiver::connection {
  packet_socket socket;
  std::atomic<bool> done{false};
  std::thread thread;
};

std::expected<std::unique_ptr<shm_receiver>, transfer_error>
shm_receiver::listen(std::string path, transfer_consumer consumer, std::size_t largest, std::size_t connections) {
  auto listener = listen_for_packets(path);
  if (!listener) return std::unexpected(listener.error());
  std::unique_ptr<shm_receiver> made(new shm_receiver);
  made->path_ = std::move(path);
  made->listener_ = std::move(*listener);
  made->consumer_ = std::move(consumer);
  made->largest_ = largest;
  made->limit_ = connections;
  made->acceptor_ = std::thread([r = made.get()] { r->accept_all(); });
  return made;
}

shm_receiver::~shm_receiver() {
  ::unlink(path_.c_str()); // while we listen: later the path could be that of a successor
  ending_.store(true);
  ::shutdown(listener_.get(), SHUT_RDWR);
  if (acceptor_.joinable()) acceptor_.join();
  for (auto& one : open_) one->socket.shut_down();
  for (auto& one : open_) one->thread.join();
}

void shm_receiver::reap() {
  std::erase_if(open_, [](const std::unique_ptr<connection>& one) {
    if (!one->done.load()) return false;
    one->thread.join();
    return true;
  });
}

void shm_receiver::accept_all() {
  while (!ending_.load()) {
    pollfd ask{listener_.get(), POLLIN, 0};
    if (::poll(&ask, 1, 500) <= 0) {
      reap();
      continue;
    }
    descriptor fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    reap();
    if (!fd) {
      // No descriptor is free: the backlog keeps the caller until one is.
      if (!ending_.load()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    if (open_.size() >= limit_) continue; // closed: the sender falls back
    try {
      open(std::move(fd));
    } catch (const std::exception&) {} // no memory or thread for it: closed as well
  }
}

void shm_receiver::open(descriptor connected) {
  auto one = std::make_unique<connection>();
  one->socket = packet_socket(std::move(connected));
  connection& with = *open_.emplace_back(std::move(one));
  try {
    with.thread = std::thread([this, &with] {
      try {
        serve(with);
      } catch (const std::exception&) {} // no memory: this connection ends, no other
      with.socket.shut_down();
      with.done.store(true);
    });
  } catch (...) {
    open_.pop_back();
    throw;
  }
}

void shm_receiver::serve(connection& with) {
  // Senders round up: a transfer of the largest size comes in a segment of the next power of two.
  const std::size_t largest_segment = std::bit_ceil(std::clamp(largest_, smallest_segment, std::size_t{1} << 62));
  segment memory;
  std::uint64_t number = 0;
  while (!ending_.load()) {
    auto packet = with.socket.receive(std::chrono::steady_clock::now() + std::chrono::hours(1));
    if (!packet) {
      if (packet.error().why == transfer_error::kind::timed_out) continue; // idle
      return;
    }
    const std::uint64_t cpu = thread_cpu_ns();
    v1::TransferNotice notice;
    v1::TransferReceipt receipt;
    if (!notice.ParseFromString(packet->bytes)) return;
    receipt.set_transfer_id(notice.transfer_id());
    if (packet->passed) {
      memory.release();
      if (notice.capacity() > largest_segment) {
        receipt.set_error("the segment has " + std::to_string(notice.capacity()) + " bytes, at most " +
                          std::to_string(largest_segment) + " are accepted");
      } else if (auto adopted = segment::adopt(std::move(packet->passed), notice.capacity()); adopted) {
        memory = std::move(*adopted);
        number = notice.segment();
      } else {
        receipt.set_error(adopted.error().text);
        receipt.set_exhausted(adopted.error().why == transfer_error::kind::exhausted);
      }
    }
    if (receipt.error().empty()) {
      if (!memory || number != notice.segment()) {
        receipt.set_error("segment " + std::to_string(notice.segment()) + " was never sent");
      } else if (notice.length() > largest_) {
        receipt.set_error(std::to_string(notice.length()) + " bytes, at most " + std::to_string(largest_) +
                          " are accepted");
      } else if (notice.length() > memory.capacity()) {
        receipt.set_error(std::to_string(notice.length()) + " bytes do not fit the segment of " +
                          std::to_string(memory.capacity()));
      } else {
        const auto made = consume(consumer_, memory.bytes().first(notice.length()), characteristics_of(notice));
        if (made) {
          receipt.set_checksum(*made);
          receipt.set_received(notice.length());
        } else {
          receipt.set_error(made.error());
        }
      }
    }
    if (notice.last_use()) memory.release();
    receipt.set_cpu_ns(thread_cpu_ns() - cpu);
    if (!with.socket.send(receipt.SerializeAsString(), -1, std::chrono::steady_clock::now() + answer_patience)) return;
  }
}

} // namespace homeostat
