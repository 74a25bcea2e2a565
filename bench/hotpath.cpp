// Reads: one knob against a plain atomic load, a snapshot of eight knobs, both also beside a busy writer.
#include "bench/row.hpp"
#include "runtime/hotpath/knob.hpp"
#include "runtime/hotpath/knob_registry.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>

namespace homeostat::bench {

namespace {

struct knobs {
  knobs() {
    for (int i = 0; i < 8; ++i)
      all.push_back(std::make_unique<knob<double>>(
          registry, knob_declaration{.name = "k" + std::to_string(i), .min = 0, .max = 1e9, .initial = 1}));
    config = &registry.seal();
  }
  knob_registry registry;
  std::vector<std::unique_ptr<knob<double>>> all;
  atomic_config* config{nullptr};
};

/// Runs one timed loop under Google Benchmark and returns ns per iteration: the median of five.
template <class Body> double nanoseconds(const char* name, Body body) {
  std::vector<double> results;
  class collector final : public benchmark::BenchmarkReporter {
  public:
    explicit collector(std::vector<double>& out) : out_(out) {}
    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override {
      for (const Run& run : runs)
        if (run.run_type == Run::RT_Iteration) out_.push_back(run.GetAdjustedRealTime());
    }

  private:
    std::vector<double>& out_;
  } reporter(results);
  benchmark::RegisterBenchmark(name,
                               [body](benchmark::State& state) {
                                 for (auto _ : state) body();
                               })
      ->Unit(benchmark::kNanosecond)
      ->MinTime(0.1)
      ->Repetitions(5);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::ClearRegisteredBenchmarks();
  return quantile(results, 0.5);
}

} // namespace

std::vector<row> hotpath_rows() {
  knobs k;
  // Both as a service holds them: a handle of its own that leads to memory elsewhere.
  const auto plain = std::make_unique<std::atomic<double>>(1.0);
  const atomic_config& config = *k.config;
  const auto read_plain = [word = plain.get()] { benchmark::DoNotOptimize(word->load(std::memory_order_relaxed)); };
  const auto read_knob = [one = *k.all[3]] { benchmark::DoNotOptimize(one.get()); };
  const auto read_snapshot = [&config] { benchmark::DoNotOptimize(config.snapshot()); };

  std::vector<row> rows;
  const double base = nanoseconds("plain atomic load", read_plain);
  rows.push_back(at_most_ratio("knob_read", nanoseconds("knob read", read_knob), "ns", base, 1.5));
  rows.push_back(at_most("snapshot_8_knobs", nanoseconds("snapshot", read_snapshot), "ns", 25));

  std::atomic<bool> stop{false};
  std::thread writer([&] {
    std::array<double, 8> values{};
    for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      values.fill(static_cast<double>(i));
      (void)k.config->update(values);
      // Ten thousand updates a second: five hundred times the aggressive preset's rate.
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  const double busy_base = nanoseconds("plain atomic load beside a writer", read_plain);
  rows.push_back(at_most_ratio("knob_read_with_writer", nanoseconds("knob read beside a writer", read_knob), "ns",
                               busy_base, 1.5));
  rows.push_back(
      at_most("snapshot_8_knobs_with_writer", nanoseconds("snapshot beside a writer", read_snapshot), "ns", 25));
  stop = true;
  writer.join();
  return rows;
}

} // namespace homeostat::bench
