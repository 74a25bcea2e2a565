#include "runtime/transfer/shm_channel.hpp"

#include "messages/transfer.pb.h"
#include "runtime/transfer/cpu_clock.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace homeostat {

namespace {

using kind = transfer_error::kind;
using steady = std::chrono::steady_clock;

std::unexpected<transfer_error> error(kind why, std::string text) {
  return std::unexpected(transfer_error{why, std::move(text)});
}

double since(steady::time_point start) {
  return std::chrono::duration<double, std::micro>(steady::now() - start).count();
}

} // namespace

struct shm_channel::lane {
  packet_socket connection;
  segment memory;
  std::uint64_t number{0}; ///< of the segment, unique in the connection
  bool announced{false};   ///< the peer has it
  std::uint64_t transfers{0};
};

shm_channel::shm_channel(shm_settings settings) : settings_(std::move(settings)) {
  settings_.lanes = std::clamp<std::size_t>(settings_.lanes, 1, 1024);
  idle_.reserve(settings_.lanes); // giving back never allocates
}

shm_channel::~shm_channel() = default;

std::size_t shm_channel::segment_bytes() const {
  const std::lock_guard hold(mutex_);
  return reserved_;
}

std::expected<std::unique_ptr<shm_channel::lane>, transfer_error> shm_channel::take_lane(deadline until) {
  std::unique_lock hold(mutex_);
  if (!freed_.wait_until(hold, until, [this] { return !idle_.empty() || lanes_ < settings_.lanes; }))
    return error(kind::exhausted, "all " + std::to_string(settings_.lanes) + " lanes of shared memory are in use");
  if (!idle_.empty()) {
    std::unique_ptr<lane> warm = std::move(idle_.back());
    idle_.pop_back();
    return warm;
  }
  ++lanes_;
  return std::make_unique<lane>();
}

void shm_channel::give_back(std::unique_ptr<lane> idle) noexcept {
  if (!idle) return;
  if (!idle->connection) drop_segment(*idle); // the peer that had it is gone
  const std::lock_guard hold(mutex_);
  idle_.push_back(std::move(idle));
  freed_.notify_one();
}

void shm_channel::drop_segment(lane& of) noexcept {
  const std::size_t freed = of.memory.capacity();
  of.memory.release();
  of.announced = false;
  const std::lock_guard hold(mutex_);
  reserved_ -= freed;
}

bool shm_channel::reserve(std::size_t bytes) {
  const std::lock_guard hold(mutex_);
  // Idle lanes give back first: the longest unused is at the front.
  for (std::size_t i = 0; i < idle_.size() && reserved_ + bytes > settings_.segment_bytes; ++i) {
    reserved_ -= idle_[i]->memory.capacity();
    idle_[i]->memory.release();
    idle_[i]->connection = packet_socket(); // its end is how the peer learns that it has to let go as well
  }
  if (reserved_ + bytes > settings_.segment_bytes) return false;
  reserved_ += bytes;
  return true;
}

std::expected<void, transfer_error> shm_channel::provide(lane& on, std::size_t size) {
  if (on.memory && on.memory.capacity() >= size) return {};
  if (on.memory) drop_segment(on);
  std::size_t capacity = std::bit_ceil(std::max(size, smallest_segment));
  if (!reserve(capacity)) {
    capacity = (size + 4095) / 4096 * 4096; // no room to round up generously
    if (!reserve(capacity))
      return error(kind::exhausted, std::to_string(size) + " bytes do not fit the shared segments' bound of " +
                                        std::to_string(settings_.segment_bytes) + " bytes beside those in use");
  }
  auto made = segment::create(capacity);
  const std::size_t unused = made ? 0 : capacity;
  if (!made) {
    const std::lock_guard hold(mutex_);
    reserved_ -= unused;
    return std::unexpected(made.error());
  }
  on.memory = std::move(*made);
  ++on.number;
  on.announced = false;
  return {};
}

