// A service that makes its own constants tunable. Built and run by the tests; docs/tune-your-own-service.md quotes it.
#include "runtime/embed/tuner.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace {

// Stands for the service's real work: a batch has a fixed cost and a cost that grows faster than its size.
std::chrono::microseconds make_thumbnails(int batch_size) {
  const double per_image_us = 1500.0 / batch_size + 12.0 * batch_size;
  std::this_thread::sleep_for(std::chrono::microseconds(static_cast<long>(per_image_us)));
  return std::chrono::microseconds(static_cast<long>(per_image_us));
}

} // namespace

int main(int argc, char** argv) {
  const auto length = std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 10);
  const std::string store = argc > 2 ? argv[2] : "thumbnailer.db";

  // [knobs]
  homeostat::knob_registry registry;
  homeostat::knob<int> batch_size{
      registry,
      {.name = "batch_size", .unit = "images", .min = 1, .max = 64, .initial = 2, .scale = homeostat::knob_scale::log}};
  // [knobs]

  // [start]
  auto tuner = homeostat::tuner::start(registry, {.name = "thumbnailer",
                                                  .store = store,
                                                  .minimize = "latency_mean_ms",
                                                  .constraint = "error_rate <= 0.01",
                                                  .guardrails = "aggressive"});
  if (!tuner) {
    std::fprintf(stderr, "%s\n", tuner.error().c_str());
    return 1;
  }
  // [start]

  const auto end = std::chrono::steady_clock::now() + length;
  while (std::chrono::steady_clock::now() < end) {
    // [work]
    const auto begin = std::chrono::steady_clock::now();
    make_thumbnails(batch_size); // a relaxed load where a constant stood
    (*tuner)->record(std::chrono::steady_clock::now() - begin);
    // [work]
  }
  (*tuner)->stop();
  std::printf("batch_size %d (started at 2)\n", batch_size.get());
  return 0;
}
