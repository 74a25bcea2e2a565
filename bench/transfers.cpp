// What deciding on a transfer and recording it cost, against the transfer.
#include "bench/row.hpp"
#include "runtime/scratch_folder.hpp"
#include "runtime/transfer/shm_channel.hpp"
#include "runtime/transfer/shm_receiver.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace homeostat::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t threads = 8;
constexpr std::size_t decisions = 50'000; ///< of each thread
constexpr std::uint64_t quick_size = 4096;
constexpr std::uint64_t full_size = 8 * mebibyte;
constexpr std::size_t transfer_size = 64 * 1024;

double microseconds(clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

transfer_metrics outcome(transfer_method method, std::uint64_t i) {
  transfer_metrics m;
  m.transfer_id = i;
  m.method = method;
  m.data.data_size = full_size + i % 1000;
  m.latency_us = method == transfer_method::grpc ? 5000 : 3000;
  m.cpu_time_us = m.latency_us / 2;
  m.memory_used = full_size;
  return m;
}

class steady_model final : public transfer_advisor {
public:
  [[nodiscard]] model_prediction predict(const transfer_characteristics&,
                                         const system_conditions&) const noexcept override {
    return {transfer_method::zero_copy, 0.9F, 0.8F, 5000, 3000};
  }
};

/// @returns the 99th percentile of one decision, in microseconds, on eight threads beside an owner that learns.
/// @param session  whom the transfers are for; empty: nobody.
double decision_p99(transfer_pool& pool, std::uint64_t size, const std::string& session = {}) {
  std::vector<std::vector<double>> samples(threads);
  std::atomic<bool> stop{false};
  std::thread owner([&] {
    for (std::uint64_t i = 0; !stop.load(); ++i) {
      pool.sense({.cpu_load = 0.3});
      for (std::uint64_t n = 0; n < 100; ++n)
        (void)pool.record(outcome(n % 2 == 0 ? transfer_method::grpc : transfer_method::zero_copy, n));
      pool.learn(instant{std::chrono::milliseconds(20 * i)});
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  std::vector<std::thread> asking;
  for (std::size_t t = 0; t < threads; ++t)
    asking.emplace_back([&, t] {
      samples[t].reserve(decisions);
      for (std::size_t i = 0; i < decisions; ++i) {
        const auto begin = clock::now();
        const transfer_decision made = pool.decide({size}, session);
        const auto end = clock::now();
        if (made.reason == decision_reason::fallback) std::abort();
        samples[t].push_back(microseconds(end - begin));
      }
    });
  for (std::thread& t : asking) t.join();
  stop = true;
  owner.join();
  std::vector<double> all;
  for (const auto& mine : samples) all.insert(all.end(), mine.begin(), mine.end());
  return quantile(all, 0.99);
}

/// @returns what one outcome costs in microseconds: its report, and learning from it.
double recording_us(transfer_pool& pool) {
  constexpr std::uint64_t batch = 4096;
  std::vector<double> samples;
  for (std::uint64_t round = 0; round < 25; ++round) {
    const auto begin = clock::now();
    for (std::uint64_t i = 0; i < batch; ++i)
      if (!pool.record(outcome(transfer_method::zero_copy, i))) std::abort();
    pool.learn(instant{std::chrono::milliseconds(20 * round)});
    samples.push_back(microseconds(clock::now() - begin) / batch);
  }
  return quantile(samples, 0.5);
}

/// @returns the median latency of a transfer by the faster method, shared memory that is used again.
double transfer_us(const std::string& folder) {
  const std::string path = folder + "/socket";
  const auto receiver = shm_receiver::listen(
      path, [](std::span<const std::byte> bytes, const transfer_characteristics&) { return touch_lines(bytes); });
  if (!receiver) {
    std::fprintf(stderr, "%s\n", receiver.error().text.c_str());
    std::exit(1);
  }
  shm_channel channel({.path = path});
  const std::vector<std::byte> bytes(transfer_size, std::byte{7});
  std::vector<double> samples;
  for (int i = 0; i < 3000; ++i) {
    const auto sent = channel.send(bytes, {.data_size = bytes.size()}, 10s);
    if (!sent) {
      std::fprintf(stderr, "%s\n", sent.error().text.c_str());
      std::exit(1);
    }
    samples.push_back(sent->latency_us);
  }
  return quantile(samples, 0.5);
}

} // namespace

std::vector<row> transfer_rows() {
  transfer_policy policy;
  policy.rules = {{.name = "night", .priority = 1, .method = transfer_method::grpc, .when = "hour > 25"},
                  {.name = "crowd", .priority = 1, .method = transfer_method::grpc, .when = "in_flight > 1000000"}};
  std::vector<row> rows;
  {
    transfer_pool pool("bench", policy);
    rows.push_back(at_most("transfer_decision_quick_p99", decision_p99(pool, quick_size), "us", 1));
    pool.set_model(std::make_shared<steady_model>());
    rows.push_back(at_most("transfer_decision_full_p99", decision_p99(pool, full_size), "us", 5));
    transfer_policy other = policy;
    other.zero_copy_threshold /= 2;
    if (!pool.begin_experiment("bench", 0.5, other, instant{})) std::abort();
    rows.push_back(at_most("transfer_decision_experiment_p99", decision_p99(pool, full_size, "session-42"), "us", 5));
  }
  transfer_pool pool("bench", policy);
  const scratch_folder folder("homeostat-bench");
  rows.push_back(at_most_ratio("transfer_recording", recording_us(pool), "us", transfer_us(folder.path()), 0.05));
  return rows;
}

} // namespace homeostat::bench
