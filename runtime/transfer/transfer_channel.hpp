#pragma once

#include "policies/transfer/transfer.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>

namespace homeostat {

/// Why a transfer was not delivered. Whatever the kind, the sender's buffer is untouched and may be sent again.
struct transfer_error {
  enum class kind : std::uint8_t {
    exhausted, ///< no segment, lane or descriptor is free: the other method may have room
    peer_gone, ///< nobody listens, or the peer went away under way
    timed_out,
    refused, ///< the peer answered that it will not take it
    failed,  ///< the system refused a call
  };
  kind why{kind::failed};
  std::string text; ///< one sentence, with what and where
};

/// What a delivered transfer cost.
struct transfer_receipt {
  std::uint64_t checksum{0};    ///< the consumer's answer
  double latency_us{0};         ///< call to acknowledgement
  double cpu_time_us{0};        ///< of the sending thread and of the peer
  std::uint64_t memory_used{0}; ///< bytes held for it on both sides beside the caller's own buffer
};

/// Longer waits would overflow a clock.
inline constexpr duration longest_patience = 24h;

/// One method of moving a buffer to the peer. Any number of threads may send at once.
class transfer_channel {
public:
  virtual ~transfer_channel() = default;
  /// Sends one buffer and waits until the peer's consumer is done with it.
  /// @param bytes  what to send; may be empty.  @param data  told to the consumer; its size is that of `bytes`.
  /// @param patience  for the whole transfer, > 0; more than a day counts as a day.
  [[nodiscard]] virtual std::expected<transfer_receipt, transfer_error>
  send(std::span<const std::byte> bytes, const transfer_characteristics& data, duration patience) = 0;
};

/// What the receiving process does with a buffer: reads it while it is valid (during the call) and returns a number for
/// the sender. Called by several threads at once. An exception refuses the transfer.
using transfer_consumer = std::function<std::uint64_t(std::span<const std::byte>, const transfer_characteristics&)>;

/// Calls a consumer. @returns its number; or why it refused, in 1 to 1,000 printable characters: the text goes to the
/// sender, and neither a longer one nor bytes that are no text may stop it on its way.
[[nodiscard]] std::expected<std::uint64_t, std::string>
consume(const transfer_consumer& consumer, std::span<const std::byte> bytes, const transfer_characteristics& data);

/// Reads one word of each 64-byte line, which is what it takes to bring a buffer to the consumer's processor.
/// @returns a sum of the words, a checksum for tests.
[[nodiscard]] std::uint64_t touch_lines(std::span<const std::byte> bytes) noexcept;

} // namespace homeostat
