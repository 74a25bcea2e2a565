#include "runtime/transfer/bench/transfer_bench.hpp"

#include "messages/transfer.pb.h"
#include "policies/search/chacha8.hpp"
#include "runtime/transfer/bench/peer_process.hpp"
#include "runtime/transfer/bench/pressure_rig.hpp"
#include "runtime/transfer/grpc_channel.hpp"
#include "runtime/transfer/machine_sense.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace homeostat {

namespace {

namespace fs = std::filesystem;
using steady = std::chrono::steady_clock;

constexpr duration patience = 60s;
constexpr auto learn_every = std::chrono::milliseconds(20);
constexpr auto sense_every = std::chrono::milliseconds(200);
/// Of a machine with 24 GiB or less: enough for the largest transfers beside what is held.
constexpr std::uint64_t squeezed_limit = std::uint64_t{4} << 30;
constexpr double squeezed_share = 0.8;

struct scratch {
  fs::path path;
  scratch() {
    std::string name = (fs::temp_directory_path() / "homeostat-transfer-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder can be made in " + name);
    path = name;
  }
  ~scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
};

instant wall_clock() { return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()); }

int free_port() {
  const descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port on loopback");
  return ntohs(address.sin_port);
}

/// One transfer by both methods.
struct paired {
  transfer_characteristics data;
  std::array<double, transfer_method_count> latency_us{}; ///< of the first run
  std::array<double, transfer_method_count> median_us{};  ///< of all runs
  std::array<double, transfer_method_count> mean_us{};    ///< of all runs
  double held_out_us{0}; ///< mean over the runs, each by the method that was faster in the others; 0: one run only
  std::array<double, transfer_method_count> cpu_us{};
  std::array<double, transfer_method_count> memory{};
  std::array<bool, transfer_method_count> failed{};
  transfer_method chosen{transfer_method::grpc};
  bool explored{false};

  [[nodiscard]] double of(transfer_method m) const { return median_us[static_cast<std::size_t>(m)]; }
};

class bench_run {
public:
  bench_run(const bench_options& options, const std::function<void(double, const std::string&)>& progress,
            const std::function<bool()>& interrupted)
      : options_(options), progress_(progress), interrupted_(interrupted), pool_("bench", options.policy, options.seed),
        source_(options.largest) {
    for (std::size_t i = 0; i < source_.size(); ++i) source_[i] = static_cast<std::byte>(i * 131 >> 3);
  }

  std::expected<v1::TransferBenchReport, std::string> all() {
    const std::string socket = (folder_.path / "shm").string();
    const std::string grpc =
        options_.tcp ? "127.0.0.1:" + std::to_string(free_port()) : "unix:" + (folder_.path / "grpc").string();
    if (!options_.records.empty() && !std::ofstream(options_.records)) // now, not after the first phase
      return std::unexpected(options_.records + ": cannot be written");
    auto peer = peer_process::start(options_.program, socket, grpc);
    if (!peer) return std::unexpected(peer.error());
    peer_ = &*peer;
    grpc_ = std::make_unique<grpc_channel>(grpc_settings{grpc, std::size_t{1} << 20});
    report_.set_seed(options_.seed);
    for (const bench_phase& phase : options_.phases) {
      shm_settings shared{socket, phase.segments, options_.concurrency,
                          2 * options_.concurrency * static_cast<std::size_t>(options_.largest) +
                              (std::size_t{64} << 20)};
      shm_ = std::make_unique<shm_channel>(shared);
      std::optional<cpu_hogs> hogs;
      std::unique_ptr<memory_squeeze> squeeze;
      if (phase.memory_pressure) {
        auto begun = memory_squeeze::begin({peer->pid()}, squeezed_limit, squeezed_share, folder_.path.string());
        if (!begun) return std::unexpected(begun.error());
        squeeze = std::move(*begun);
      }
      if (phase.cpu_pressure) hogs.emplace();
      std::vector<paired> made = run(phase);
      if (!peer_end_.empty())
        return std::unexpected("the receiving process " + peer_end_ + " in phase '" + phase.name + "' after " +
                               std::to_string(made.size()) + " of " + std::to_string(options_.transfers) +
                               " transfers: nothing is reported, for the rest could not be measured");
      summarise(phase, made);
      ++done_phases_;
      if (stopped_.load()) break;
    }
    return report_;
  }

private:
  transfer_characteristics draw(chacha8_rng& rng) const {
    const double low = std::log(static_cast<double>(options_.smallest));
    const double high = std::log(static_cast<double>(options_.largest));
    transfer_characteristics data;
    data.data_size = std::min<std::uint64_t>(
        static_cast<std::uint64_t>(std::exp(low + (high - low) * rng.uniform()) + 0.5), options_.largest);
    data.type = options_.types[static_cast<std::size_t>(rng.uniform() * static_cast<double>(options_.types.size()))];
    return data;
  }

