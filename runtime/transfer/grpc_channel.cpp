#include "runtime/transfer/grpc_channel.hpp"

#include "messages/transfer.grpc.pb.h"
#include "runtime/ports/descriptor.hpp"
#include "runtime/transfer/cpu_clock.hpp"
#include "runtime/transfer/receive_buffer.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace homeostat {

namespace {

using kind = transfer_error::kind;
using steady = std::chrono::steady_clock;

transfer_error error_of(const grpc::Status& status) {
  kind why = kind::failed;
  switch (status.error_code()) {
  case grpc::StatusCode::UNAVAILABLE: why = kind::peer_gone; break;
  case grpc::StatusCode::DEADLINE_EXCEEDED: why = kind::timed_out; break;
  case grpc::StatusCode::RESOURCE_EXHAUSTED: why = kind::exhausted; break;
  case grpc::StatusCode::INVALID_ARGUMENT:
  case grpc::StatusCode::FAILED_PRECONDITION: why = kind::refused; break;
  default: break;
  }
  return {why, "gRPC: " + status.error_message()};
}

/// Keeps gRPC up for as long as the process: where its last user ends while a connection is still being closed, taking
/// it down waits ten seconds.
void keep_library() {
  static const bool kept = [] {
    grpc_init();
    return true;
  }();
  (void)kept;
}

void describe_in(v1::TransferChunk& chunk, std::size_t total, const transfer_characteristics& data) {
  chunk.set_total(total);
  chunk.set_type(static_cast<std::uint32_t>(data.type));
  chunk.set_format(static_cast<std::uint32_t>(data.format));
  chunk.set_compressed(data.compressed);
}

} // namespace

class grpc_channel::stubs {
public:
  using stub = std::shared_ptr<v1::TransferPeer::Stub>;
  explicit stubs(const grpc_settings& settings)
      : chunk_bytes(std::clamp<std::size_t>(settings.chunk_bytes, 4096, std::size_t{3} << 20)),
        target_(settings.target), peer_(connected()) {}

  [[nodiscard]] stub peer() const {
    const std::lock_guard hold(mutex_);
    return peer_;
  }
  /// A channel whose peer went away waits longer and longer before it looks again, and fails at once until then. A new
  /// one looks at once: a peer that restarted is wanted back with the next transfer.
  void replace(const stub& gone) {
    const std::lock_guard hold(mutex_);
    if (peer_ == gone) peer_ = connected();
  }

  const std::size_t chunk_bytes;

private:
  [[nodiscard]] stub connected() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
    // Despite its name how long one attempt to connect may take: a machine that is busy is no peer that is gone.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20'000);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::TransferPeer::NewStub(grpc::CreateCustomChannel(target_, grpc::InsecureChannelCredentials(), arguments));
  }

  std::string target_;
  mutable std::mutex mutex_; ///< guards what follows
  stub peer_;
};

grpc_channel::grpc_channel(const grpc_settings& settings) {
  keep_library();
  stubs_ = std::make_unique<stubs>(settings);
}

grpc_channel::~grpc_channel() = default;

std::expected<transfer_receipt, transfer_error>
grpc_channel::send(std::span<const std::byte> bytes, const transfer_characteristics& data, duration patience) {
  const auto start = steady::now();
  const std::uint64_t cpu = thread_cpu_ns();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::min(patience, longest_patience));
  const stubs::stub peer = stubs_->peer();
  v1::TransferReceipt receipt;
  grpc::Status status;
  v1::TransferChunk chunk;
  describe_in(chunk, bytes.size(), data);
  const auto fill = [&](std::size_t from) {
    const std::size_t length = std::min(stubs_->chunk_bytes, bytes.size() - from);
    chunk.set_data(bytes.data() + from, length);
    return from + length;
  };
  if (bytes.size() <= stubs_->chunk_bytes) {
    fill(0);
    status = peer->Send(&context, chunk, &receipt);
  } else {
    auto stream = peer->Stream(&context, &receipt);
    for (std::size_t at = 0; at < bytes.size();) {
      at = fill(at);
      if (!stream->Write(chunk)) break; // Finish says why
    }
    stream->WritesDone();
    status = stream->Finish();
  }
  if (!status.ok()) {
    transfer_error why = error_of(status);
    if (why.why == kind::peer_gone) stubs_->replace(peer);
    return std::unexpected(std::move(why));
  }
  if (receipt.received() != bytes.size())
    return std::unexpected(transfer_error{kind::failed, "the peer received " + std::to_string(receipt.received()) +
                                                            " of " + std::to_string(bytes.size()) + " bytes"});
  const double latency = std::chrono::duration<double, std::micro>(steady::now() - start).count();
  return transfer_receipt{receipt.checksum(), latency,
                          static_cast<double>(thread_cpu_ns() - cpu + receipt.cpu_ns()) / 1e3,
                          std::min(bytes.size(), stubs_->chunk_bytes) * 2 + receipt.memory()};
}

// ---- the receiving side --------------------------------------------------------------------------------------------

namespace {

class transfer_service final : public v1::TransferPeer::Service {
public:
  transfer_service(transfer_consumer consumer, std::size_t largest)
      : consumer_(std::move(consumer)), largest_(largest) {}

