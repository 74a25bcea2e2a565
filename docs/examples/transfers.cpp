// Sends buffers by whichever method is faster, to a receiver that here lives in the same process. Compiled and run by
// the tests.
#include "runtime/transfer/grpc_channel.hpp"
#include "runtime/transfer/machine_sense.hpp"
#include "runtime/transfer/shm_receiver.hpp"
#include "runtime/transfer/transfer_sender.hpp"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <stdlib.h>

int main() {
  using namespace homeostat;
  std::string folder = (std::filesystem::temp_directory_path() / "homeostat-example-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  const std::string socket = folder + "/shm", address = "unix:" + folder + "/grpc";

  // The receiving side: what it does with a buffer while it may read it.
  const transfer_consumer consume = [](std::span<const std::byte> bytes, const transfer_characteristics&) {
    return touch_lines(bytes);
  };
  int bad = 0;
  {
    const auto shared = shm_receiver::listen(socket, consume);
    const auto serialised = grpc_receiver::listen(address, consume);
    if (!shared || !serialised) return 1;

    // The sending side: a pool that decides, and somebody who lets it learn.
    transfer_policy policy;
    policy.goal = transfer_goal::minimize_latency;
    policy.minimum_threshold = 0;
    sender_settings settings;
    settings.shared.path = socket;
    settings.serialised.target = address;
    transfer_sender sender("example", policy, settings);
    const std::jthread owner([&sender](const std::stop_token& stop) {
      machine_sense sense;
      while (!stop.stop_requested()) {
        const auto now = std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
        sender.pool().sense(sense.read(now));
        sender.pool().learn(now);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });

    const std::vector<std::byte> tensor(256 * 1024, std::byte{42});
    const transfer_characteristics data{tensor.size(), data_type::tensor, data_format::raw, false};
    for (int i = 0; i < 500; ++i) {
      const auto sent = sender.send(tensor, data, 5s);
      if (!sent || sent->receipt.checksum != touch_lines(tensor)) ++bad;
      if (sent && i % 100 == 99) std::printf("%s\n", sender.pool().explain(sent->decision, data).c_str());
    }
  }
  std::filesystem::remove_all(folder);
  return bad == 0 ? 0 : 1;
}