  void transfer(paired& one, transfer_method method) {
    const auto i = static_cast<std::size_t>(method);
    transfer_channel& channel = method == transfer_method::grpc ? static_cast<transfer_channel&>(*grpc_)
                                                                : static_cast<transfer_channel&>(*shm_);
    const auto start = steady::now();
    const auto sent = channel.send(std::span(source_).first(one.data.data_size), one.data, patience);
    one.failed[i] = !sent;
    if (sent) {
      one.latency_us[i] = sent->latency_us;
      one.cpu_us[i] = sent->cpu_time_us;
      one.memory[i] = static_cast<double>(sent->memory_used);
    } else {
      one.latency_us[i] = std::chrono::duration<double, std::micro>(steady::now() - start).count();
    }
  }

  /// @param runs  latencies of the same transfer, as many by each method; left in another order.
  static void judge(paired& one, std::array<std::vector<double>, transfer_method_count>& runs) {
    const std::size_t count = runs[0].size();
    std::array<double, transfer_method_count> sum{};
    for (std::size_t m = 0; m < transfer_method_count; ++m) {
      sum[m] = std::accumulate(runs[m].begin(), runs[m].end(), 0.0);
      one.mean_us[m] = sum[m] / static_cast<double>(count);
    }
    if (count > 1)
      for (std::size_t r = 0; r < count; ++r) {
        const std::size_t better = sum[0] - runs[0][r] <= sum[1] - runs[1][r] ? 0 : 1;
        one.held_out_us += runs[better][r] / static_cast<double>(count);
      }
    for (std::size_t m = 0; m < transfer_method_count; ++m) {
      const auto middle = runs[m].begin() + static_cast<std::ptrdiff_t>(count / 2);
      std::nth_element(runs[m].begin(), middle, runs[m].end());
      one.median_us[m] = *middle;
    }
  }

  paired one_transfer(chacha8_rng& rng) {
    paired one;
    one.data = draw(rng);
    const transfer_pool::under_way mark(pool_);
    const auto asked = steady::now();
    const transfer_decision decision = pool_.decide(one.data);
    const double decision_us = std::chrono::duration<double, std::micro>(steady::now() - asked).count();
    one.chosen = decision.method;
    one.explored = decision.reason == decision_reason::exploration;
    const system_conditions now = pool_.conditions();
    const transfer_method first = rng.sign() > 0 ? transfer_method::grpc : transfer_method::zero_copy;
    std::array<std::vector<double>, transfer_method_count> runs;
    paired again = one;
    for (std::uint64_t r = 0; r < std::max<std::uint64_t>(options_.repeats, 1); ++r) {
      paired& into = r == 0 ? one : again;
      for (const transfer_method method : {first, other(first)}) {
        transfer(into, method);
        runs[static_cast<std::size_t>(method)].push_back(into.latency_us[static_cast<std::size_t>(method)]);
      }
    }
    judge(one, runs);

    const auto i = static_cast<std::size_t>(one.chosen);
    transfer_metrics metrics;
    metrics.transfer_id = ++transfers_;
    metrics.timestamp = wall_clock();
    metrics.method = one.chosen;
    metrics.data = one.data;
    metrics.conditions = now;
    metrics.latency_us = one.latency_us[i];
    metrics.cpu_time_us = one.cpu_us[i];
    metrics.memory_used = static_cast<std::uint64_t>(one.memory[i]);
    metrics.decision_time_us = decision_us;
    metrics.predicted_latency_us = decision.predicted_us();
    metrics.explored = one.explored;
    metrics.failed = one.failed[i];
    metrics.generation = decision.generation;
    metrics.why = basis_of(decision);
    pool_.record(metrics);
    return one;
  }

  /// Transfers fail one by one for reasons of their own; without a peer there is nothing left to measure.
  bool peer_has_ended(const paired& one) {
    if (!one.failed[0] && !one.failed[1]) return false;
    const std::lock_guard hold(peer_mutex_);
    peer_end_ = peer_->end();
    if (peer_end_.empty()) return false;
    stopped_.store(true);
    return true;
  }

