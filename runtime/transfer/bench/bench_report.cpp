#include "runtime/transfer/bench/bench_report.hpp"

#include "policies/median.hpp"
#include "policies/transfer/cost_table.hpp"

#include <algorithm>
#include <bit>
#include <fstream>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

namespace homeostat {

namespace {

void add_rows(v1::TransferBenchReport& report, const bench_phase& phase, std::span<const paired_transfer> made) {
  struct bin {
    std::vector<double> latencies;
    double cpu{0}, memory{0}, bytes{0}, time{0};
    std::uint64_t failed{0};
  };
  std::map<std::pair<int, std::uint64_t>, bin> bins; // method, size from
  for (const paired_transfer& one : made)
    for (const transfer_method m : transfer_methods) {
      const auto i = static_cast<std::size_t>(m);
      const std::uint64_t from = one.data.data_size < 256 ? 0
                                                          : std::bit_floor(one.data.data_size) >>
                                                                (std::bit_width(one.data.data_size) % 2 == 1 ? 0 : 1);
      bin& b = bins[{static_cast<int>(i), from}];
      if (one.failed[i]) {
        ++b.failed;
        continue;
      }
      b.latencies.push_back(one.latency_us[i]);
      b.cpu += one.cpu_us[i];
      b.memory += one.memory[i];
      b.bytes += static_cast<double>(one.data.data_size);
      b.time += one.latency_us[i];
    }
  for (auto& [key, b] : bins) {
    v1::TransferBenchReport::Row* row = report.add_rows();
    row->set_phase(phase.name);
    row->set_method(std::string(name_of(static_cast<transfer_method>(key.first))));
    row->set_size_from(key.second);
    row->set_size_to(std::max<std::uint64_t>(key.second, 64) * 4);
    row->set_transfers(b.latencies.size());
    row->set_failed(b.failed);
    if (b.latencies.empty()) continue;
    std::sort(b.latencies.begin(), b.latencies.end());
    const auto quantile = [&](double q) {
      return b.latencies[std::min(b.latencies.size() - 1,
                                  static_cast<std::size_t>(q * static_cast<double>(b.latencies.size())))];
    };
    const auto count = static_cast<double>(b.latencies.size());
    row->set_p50_us(quantile(0.5));
    row->set_p95_us(quantile(0.95));
    row->set_p99_us(quantile(0.99));
    row->set_p999_us(quantile(0.999));
    row->set_throughput_mbps(b.bytes * 8 / b.time);
    row->set_cpu_us(b.cpu / count);
    row->set_memory(b.memory / count);
  }
}

struct totals {
  double pool{0}, oracle{0}, classes{0}, grpc{0}, zero_copy{0}, threshold{0}, pool_mean{0}, held_out{0};
};
totals over(std::span<const paired_transfer> made, std::uint64_t threshold) {
  totals t;
  std::map<std::pair<std::size_t, data_type>, std::array<double, transfer_method_count>> classes;
  for (const paired_transfer& one : made) {
    for (std::size_t m = 0; m < transfer_method_count; ++m)
      classes[{cost_class_of(one.data.data_size), one.data.type}][m] += one.median_us[m];
    t.pool += one.of(one.chosen);
    t.pool_mean += one.mean_us[static_cast<std::size_t>(one.chosen)];
    t.held_out += one.held_out_us;
    t.oracle += std::min(one.of(transfer_method::grpc), one.of(transfer_method::zero_copy));
    t.grpc += one.of(transfer_method::grpc);
    t.zero_copy += one.of(transfer_method::zero_copy);
    t.threshold += one.of(one.data.data_size >= threshold ? transfer_method::zero_copy : transfer_method::grpc);
  }
  for (const auto& [key, sums] : classes) t.classes += std::min(sums[0], sums[1]);
  return t;
}

/// Finds the boundary that loses least: what a threshold set with hindsight would be.
void set_crossover(v1::TransferBenchReport::Phase& row, std::span<const paired_transfer> made) {
  std::vector<paired_transfer> by_size(made.begin(), made.end());
  std::sort(by_size.begin(), by_size.end(),
            [](const paired_transfer& a, const paired_transfer& b) { return a.data.data_size < b.data.data_size; });
  double wrong = 0;
  for (const paired_transfer& one : by_size)
    wrong += std::max(0.0, one.of(transfer_method::zero_copy) - one.of(transfer_method::grpc));
  double least = wrong;
  for (std::size_t i = 0; i < by_size.size(); ++i) {
    wrong += by_size[i].of(transfer_method::grpc) - by_size[i].of(transfer_method::zero_copy);
    if (wrong < least) {
      least = wrong;
      row.set_crossover(i + 1 < by_size.size() ? by_size[i + 1].data.data_size : 0);
      row.set_never_crosses(i + 1 == by_size.size());
    }
  }
}

} // namespace

void settle(paired_transfer& one, runs_by_method runs) {
  const std::size_t count = runs[0].size();
  std::array<double, transfer_method_count> sum{};
  for (std::size_t m = 0; m < transfer_method_count; ++m) {
    sum[m] = std::accumulate(runs[m].begin(), runs[m].end(), 0.0);
    one.mean_us[m] = sum[m] / static_cast<double>(count);
  }
  for (std::size_t r = 0; count > 1 && r < count; ++r) {
    const std::size_t better = sum[0] - runs[0][r] <= sum[1] - runs[1][r] ? 0 : 1;
    one.held_out_us += runs[better][r] / static_cast<double>(count);
  }
  for (std::size_t m = 0; m < transfer_method_count; ++m) one.median_us[m] = upper_median_in(runs[m]);
}

std::expected<void, std::string> write_records(const bench_options& options, const bench_phase& phase,
                                               std::span<const paired_transfer> made, bool first) {
  if (options.records.empty()) return {};
  std::ofstream out(options.records, first ? std::ios::trunc : std::ios::app);
  if (first)
    out << "phase,type,size,chosen,explored,grpc_us,zero_copy_us,grpc_median_us,zero_copy_median_us,grpc_cpu_us,"
           "zero_copy_cpu_us\n";
  for (const paired_transfer& one : made)
    out << phase.name << ',' << name_of(one.data.type) << ',' << one.data.data_size << ',' << name_of(one.chosen) << ','
        << one.explored << ',' << one.latency_us[0] << ',' << one.latency_us[1] << ',' << one.median_us[0] << ','
        << one.median_us[1] << ',' << one.cpu_us[0] << ',' << one.cpu_us[1] << '\n';
  if (!out.flush()) return std::unexpected(options.records + ": cannot be written");
  return {};
}

void add_phase(v1::TransferBenchReport& report, const bench_options& options, const bench_phase& phase,
               std::span<const paired_transfer> made, const transfer_learner& state) {
  add_rows(report, phase, made);
  v1::TransferBenchReport::Phase* row = report.add_phases();
  row->set_name(phase.name);
  row->set_transfers(made.size());
  if (made.empty()) return;
  row->set_pressure(std::string(name_of(state.under())));
  row->set_threshold(state.thresholds().threshold(options.types.front()));
  set_crossover(*row, made);
  const std::size_t from = made.size() - std::min<std::size_t>(made.size(), options.measured);
  const totals end = over(made.subspan(from), options.policy.zero_copy_threshold);
  const totals whole = over(made, options.policy.zero_copy_threshold);
  row->set_measured(made.size() - from);
  row->set_to_oracle(end.pool / end.oracle);
  row->set_to_class_oracle(end.pool / end.classes);
  if (end.held_out > 0) row->set_to_held_out_oracle(end.pool_mean / end.held_out);
  row->set_to_best_fixed(end.pool / std::min(end.grpc, end.zero_copy));
  row->set_to_threshold(end.pool / end.threshold);
  row->set_to_grpc(end.pool / end.grpc);
  row->set_to_zero_copy(end.pool / end.zero_copy);
  row->set_whole_to_oracle(whole.pool / whole.oracle);
  row->set_whole_to_best_fixed(whole.pool / std::min(whole.grpc, whole.zero_copy));
  const auto explored =
      std::count_if(made.begin(), made.end(), [](const paired_transfer& one) { return one.explored; });
  row->set_explored(static_cast<double>(explored) / static_cast<double>(made.size()));
}

} // namespace homeostat
