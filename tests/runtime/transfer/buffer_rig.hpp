#pragma once

#include "runtime/scratch_folder.hpp"
#include "runtime/transfer/shm_channel.hpp"
#include "runtime/transfer/shm_receiver.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace homeostat::rig {

using kind = transfer_error::kind;

/// A number that every byte and its place go into, unlike touch_lines.
inline std::uint64_t digest(std::span<const std::byte> bytes) {
  std::uint64_t sum = 1469598103934665603U + bytes.size();
  for (const std::byte b : bytes) sum = (sum ^ static_cast<std::uint64_t>(b)) * 1099511628211U;
  return sum;
}

inline std::vector<std::byte> pattern(std::size_t size, std::uint64_t seed = 1) {
  std::vector<std::byte> bytes(size);
  std::uint64_t x = seed * 0x9e3779b97f4a7c15U + 1;
  for (std::byte& b : bytes) {
    x = x * 6364136223846793005U + 1442695040888963407U;
    b = static_cast<std::byte>(x >> 56);
  }
  return bytes;
}

inline std::uint64_t digest_all(std::span<const std::byte> bytes, const transfer_characteristics& data) {
  if (bytes.size() != data.data_size) throw std::runtime_error("the size told is not the size given");
  return digest(bytes);
}

/// @returns open descriptors of a process, those of the counting included.
inline std::size_t descriptors(const std::string& process = "self") {
  std::size_t count = 0;
  for (const auto& one : std::filesystem::directory_iterator("/proc/" + process + "/fd")) {
    (void)one;
    ++count;
  }
  return count;
}

/// @returns shared segments a process has mapped.
inline std::size_t mapped_segments(const std::string& process = "self") {
  std::ifstream maps("/proc/" + process + "/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find("homeostat-transfer") != std::string::npos;
  return count;
}

/// Waits for what other threads have yet to do. @returns whether it came about.
template <typename Condition> bool soon(Condition condition) {
  for (int i = 0; i < 2000; ++i) { // 20 s at least
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

/// Both ends of shared memory in this process.
struct shm_link {
  explicit shm_link(segment_use use, transfer_consumer consumer = digest_all,
                    std::size_t largest = std::size_t{4} << 30)
      : shm_link(std::move(consumer), largest) {
    listen();
    open(use);
  }
  void listen() { shared = std::move(shm_receiver::listen(path(), consumer_, largest_).value()); }
  void hang_up() { shared.reset(); }
  std::expected<transfer_receipt, transfer_error> send(std::span<const std::byte> bytes,
                                                       duration patience = std::chrono::seconds(60)) {
    return channel->send(bytes, {.data_size = bytes.size()}, patience);
  }
  [[nodiscard]] std::string path() const { return folder.path() + "/socket"; }

  scratch_folder folder{"homeostat-channel"};
  std::unique_ptr<shm_receiver> shared;
  std::unique_ptr<transfer_channel> channel;

protected:
  shm_link(transfer_consumer consumer, std::size_t largest) : consumer_(std::move(consumer)), largest_(largest) {}
  void open(segment_use use) {
    shm_settings settings{.path = path()};
    settings.use = use;
    channel = std::make_unique<shm_channel>(settings);
  }
  transfer_consumer consumer_;
  std::size_t largest_;
};

} // namespace homeostat::rig
