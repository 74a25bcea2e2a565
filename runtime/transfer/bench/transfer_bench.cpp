#include "runtime/transfer/bench/transfer_bench.hpp"

#include "policies/median.hpp"
#include "policies/search/chacha8.hpp"
#include "runtime/scratch_folder.hpp"
#include "runtime/transfer/bench/bench_report.hpp"
#include "runtime/transfer/bench/peer_process.hpp"
#include "runtime/transfer/bench/pressure_rig.hpp"
#include "runtime/transfer/grpc_channel.hpp"
#include "runtime/transfer/machine_sense.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace homeostat {

namespace {

using steady = std::chrono::steady_clock;

constexpr duration patience = 60s;
constexpr auto learn_every = std::chrono::milliseconds(20);
constexpr auto sense_every = std::chrono::milliseconds(200);
/// Of a machine with 24 GiB or less: enough for the largest transfers beside what is held.
constexpr std::uint64_t squeezed_limit = std::uint64_t{4} << 30;
constexpr double squeezed_share = 0.8;

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

class bench_run {
public:
  bench_run(const bench_options& options, const std::function<void(double, const std::string&)>& progress,
            const std::function<bool()>& interrupted)
      : options_(options), progress_(progress), interrupted_(interrupted), pool_("bench", options.policy, options.seed),
        source_(options.largest) {
    for (std::size_t i = 0; i < source_.size(); ++i) source_[i] = static_cast<std::byte>(i * 131 >> 3);
  }

  std::expected<v1::TransferBenchReport, std::string> all() {
    const std::string socket = folder_.path() + "/shm";
    const std::string grpc =
        options_.tcp ? "127.0.0.1:" + std::to_string(free_port()) : "unix:" + folder_.path() + "/grpc";
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
        auto begun = memory_squeeze::begin({peer->pid()}, squeezed_limit, squeezed_share, folder_.path());
        if (!begun) return std::unexpected(begun.error());
        squeeze = std::move(*begun);
      }
      if (phase.cpu_pressure) hogs.emplace();
      std::vector<paired_transfer> made = run(phase);
      if (!peer_end_.empty())
        return std::unexpected("the receiving process " + peer_end_ + " in phase '" + phase.name + "' after " +
                               std::to_string(made.size()) + " of " + std::to_string(options_.transfers) +
                               " transfers: nothing is reported, for the rest could not be measured");
      if (auto kept = write_records(options_, phase, made, done_phases_ == 0); !kept)
        return std::unexpected(kept.error());
      add_phase(report_, options_, phase, made, pool_.state());
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

  void transfer(paired_transfer& one, transfer_method method) {
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

  /// A transfer whose runs are not all made yet.
  struct open_transfer {
    paired_transfer one;
    runs_by_method runs;
  };

  /// One run by each method, in an order drawn anew.
  void run_both(paired_transfer& into, runs_by_method& runs, chacha8_rng& rng) {
    const transfer_method first = rng.sign() > 0 ? transfer_method::grpc : transfer_method::zero_copy;
    for (const transfer_method method : {first, other(first)}) {
      transfer(into, method);
      runs[static_cast<std::size_t>(method)].push_back(into.latency_us[static_cast<std::size_t>(method)]);
    }
  }

  open_transfer first_run(chacha8_rng& rng) {
    open_transfer open;
    paired_transfer& one = open.one;
    one.data = draw(rng);
    const transfer_pool::under_way mark(pool_);
    const auto asked = steady::now();
    const transfer_decision decision = pool_.decide(one.data);
    const double decision_us = std::chrono::duration<double, std::micro>(steady::now() - asked).count();
    one.chosen = decision.method;
    one.explored = decision.reason == decision_reason::exploration;
    const system_conditions now = pool_.conditions();
    run_both(one, open.runs, rng);

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
    return open;
  }

  /// Makes the runs that are left of a block's transfers and settles them.
  void end_block(std::vector<open_transfer>& block, std::vector<paired_transfer>& settled, chacha8_rng& rng,
                 bool asks) {
    for (std::uint64_t r = 1; r < options_.repeats; ++r)
      for (open_transfer& open : block) {
        if (stop(asks)) break;
        const transfer_pool::under_way mark(pool_);
        paired_transfer again = open.one;
        run_both(again, open.runs, rng);
        if (peer_has_ended(again)) break;
      }
    for (open_transfer& open : block) {
      settle(open.one, std::move(open.runs));
      settled.push_back(std::move(open.one));
    }
    block.clear();
  }

  /// @param asks  whether anybody interrupted: one thread does.
  bool stop(bool asks) {
    if (asks && interrupted_()) stopped_.store(true);
    return stopped_.load();
  }

  /// Transfers fail one by one for reasons of their own; without a peer there is nothing left to measure.
  bool peer_has_ended(const paired_transfer& one) {
    if (!one.failed[0] && !one.failed[1]) return false;
    const std::lock_guard hold(peer_mutex_);
    peer_end_ = peer_->end();
    if (peer_end_.empty()) return false;
    stopped_.store(true);
    return true;
  }

  std::vector<paired_transfer> run(const bench_phase& phase) {
    std::vector<std::vector<paired_transfer>> by_thread(options_.concurrency);
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
        std::vector<open_transfer> block;
        while (!stop(w == 0)) {
          const std::uint64_t number = taken.fetch_add(1);
          if (number >= options_.transfers) break;
          block.push_back(first_run(rng));
          if (peer_has_ended(block.back().one)) {
            block.pop_back(); // those before it were made
            break;
          }
          if (block.size() == options_.apart) end_block(block, by_thread[w], rng, w == 0);
          if (w == 0 && progress_)
            progress_((static_cast<double>(done_phases_) +
                       static_cast<double>(number) / static_cast<double>(options_.transfers)) /
                          static_cast<double>(options_.phases.size()),
                      phase.name);
        }
        end_block(block, by_thread[w], rng, w == 0);
      });
    for (std::thread& worker : workers) worker.join();
    ended.store(true);
    owner.join();
    // In the order in which they were made, as far as that means something: each thread's n-th beside the others'.
    std::vector<paired_transfer> all;
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

  const bench_options& options_;
  const std::function<void(double, const std::string&)>& progress_;
  const std::function<bool()>& interrupted_;
  std::atomic<bool> stopped_{false};
  scratch_folder folder_{"homeostat-transfer"};
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
