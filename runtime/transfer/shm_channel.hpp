#pragma once

#include "runtime/transfer/packet_socket.hpp"
#include "runtime/transfer/segment.hpp"
#include "runtime/transfer/transfer_channel.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace homeostat {

/// What becomes of a segment after its transfer.
enum class segment_use : std::uint8_t {
  reused, ///< stays mapped on both sides for the next transfer: no page faults after the first
  fresh,  ///< a new one for each transfer, as with buffers that are handed over for good
};

struct shm_settings {
  std::string path; ///< the peer's Unix socket
  segment_use use{segment_use::reused};
  std::size_t lanes{4};                              ///< transfers under way at once, 1..1024; others wait
  std::size_t segment_bytes{std::size_t{512} << 20}; ///< all segments together; beyond it: exhausted
  duration lane_patience{longest_patience};          ///< at most for a free lane, then: exhausted
};

/// Shared memory. A lane is one connection with at most one segment; a transfer has a lane for itself. Segments grow by
/// powers of two within the common bound; where it is reached, idle lanes give theirs back first. What a lane's growing
/// replaces is kept by the peer until it gets the larger one.
class shm_channel final : public transfer_channel {
public:
  explicit shm_channel(shm_settings settings);
  ~shm_channel() override;
  shm_channel(const shm_channel&) = delete;
  shm_channel& operator=(const shm_channel&) = delete;

  [[nodiscard]] std::expected<transfer_receipt, transfer_error>
  send(std::span<const std::byte> bytes, const transfer_characteristics& data, duration patience) override;

  class lease;
  /// A place in shared memory to build a buffer in, so that sending it copies nothing.
  /// @param size  bytes, > 0.
  [[nodiscard]] std::expected<lease, transfer_error> acquire(std::size_t size, duration patience);

  /// @returns bytes of all segments now held.
  [[nodiscard]] std::size_t segment_bytes() const;

private:
  struct lane;
  using deadline = packet_socket::deadline;
  [[nodiscard]] std::expected<std::unique_ptr<lane>, transfer_error> take_lane(deadline until);
  void give_back(std::unique_ptr<lane> idle) noexcept;
  [[nodiscard]] std::expected<void, transfer_error> provide(lane& on, std::size_t size);
  [[nodiscard]] std::expected<transfer_receipt, transfer_error>
  deliver(lane& on, std::size_t size, const transfer_characteristics& data, deadline until);
  bool reserve(std::size_t bytes);
  void drop_segment(lane& of) noexcept;

  shm_settings settings_;
  mutable std::mutex mutex_; ///< guards what follows
  std::condition_variable freed_;
  std::vector<std::unique_ptr<lane>> idle_; ///< the last used is the first taken: its pages are warm
  std::size_t lanes_{0};                    ///< that exist, idle or not
  std::size_t reserved_{0};                 ///< bytes
};

/// A segment for one transfer, held until it is sent or let go.
class shm_channel::lease {
public:
  lease(lease&&) noexcept;
  lease& operator=(lease&&) = delete;
  ~lease();
  /// @returns where to write: as many bytes as were asked for, of unspecified content.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept;
  /// Sends what was written and lets the segment go.
  [[nodiscard]] std::expected<transfer_receipt, transfer_error> send(const transfer_characteristics& data,
                                                                     duration patience) &&;

private:
  friend class shm_channel;
  lease(shm_channel& channel, std::unique_ptr<lane> on, std::size_t size) noexcept;
  shm_channel* channel_;
  std::unique_ptr<lane> lane_;
  std::size_t size_;
};

} // namespace homeostat