  std::vector<paired> run(const bench_phase& phase) {
    std::vector<std::vector<paired>> by_thread(options_.concurrency);
    std::atomic<std::uint64_t> taken{0};
    std::atomic<bool> ended{false};
    std::thread owner([&] {
      machine_sense sense;
      auto sensed = steady::time_point{};
      while (!ended.load()) {
        if (steady::now() - sensed >= sense_every) {
          pool_.sense(sense.read(wall_clock()));
          sensed = steady::now();
        }
        pool_.learn(wall_clock());
        std::this_thread::sleep_for(learn_every);
      }
      pool_.learn(wall_clock());
    });
    std::vector<std::thread> workers;
    for (std::size_t w = 0; w < options_.concurrency; ++w)
      workers.emplace_back([&, w] {
        chacha8_rng rng(options_.seed, 1000 * (done_phases_ + 1) + w);
        while (!stopped_.load()) {
          if (w == 0 && interrupted_()) stopped_.store(true);
          const std::uint64_t number = taken.fetch_add(1);
          if (number >= options_.transfers) return;
          paired one = one_transfer(rng);
          if (peer_has_ended(one)) return;
          by_thread[w].push_back(std::move(one));
          if (w == 0 && progress_)
            progress_((static_cast<double>(done_phases_) +
                       static_cast<double>(number) / static_cast<double>(options_.transfers)) /
                          static_cast<double>(options_.phases.size()),
                      phase.name);
        }
      });
    for (std::thread& worker : workers) worker.join();
    ended.store(true);
    owner.join();
    // In the order in which they were made, as far as that means something: each thread's n-th beside the others'.
    std::vector<paired> all;
    for (std::size_t n = 0; all.size() < options_.transfers; ++n) {
      bool any = false;
      for (const auto& mine : by_thread)
        if (n < mine.size()) {
          all.push_back(mine[n]);
          any = true;
        }
      if (!any) break;
    }
    return all;
  }

