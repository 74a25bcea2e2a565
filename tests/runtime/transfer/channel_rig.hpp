#pragma once

#include "policies/search/chacha8.hpp"
#include "runtime/transfer/grpc_channel.hpp"
#include "tests/runtime/transfer/buffer_rig.hpp"

#include <memory>
#include <string>

namespace homeostat::rig {

enum class way { reused, fresh, grpc };
inline std::string name_of(way w) { return w == way::reused ? "Reused" : w == way::fresh ? "Fresh" : "Grpc"; }

/// One method's both ends in this process.
struct link : shm_link {
  explicit link(way by, transfer_consumer consumer = digest_all, std::size_t largest = std::size_t{4} << 30)
      : shm_link(std::move(consumer), largest), by_(by) {
    listen();
    if (by == way::grpc)
      channel = std::make_unique<grpc_channel>(grpc_settings{"unix:" + path(), std::size_t{1} << 20});
    else
      open(by == way::reused ? segment_use::reused : segment_use::fresh);
  }
  void listen() {
    if (by_ == way::grpc)
      grpc = std::move(grpc_receiver::listen("unix:" + path(), consumer_, largest_).value());
    else
      shm_link::listen();
  }
  void hang_up() {
    grpc.reset();
    shm_link::hang_up();
  }

  std::unique_ptr<grpc_receiver> grpc;

private:
  way by_;
};

} // namespace homeostat::rig
