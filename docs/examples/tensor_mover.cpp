// A service that moves tensors and lets a pool choose how. Built and run by the tests;
// docs/decide-how-buffers-travel.md quotes it.
#include "runtime/embed/embedded_pools.hpp"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace {

// Stand for the service's two ways to move a buffer: in pieces through something that copies, or at once.
void send_in_pieces(const std::vector<char>& tensor, std::vector<char>& received) {
  std::string piece;
  for (std::size_t at = 0; at < tensor.size(); at += piece.size()) {
    piece.assign(tensor.data() + at, std::min<std::size_t>(4096, tensor.size() - at));
    std::memcpy(received.data() + at, piece.data(), piece.size());
  }
}
void send_at_once(const std::vector<char>& tensor, std::vector<char>& received) {
  std::memcpy(received.data(), tensor.data(), tensor.size());
}

} // namespace

int main(int argc, char** argv) {
  const std::string store = argc > 1 ? argv[1] : "tensor-mover";

  // [start]
  homeostat::transfer_policy policy;
  policy.goal = homeostat::transfer_goal::minimize_latency;
  policy.minimum_threshold = 0;
  const auto pools =
      homeostat::embedded_pools::start({{.name = "tensors", .supervision = {}, .transfer = policy}}, {.store = store});
  if (!pools) {
    std::fprintf(stderr, "%s\n", pools.error().c_str());
    return 1;
  }
  const homeostat::embedded_pool tensors = (*pools)->pool("tensors").value(); // once; then from any thread
  // [start]

  std::vector<char> tensor(256 * 1024, 'x'), received(tensor.size());
  for (int i = 0; i < 2000; ++i) {
    // [work]
    const homeostat::transfer_characteristics data{.data_size = tensor.size(), .type = homeostat::data_type::tensor};
    const homeostat::transfer_decision decision = tensors.decide(data);
    const auto begin = std::chrono::steady_clock::now();
    decision.method == homeostat::transfer_method::grpc ? send_in_pieces(tensor, received)
                                                        : send_at_once(tensor, received);
    tensors.record({.data = data, .decision = decision, .latency = std::chrono::steady_clock::now() - begin});
    // [work]
    if (i % 500 == 499) std::printf("%s\n", tensors.explain(decision, data).c_str());
  }
  return received == tensor ? 0 : 1;
}
