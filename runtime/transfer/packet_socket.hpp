#pragma once

#include "runtime/ports/descriptor.hpp"
#include "runtime/transfer/transfer_channel.hpp"

#include <chrono>
#include <expected>
#include <string>

namespace homeostat {

/// A Unix socket that keeps packets apart (SOCK_SEQPACKET) and can carry one descriptor with each.
class packet_socket {
public:
  using deadline = std::chrono::steady_clock::time_point;
  struct packet {
    std::string bytes;
    descriptor passed; ///< empty when none came
  };

  packet_socket() = default;
  explicit packet_socket(descriptor connected) noexcept : fd_(std::move(connected)) {}
  /// @param path  of the listening socket, at most 107 bytes.
  [[nodiscard]] static std::expected<packet_socket, transfer_error> connect(const std::string& path);

  /// @param passed  a descriptor to send along, or -1.
  [[nodiscard]] std::expected<void, transfer_error> send(const std::string& bytes, int passed, deadline until);
  /// @returns peer_gone at the end of the connection; failed or exhausted for a packet that is none of ours: too long,
  /// or with a descriptor that cannot be taken. What it carried is closed.
  [[nodiscard]] std::expected<packet, transfer_error> receive(deadline until);
  /// Ends both directions: a thread that waits in receive() returns.
  void shut_down() noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(fd_); }

private:
  descriptor fd_;
};

/// @param path  replaced when a dead listener left it behind, at most 107 bytes.
/// @returns a listening socket that only our own user can reach.
[[nodiscard]] std::expected<descriptor, transfer_error> listen_for_packets(const std::string& path);

} // namespace homeostat
