#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace homeostat {

/// Where the pieces of one large transfer come together: anonymous memory, in huge pages where the system has them.
/// Only what was appended costs memory, rounded up to a huge page.
class receive_buffer {
public:
  /// @param capacity  bytes, > 0.
  /// @returns nothing where the system has no memory for it.
  [[nodiscard]] static std::optional<receive_buffer> of(std::size_t capacity);

  /// @returns false where it does not fit: nothing was appended.
  [[nodiscard]] bool append(std::span<const std::byte> piece) noexcept;
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return room_.first(used_); }
  [[nodiscard]] std::size_t capacity() const noexcept { return room_.size(); }
  /// Empties it. Its pages stay until the system is short of memory and takes them.
  void clear() noexcept;

private:
  struct unmap {
    std::size_t bytes;
    void operator()(std::byte* from) const noexcept;
  };
  std::unique_ptr<std::byte[], unmap> mapped_;
  std::span<std::byte> room_; ///< of what is mapped: from the first huge page on
  std::size_t used_{0};
};

/// Keeps what was used for the next: page by page, the kernel takes longer to provide the memory of a large transfer
/// than the copies that fill it, and a virtual machine's host longer still (decision 14). Safe for any number of
/// threads.
class receive_buffers {
public:
  static constexpr std::size_t kept_bytes = std::size_t{256} << 20; ///< at most, all together
  static constexpr std::size_t most_kept = 16;

  receive_buffers();
  /// @returns an empty buffer of `capacity` bytes or more; nothing where the system has no memory for it.
  [[nodiscard]] std::optional<receive_buffer> take(std::size_t capacity);
  void give_back(receive_buffer used) noexcept;

private:
  std::mutex mutex_;                 ///< guards what follows
  std::vector<receive_buffer> kept_; ///< the longest unused first
};

} // namespace homeostat
