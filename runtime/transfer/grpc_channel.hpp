#pragma once

#include "runtime/transfer/transfer_channel.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace homeostat {

struct grpc_settings {
  std::string target;                            ///< `unix:/path` or `127.0.0.1:port`
  std::size_t chunk_bytes{std::size_t{1} << 20}; ///< of one message, 4 KiB..3 MiB (gRPC's own limit is 4 MiB)
};

/// gRPC: the buffer is copied into Protobuf messages, one call per transfer; longer than a chunk means a stream.
class grpc_channel final : public transfer_channel {
public:
  explicit grpc_channel(const grpc_settings& settings);
  ~grpc_channel() override;
  grpc_channel(const grpc_channel&) = delete;
  grpc_channel& operator=(const grpc_channel&) = delete;

  [[nodiscard]] std::expected<transfer_receipt, transfer_error>
  send(std::span<const std::byte> bytes, const transfer_characteristics& data, duration patience) override;

private:
  class stubs;
  std::unique_ptr<stubs> stubs_;
};

/// Receives what grpc_channels send.
class grpc_receiver {
public:
  /// @param address  `unix:/path` or `127.0.0.1:port`.  @param largest  bytes of a transfer that is accepted.
  [[nodiscard]] static std::expected<std::unique_ptr<grpc_receiver>, transfer_error>
  listen(const std::string& address, transfer_consumer consumer, std::size_t largest = std::size_t{4} << 30);
  ~grpc_receiver();
  grpc_receiver(const grpc_receiver&) = delete;
  grpc_receiver& operator=(const grpc_receiver&) = delete;

private:
  struct server;
  grpc_receiver();
  std::unique_ptr<server> server_;
};

} // namespace homeostat