  void rows(const bench_phase& phase, const std::vector<paired>& made) {
    struct bin {
      std::vector<double> latencies;
      double cpu{0}, memory{0}, bytes{0}, time{0};
      std::uint64_t failed{0};
    };
    std::map<std::pair<int, std::uint64_t>, bin> bins; // method, size from
    for (const paired& one : made)
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
      v1::TransferBenchReport::Row* row = report_.add_rows();
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
  totals over(const std::vector<paired>& made, std::size_t from) const {
    totals t;
    std::map<std::pair<std::size_t, data_type>, std::array<double, transfer_method_count>> classes;
    for (std::size_t i = from; i < made.size(); ++i) {
      const paired& one = made[i];
      for (std::size_t m = 0; m < transfer_method_count; ++m)
        classes[{cost_class_of(one.data.data_size), one.data.type}][m] += one.median_us[m];
      t.pool += one.of(one.chosen);
      t.pool_mean += one.mean_us[static_cast<std::size_t>(one.chosen)];
      t.held_out += one.held_out_us;
      t.oracle += std::min(one.of(transfer_method::grpc), one.of(transfer_method::zero_copy));
      t.grpc += one.of(transfer_method::grpc);
      t.zero_copy += one.of(transfer_method::zero_copy);
      t.threshold += one.of(one.data.data_size >= options_.policy.zero_copy_threshold ? transfer_method::zero_copy
                                                                                      : transfer_method::grpc);
    }
    for (const auto& [key, sums] : classes) t.classes += std::min(sums[0], sums[1]);
    return t;
  }

  void write_records(const bench_phase& phase, const std::vector<paired>& made) {
    if (options_.records.empty()) return;
    std::ofstream out(options_.records, done_phases_ == 0 ? std::ios::trunc : std::ios::app);
    if (done_phases_ == 0)
      out << "phase,type,size,chosen,explored,grpc_us,zero_copy_us,grpc_median_us,zero_copy_median_us,grpc_cpu_us,"
             "zero_copy_cpu_us\n";
    for (const paired& one : made)
      out << phase.name << ',' << name_of(one.data.type) << ',' << one.data.data_size << ',' << name_of(one.chosen)
          << ',' << one.explored << ',' << one.latency_us[0] << ',' << one.latency_us[1] << ',' << one.median_us[0]
          << ',' << one.median_us[1] << ',' << one.cpu_us[0] << ',' << one.cpu_us[1] << '\n';
    if (!out.flush()) throw std::runtime_error(options_.records + ": cannot be written");
  }

  void summarise(const bench_phase& phase, const std::vector<paired>& made) {
    rows(phase, made);
    write_records(phase, made);
    v1::TransferBenchReport::Phase* row = report_.add_phases();
    row->set_name(phase.name);
    row->set_transfers(made.size());
    if (made.empty()) return;
    const transfer_learner state = pool_.state();
    row->set_pressure(std::string(name_of(state.under())));
    row->set_threshold(state.thresholds().threshold(options_.types.front()));
    // The boundary that loses least: what a threshold set with hindsight would be.
    std::vector<paired> by_size = made;
    std::sort(by_size.begin(), by_size.end(),
              [](const paired& a, const paired& b) { return a.data.data_size < b.data.data_size; });
    double wrong = 0;
    for (const paired& one : by_size)
      wrong += std::max(0.0, one.of(transfer_method::zero_copy) - one.of(transfer_method::grpc));
    double least = wrong;
    for (std::size_t i = 0; i < by_size.size(); ++i) {
      wrong += by_size[i].of(transfer_method::grpc) - by_size[i].of(transfer_method::zero_copy);
      if (wrong < least) {
        least = wrong;
        row->set_crossover(i + 1 < by_size.size() ? by_size[i + 1].data.data_size : 0);
        row->set_never_crosses(i + 1 == by_size.size());
      }
    }
    const std::size_t from = made.size() - std::min<std::size_t>(made.size(), options_.measured);
    const totals end = over(made, from);
    const totals whole = over(made, 0);
    row->set_measured(made.size() - from);
    row->set_to_oracle(end.pool / end.oracle);
    row->set_to_class_oracle(end.pool / end.classes);
    if (options_.repeats > 1) row->set_to_held_out_oracle(end.pool_mean / end.held_out);
    row->set_to_best_fixed(end.pool / std::min(end.grpc, end.zero_copy));
    row->set_to_threshold(end.pool / end.threshold);
    row->set_to_grpc(end.pool / end.grpc);
    row->set_to_zero_copy(end.pool / end.zero_copy);
    row->set_whole_to_oracle(whole.pool / whole.oracle);
    row->set_whole_to_best_fixed(whole.pool / std::min(whole.grpc, whole.zero_copy));
    const auto explored = std::count_if(made.begin(), made.end(), [](const paired& one) { return one.explored; });
    row->set_explored(static_cast<double>(explored) / static_cast<double>(made.size()));
  }

  const bench_options& options_;
  const std::function<void(double, const std::string&)>& progress_;
  const std::function<bool()>& interrupted_;
  std::atomic<bool> stopped_{false};
  scratch folder_;
  transfer_pool pool_;
  std::vector<std::byte> source_;
  peer_process* peer_{nullptr};
  std::mutex peer_mutex_; ///< guards peer_ and what follows
  std::string peer_end_;  ///< empty while it lives
  std::unique_ptr<grpc_channel> grpc_;
  std::unique_ptr<shm_channel> shm_;
  std::atomic<std::uint64_t> transfers_{0};
  std::uint64_t done_phases_{0};
  v1::TransferBenchReport report_;
};

} // namespace

std::expected<bench_phase, std::string> bench_phase_from(const std::string& name) {
  bench_phase phase;
  phase.name = name;
  std::size_t from = 0;
  while (from <= name.size()) {
    const std::size_t to = std::min(name.find('+', from), name.size());
    const std::string part = name.substr(from, to - from);
    if (part == "fresh")
      phase.segments = segment_use::fresh;
    else if (part == "cpu")
      phase.cpu_pressure = true;
    else if (part == "memory")
      phase.memory_pressure = true;
    else if (part != "reused")
      return std::unexpected("phase '" + name + "': '" + part +
                             "' is unknown, expected reused, fresh, cpu, memory, joined by +");
    from = to + 1;
  }
  return phase;
}

std::expected<v1::TransferBenchReport, std::string>
run_transfer_bench(const bench_options& options, const std::function<void(double, const std::string&)>& progress,
                   const std::function<bool()>& interrupted) {
  try {
    return bench_run(options, progress, interrupted).all();
  } catch (const std::exception& e) { return std::unexpected(std::string(e.what())); }
}

} // namespace homeostat
