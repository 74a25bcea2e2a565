#pragma once

#include "runtime/ports/descriptor.hpp"
#include "runtime/transfer/transfer_channel.hpp"

#include <cstddef>
#include <expected>
#include <span>

namespace homeostat {

/// Smaller segments would save nothing: a page is mapped at least.
inline constexpr std::size_t smallest_segment = 64 * 1024;

/// A piece of memory that two processes share: an anonymous memfd, mapped. It has no name in any file system, so that
/// the kernel frees it with the last process that holds it, however that one ends. Its size is sealed: a peer that
/// shrank it would turn the other's next access into SIGBUS. Only its creator may write (F_SEAL_FUTURE_WRITE).
class segment {
public:
  segment() = default;
  /// @param capacity  bytes, > 0; rounded up to whole pages.
  /// @returns a mapped segment of zeros; exhausted when memory or descriptors are short.
  [[nodiscard]] static std::expected<segment, transfer_error> create(std::size_t capacity);
  /// Maps what a peer sent, for reading.
  /// @param capacity  bytes the peer says it has.
  /// @returns refused when the descriptor is no memfd of ordinary pages, not sealed against shrinking, or smaller.
  [[nodiscard]] static std::expected<segment, transfer_error> adopt(descriptor received, std::size_t capacity);

  segment(segment&& other) noexcept;
  segment& operator=(segment&& other) noexcept;
  ~segment() { release(); }

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {start_, capacity_}; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  explicit operator bool() const noexcept { return start_ != nullptr; }
  /// Unmaps and closes; what remains is an empty segment.
  void release() noexcept;

private:
  std::byte* start_{nullptr};
  std::size_t capacity_{0};
  descriptor fd_;
};

} // namespace homeostat
