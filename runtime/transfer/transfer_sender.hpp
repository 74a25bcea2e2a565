#pragma once

#include "runtime/transfer/grpc_channel.hpp"
#include "runtime/transfer/shm_channel.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace homeostat {

struct sender_settings {
  shm_settings shared;
  grpc_settings serialised;
  /// Of the attempt by shared memory, so that time is left for the other; without it: the transfer's own.
  std::optional<duration> zero_copy_patience;
};

/// How a transfer went.
struct sent_transfer {
  transfer_receipt receipt;
  transfer_method method{transfer_method::grpc}; ///< that delivered it
  std::optional<transfer_error> fell_back;       ///< why shared memory did not, where it was tried first
  transfer_decision decision;
};

/// Sends each buffer by the method that a pool chooses, and by gRPC where shared memory fails. Any number of threads.
///
/// Delivery is at least once: a peer that was given a segment and did not answer in time, or went away, may have read
/// it before the same bytes come by gRPC. What the peer refuses is not sent again.
class transfer_sender {
public:
  /// @throws std::invalid_argument  as transfer_pool does.
  transfer_sender(std::string name, transfer_policy policy, const sender_settings& settings, std::uint64_t seed = 0);

  /// Decides, sends, and reports every attempt to the pool, also one that failed, with the time it lost.
  /// @param data  what the bytes are; the size is taken from `bytes`.  @param patience  for all attempts together, > 0.
  /// @param session  whom the transfer is for, so that an experiment treats all of theirs alike; empty: nobody.
  /// @returns the receipt; or the last attempt's error, whose text also tells the first's.
  [[nodiscard]] std::expected<sent_transfer, transfer_error> send(std::span<const std::byte> bytes,
                                                                  transfer_characteristics data, duration patience,
                                                                  std::string_view session = {});

  /// The pool, for its owner: nothing is learned unless somebody calls its learn() and sense().
  [[nodiscard]] transfer_pool& pool() noexcept { return pool_; }
  [[nodiscard]] const transfer_pool& pool() const noexcept { return pool_; }

private:
  [[nodiscard]] std::expected<transfer_receipt, transfer_error> attempt(transfer_channel& by,
                                                                        std::span<const std::byte> bytes,
                                                                        duration patience, transfer_metrics& about,
                                                                        const experiment_place& place);

  transfer_pool pool_;
  shm_channel shared_;
  grpc_channel serialised_;
  std::optional<duration> zero_copy_patience_;
  std::atomic<std::uint64_t> transfers_{0};
};

} // namespace homeostat