  grpc::Status Send(grpc::ServerContext* /*context*/, const v1::TransferChunk* chunk,
                    v1::TransferReceipt* receipt) override {
    const std::uint64_t cpu = thread_cpu_ns();
    if (chunk->total() != chunk->data().size())
      return {grpc::StatusCode::INVALID_ARGUMENT, "a single chunk must be the whole transfer"};
    if (chunk->total() > largest_) return too_large(chunk->total());
    return consume(std::as_bytes(std::span(chunk->data())), *chunk, cpu, *receipt);
  }

  grpc::Status Stream(grpc::ServerContext* /*context*/, grpc::ServerReader<v1::TransferChunk>* chunks,
                      v1::TransferReceipt* receipt) override {
    std::optional<receive_buffer> whole;
    grpc::Status status = receive(*chunks, whole, *receipt);
    if (whole) buffers_.give_back(std::move(*whole));
    return status;
  }

private:
  grpc::Status receive(grpc::ServerReader<v1::TransferChunk>& chunks, std::optional<receive_buffer>& whole,
                       v1::TransferReceipt& receipt) {
    const std::uint64_t cpu = thread_cpu_ns();
    v1::TransferChunk chunk;
    v1::TransferChunk about; // the first chunk without its bytes
    while (chunks.Read(&chunk)) {
      if (chunk.total() > largest_) return too_large(chunk.total());
      const bool first = !whole;
      if (first) {
        whole = buffers_.take(std::max<std::size_t>(chunk.total(), 1));
        if (!whole)
          return {grpc::StatusCode::RESOURCE_EXHAUSTED,
                  "no memory for a transfer of " + std::to_string(chunk.total()) + " bytes"};
      }
      const std::uint64_t total = first ? chunk.total() : about.total();
      if (whole->bytes().size() + chunk.data().size() > total || !whole->append(std::as_bytes(std::span(chunk.data()))))
        return {grpc::StatusCode::INVALID_ARGUMENT, "more bytes than the transfer announced"};
      if (first) {
        chunk.clear_data();
        about = chunk;
      }
    }
    const auto received = whole ? whole->bytes() : std::span<const std::byte>();
    if (received.size() != about.total())
      return {grpc::StatusCode::INVALID_ARGUMENT, "the stream ended after " + std::to_string(received.size()) + " of " +
                                                      std::to_string(about.total()) + " bytes"};
    return consume(received, about, cpu, receipt);
  }

  [[nodiscard]] grpc::Status too_large(std::uint64_t total) const {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            std::to_string(total) + " bytes, at most " + std::to_string(largest_) + " are accepted"};
  }

  grpc::Status consume(std::span<const std::byte> whole, const v1::TransferChunk& about, std::uint64_t cpu_before,
                       v1::TransferReceipt& receipt) const {
    const transfer_characteristics data{
        whole.size(), static_cast<data_type>(std::min<std::uint32_t>(about.type(), data_type_count - 1)),
        static_cast<data_format>(std::min<std::uint32_t>(about.format(), data_format_count - 1)), about.compressed()};
    const auto made = homeostat::consume(consumer_, whole, data);
    if (!made) return {grpc::StatusCode::FAILED_PRECONDITION, made.error()};
    receipt.set_checksum(*made);
    receipt.set_transfer_id(about.transfer_id());
    receipt.set_received(whole.size());
    receipt.set_memory(whole.size());
    receipt.set_cpu_ns(thread_cpu_ns() - cpu_before);
    return grpc::Status::OK;
  }

  transfer_consumer consumer_;
  std::size_t largest_;
  receive_buffers buffers_;
};

bool somebody_listens(const std::string& path) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path) return false; // gRPC says so
  std::copy(path.begin(), path.end(), to.sun_path);
  const descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return false;
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 || errno == EAGAIN ||
         errno == EPROTOTYPE;
}

} // namespace

struct grpc_receiver::server {
  server(transfer_consumer consumer, std::size_t largest) : service(std::move(consumer), largest) {}
  transfer_service service;
  std::unique_ptr<grpc::Server> running;
};

grpc_receiver::grpc_receiver() = default;

std::expected<std::unique_ptr<grpc_receiver>, transfer_error>
grpc_receiver::listen(const std::string& address, transfer_consumer consumer, std::size_t largest) {
  // gRPC removes a socket that is in its way, also of a living listener.
  if (address.starts_with("unix:") && somebody_listens(address.substr(5)))
    return std::unexpected(transfer_error{kind::failed, "another process listens on " + address});
  keep_library();
  std::unique_ptr<grpc_receiver> made(new grpc_receiver);
  made->server_ = std::make_unique<server>(std::move(consumer), largest);
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0); // two peers on one address would share the transfers
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&made->server_->service);
  made->server_->running = builder.BuildAndStart();
  if (!made->server_->running) return std::unexpected(transfer_error{kind::failed, "gRPC cannot listen on " + address});
  return made;
}

grpc_receiver::~grpc_receiver() {
  if (server_ && server_->running)
    server_->running->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

} // namespace homeostat
