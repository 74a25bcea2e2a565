#pragma once

#include "runtime/ports/descriptor.hpp"
#include "runtime/transfer/packet_socket.hpp"
#include "runtime/transfer/transfer_channel.hpp"

#include <atomic>
#include <cstddef>
#include <expected>
#include <list>
#include <memory>
#include <string>
#include <thread>

namespace homeostat {

/// Receives what shm_channels send: one thread per connection, one mapped segment per thread.
class shm_receiver {
public:
  /// @param path  of the Unix socket, at most 107 bytes; a dead listener's is replaced.
  /// @param largest  bytes of a transfer that is accepted.  @param connections  at most; more are closed at once.
  [[nodiscard]] static std::expected<std::unique_ptr<shm_receiver>, transfer_error>
  listen(std::string path, transfer_consumer consumer, std::size_t largest = std::size_t{4} << 30,
         std::size_t connections = 1024);
  /// Ends every connection; a consumer that is at work is waited for.
  ~shm_receiver();
  shm_receiver(const shm_receiver&) = delete;
  shm_receiver& operator=(const shm_receiver&) = delete;

private:
  struct connection;
  shm_receiver() = default;
  void accept_all();
  void open(descriptor connected);
  void serve(connection& with);
  void reap();

  std::string path_;
  descriptor listener_;
  transfer_consumer consumer_;
  std::size_t largest_{0};
  std::size_t limit_{0};
  std::atomic<bool> ending_{false};
  std::list<std::unique_ptr<connection>> open_; ///< of the accepting thread alone
  std::thread acceptor_;
};

} // namespace homeostat
