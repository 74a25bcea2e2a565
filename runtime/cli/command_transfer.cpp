#include "messages/json.hpp"
#include "messages/transfer.pb.h"
#include "policies/enum_names.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/interrupt.hpp"
#include "runtime/cli/words.hpp"
#include "runtime/transfer/bench/peer_process.hpp"
#include "runtime/transfer/bench/transfer_bench.hpp"

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <memory>

#include <csignal>
#include <sys/prctl.h>
#include <unistd.h>

namespace homeostat {

namespace {

void print_report(const v1::TransferBenchReport& report) {
  fmt::print("{:<14} {:<10} {:>20} {:>6} {:>9} {:>9} {:>9} {:>9} {:>11} {:>9} {:>10}\n", "phase", "method", "size", "n",
             "p50", "p95", "p99", "p99.9", "Mbit/s", "cpu", "memory");
  for (const auto& row : report.rows())
    fmt::print("{:<14} {:<10} {:>20} {:>6} {:>9} {:>9} {:>9} {:>9} {:>11.4g} {:>9} {:>10}{}\n", row.phase(),
               row.method(), size_text(row.size_from()) + " .. " + size_text(row.size_to()), row.transfers(),
               time_words(row.p50_us()), time_words(row.p95_us()), time_words(row.p99_us()), time_words(row.p999_us()),
               row.throughput_mbps(), time_words(row.cpu_us()), size_text(static_cast<std::uint64_t>(row.memory())),
               row.failed() > 0 ? fmt::format("  {} failed", row.failed()) : "");
  fmt::print("\nTotal time of the pool's choices over that of others, last {} transfers of each phase (whole phase in "
             "brackets):\n{:<14} {:>10} {:>18} {:>9} {:>9} {:>18} {:>12} {:>9} {:>12} {:>12} {:>9}\n",
             report.phases_size() > 0 ? report.phases(0).measured() : 0, "phase", "pressure", "to oracle", "held out",
             "by class", "to best fixed", "to threshold", "to grpc", "crossover", "threshold", "explored");
  for (const auto& p : report.phases())
    fmt::print(
        "{:<14} {:>10} {:>9.3f} ({:.3f}) {:>9} {:>9.3f} {:>9.3f} ({:.3f}) {:>12.3f} {:>9.3f} {:>12} {:>12} {:>8.1f}%\n",
        p.name(), p.pressure(), p.to_oracle(), p.whole_to_oracle(),
        p.to_held_out_oracle() > 0 ? fmt::format("{:.3f}", p.to_held_out_oracle()) : "-", p.to_class_oracle(),
        p.to_best_fixed(), p.whole_to_best_fixed(), p.to_threshold(), p.to_grpc(),
        p.never_crosses()    ? "never"
        : p.crossover() == 0 ? "always"
                             : size_text(p.crossover()),
        size_text(p.threshold()), 100 * p.explored());
}

struct bench_flags {
  bench_options options;
  std::vector<std::string> phases{"reused", "fresh", "fresh+cpu", "reused+cpu", "reused+memory", "fresh+memory"};
  std::string goal{"minimize_latency"};
  std::vector<std::string> types{"binary"};
  std::uint64_t minimum{0};
};

int run_bench(bench_flags& flags, bool json) {
  bench_options& options = flags.options;
  for (const std::string& name : flags.phases) {
    auto phase = bench_phase_from(name);
    if (!phase) return failed(phase.error());
    options.phases.push_back(std::move(*phase));
  }
  const auto goal = transfer_goal_from(flags.goal);
  if (!goal)
    return failed("--goal is '" + flags.goal +
                  "', expected balanced, minimize_latency, maximize_throughput or minimize_memory");
  options.policy.goal = *goal;
  options.policy.minimum_threshold = flags.minimum;
  if (auto ok = check(options.policy); !ok) return failed(ok.error());
  options.types.clear();
  for (const std::string& name : flags.types) {
    const auto type = named<data_type, data_type_count>(name);
    if (!type) return failed("a type in --types " + type.error());
    options.types.push_back(*type);
  }
  constexpr std::uint64_t most = std::uint64_t{4} << 30; // what the receiving process accepts
  if (options.largest > most)
    return failed(fmt::format("--largest is {} bytes, expected at most {}", options.largest, most));
  if (options.smallest == 0 || options.smallest > options.largest)
    return failed(
        fmt::format("--smallest is {} bytes, expected 1 to --largest, {}", options.smallest, options.largest));
  options.program = std::filesystem::read_symlink("/proc/self/exe").string();
  catch_interrupts();
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  int last = -1;
  const auto report = run_transfer_bench(
      options,
      [&](double share, const std::string& phase) {
        const int percent = static_cast<int>(share * 100);
        if (percent == last || (!terminal && percent % 10 != 0)) return;
        last = percent;
        fmt::print(stderr, fmt::runtime(terminal ? "\r{:>3} %  {:<16}" : "{:>3} %  {}\n"), percent, phase);
      },
      [] { return wait_for_interrupt(std::chrono::steady_clock::now()); });
  if (terminal) fmt::print(stderr, "\r{:30}\r", "");
  if (!report) return failed(report.error());
  if (json)
    fmt::print("{}\n", to_json(*report));
  else
    print_report(*report);
  return exit_code::ok;
}

} // namespace

void add_transfer(CLI::App& app, common_options& common, int& result) {
  CLI::App* bench = app.add_subcommand(
      "transfer-bench",
      "send buffers by shared memory and by gRPC to a peer process, and see what a pool would choose");
  auto flags = std::make_shared<bench_flags>();
  bench
      ->add_option("--phase", flags->phases,
                   "parts of reused, fresh, cpu, memory, joined by +; may be given several times")
      ->capture_default_str();
  bench->add_option("--smallest", flags->options.smallest, "bytes")->transform(CLI::AsSizeValue(false));
  bench->add_option("--largest", flags->options.largest, "bytes")->transform(CLI::AsSizeValue(false));
  bench->add_option("--transfers", flags->options.transfers, "of each phase")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  bench->add_option("--measured", flags->options.measured, "at the end of each phase, for the ratios")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  bench->add_option("--repeats", flags->options.repeats, "runs of each transfer by each method; ratios compare medians")
      ->check(CLI::Range(1, 99))
      ->capture_default_str();
  bench
      ->add_option("--apart", flags->options.apart,
                   "transfers of a thread between two runs of one; 1: one after the other, within the same second")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  bench->add_option("--concurrency", flags->options.concurrency, "threads that transfer at once")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  bench->add_option("--types", flags->types, "binary, tensor, dataframe, text, other")->capture_default_str();
  bench->add_option("--goal", flags->goal, "balanced, minimize_latency, maximize_throughput, minimize_memory")
      ->capture_default_str();
  bench->add_option("--minimum-threshold", flags->minimum, "bytes; smaller goes by gRPC at once")
      ->transform(CLI::AsSizeValue(false));
  bench
      ->add_option("--threshold", flags->options.policy.zero_copy_threshold,
                   "bytes the pool starts from (default: 10 MiB)")
      ->transform(CLI::AsSizeValue(false));
  bench->add_flag("--tcp", flags->options.tcp, "gRPC over TCP on loopback (default: a Unix socket)");
  bench->add_option("--seed", flags->options.seed, "of sizes, order and exploration")->capture_default_str();
  bench->add_option("--records", flags->options.records, "write every transfer to this file, as CSV");
  add_output(*bench, common);
  bench->callback([flags, &common, &result] { result = run_bench(*flags, common.json); });

  CLI::App* peer = app.add_subcommand("transfer-peer", "receive transfers by shared memory and gRPC, and read them");
  auto socket = std::make_shared<std::string>();
  auto grpc = std::make_shared<std::string>();
  auto with_parent = std::make_shared<bool>(false);
  peer->add_option("--socket", *socket, "path of the Unix socket for shared memory")->required();
  peer->add_option("--grpc", *grpc, "unix:PATH or 127.0.0.1:PORT")->required();
  peer->add_flag("--with-parent", *with_parent, "end when the parent process ends");
  peer->callback([=, &result] {
    if (*with_parent) {
      const pid_t parent = ::getppid();
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() != parent) return;
    }
    result = run_transfer_peer(*socket, *grpc);
  });
}

} // namespace homeostat