std::expected<transfer_receipt, transfer_error>
shm_channel::deliver(lane& on, std::size_t size, const transfer_characteristics& data, deadline until) {
  const auto give_up = [&](transfer_error why) -> std::unexpected<transfer_error> {
    on.connection = packet_socket(); // what may still come on it belongs to this transfer
    return std::unexpected(std::move(why));
  };
  for (bool first = true;; first = false) {
    const bool was_open = static_cast<bool>(on.connection);
    if (!was_open) {
      auto connected = packet_socket::connect(settings_.path);
      if (!connected) return std::unexpected(connected.error());
      on.connection = std::move(*connected);
      on.announced = false;
    }
    v1::TransferNotice notice;
    notice.set_transfer_id(++on.transfers);
    notice.set_segment(on.number);
    notice.set_capacity(on.memory.capacity());
    notice.set_length(size);
    notice.set_last_use(settings_.use == segment_use::fresh);
    notice.set_type(static_cast<std::uint32_t>(data.type));
    notice.set_format(static_cast<std::uint32_t>(data.format));
    notice.set_compressed(data.compressed);
    if (auto sent = on.connection.send(notice.SerializeAsString(), on.announced ? -1 : on.memory.fd(), until); !sent) {
      // A connection that was idle while the peer restarted: nothing was sent yet, so a new one is no second try.
      if (was_open && first && sent.error().why == kind::peer_gone) {
        on.connection = packet_socket();
        continue;
      }
      return give_up(sent.error());
    }
    on.announced = true;
    auto answer = on.connection.receive(until);
    if (!answer) return give_up(answer.error());
    v1::TransferReceipt receipt;
    if (!receipt.ParseFromString(answer->bytes) || receipt.transfer_id() != on.transfers)
      return give_up({kind::failed, "the peer's receipt does not belong to this transfer"});
    if (!receipt.error().empty())
      return give_up({receipt.exhausted() ? kind::exhausted : kind::refused, "the peer refused: " + receipt.error()});
    if (receipt.received() != size)
      return give_up({kind::failed, "the peer received " + std::to_string(receipt.received()) + " of " +
                                        std::to_string(size) + " bytes"});
    return transfer_receipt{receipt.checksum(), 0, static_cast<double>(receipt.cpu_ns()) / 1e3,
                            on.memory.capacity() + receipt.memory()};
  }
}

std::expected<shm_channel::lease, transfer_error> shm_channel::acquire(std::size_t size, duration patience) {
  if (size > settings_.segment_bytes) // before any idle lane gives up its segment for it
    return error(kind::exhausted, std::to_string(size) + " bytes do not fit the shared segments' bound of " +
                                      std::to_string(settings_.segment_bytes) + " bytes");
  auto on = take_lane(steady::now() + std::min({patience, settings_.lane_patience, longest_patience}));
  if (!on) return std::unexpected(on.error());
  if (auto ready = provide(**on, std::max<std::size_t>(size, 1)); !ready) {
    (*on)->connection = packet_socket(); // the peer may still hold the segment that was too small
    give_back(std::move(*on));
    return std::unexpected(ready.error());
  }
  return lease(*this, std::move(*on), size);
}

std::expected<transfer_receipt, transfer_error>
shm_channel::send(std::span<const std::byte> bytes, const transfer_characteristics& data, duration patience) {
  const auto start = steady::now();
  const std::uint64_t cpu = thread_cpu_ns();
  patience = std::min(patience, longest_patience);
  auto place = acquire(bytes.size(), patience);
  if (!place) return std::unexpected(place.error());
  if (!bytes.empty()) std::memcpy(place->bytes().data(), bytes.data(), bytes.size());
  const auto left = std::chrono::duration_cast<duration>(start + patience - steady::now());
  const double before_us = static_cast<double>(thread_cpu_ns() - cpu) / 1e3;
  auto sent = std::move(*place).send(data, left);
  if (sent) { // with the copy
    sent->latency_us = since(start);
    sent->cpu_time_us += before_us;
  }
  return sent;
}

shm_channel::lease::lease(shm_channel& channel, std::unique_ptr<lane> on, std::size_t size) noexcept
    : channel_(&channel), lane_(std::move(on)), size_(size) {}
shm_channel::lease::lease(lease&&) noexcept = default;

shm_channel::lease::~lease() {
  if (!lane_) return;
  if (channel_->settings_.use == segment_use::fresh) channel_->drop_segment(*lane_);
  channel_->give_back(std::move(lane_));
}

std::span<std::byte> shm_channel::lease::bytes() const noexcept { return lane_->memory.bytes().first(size_); }

std::expected<transfer_receipt, transfer_error> shm_channel::lease::send(const transfer_characteristics& data,
                                                                         duration patience) && {
  const lease held(std::move(*this)); // let go at the end, whatever happens
  const auto start = steady::now();
  const std::uint64_t cpu = thread_cpu_ns();
  auto receipt = held.channel_->deliver(*held.lane_, held.size_, data, start + std::min(patience, longest_patience));
  if (receipt) {
    receipt->latency_us = since(start);
    receipt->cpu_time_us += static_cast<double>(thread_cpu_ns() - cpu) / 1e3;
  }
  return receipt;
}

} // namespace homeostat
