#pragma once

#include "runtime/ports/descriptor.hpp"

#include <cstdint>
#include <expected>
#include <string>

#include <sys/types.h>

namespace homeostat {

/// A receiving process of our own: `homeostat transfer-peer`, which ends with us, however we end; more exactly with the
/// thread that started it. In a process group of its own: an interrupt from the terminal is for us, not for it.
class peer_process {
public:
  /// @param program  to run.  @param socket  for shared memory.  @param grpc  address.
  /// @returns the peer once it listens on both; one sentence when it does not within ten seconds.
  [[nodiscard]] static std::expected<peer_process, std::string>
  start(const std::string& program, const std::string& socket, const std::string& grpc);
  peer_process(peer_process&& other) noexcept;
  peer_process& operator=(peer_process&&) = delete;
  /// Ends it and waits for its end.
  ~peer_process();
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// @returns how it ended, in words, if it has; empty while it lives. One thread at a time.
  [[nodiscard]] std::string end();

private:
  peer_process() = default;
  pid_t pid_{0};
  std::string end_;
};

/// What the program does: listens on both until it gets SIGTERM or SIGINT.
/// @returns the exit code.
int run_transfer_peer(const std::string& socket, const std::string& grpc);

} // namespace homeostat
