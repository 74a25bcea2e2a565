// Prints what the store costs on this machine, as ratios that hold elsewhere too:
//
//     store_budget [FOLDER]      a folder on the file system to be measured; default: the temporary folder
//
// Not a test: it judges by the clock, and so only a person or `./dev bench` should look at it.
#include "runtime/store/group_committer.hpp"
#include "runtime/store/sqlite_store.hpp"
#include "tests/runtime/store/scripted_store.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <semaphore>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace homeostat;
using steady = std::chrono::steady_clock;

constexpr std::size_t payload_bytes = 200;
constexpr std::size_t state_bytes = 1500;
constexpr std::size_t submitters = 64;

double microseconds_since(steady::time_point start) {
  return std::chrono::duration<double, std::micro>(steady::now() - start).count();
}

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "store_budget: %s\n", what.c_str());
  std::exit(1);
}

template <class value> value must(std::expected<value, store_error> result) {
  if (!result) give_up(result.error().what);
  return std::move(*result);
}

store_batch one_record(std::size_t loop) {
  store_batch b;
  b.records.push_back({instant{duration{1'700'000'000'000'000}}, "loop-" + std::to_string(loop), "applied", 7,
                       std::string(payload_bytes, 'p')});
  return b;
}

/// What one governed change writes: its record, and the governor's state.
store_batch one_change(std::size_t loop) {
  store_batch b = one_record(loop);
  b.state.push_back({"governor/loop-" + std::to_string(loop), std::string(state_bytes, 's')});
  return b;
}

double raw_sync_cost(const std::filesystem::path& folder) {
  const std::string path = folder / "raw";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) give_up("cannot open " + path);
  const std::string page(4096, 'x');
  constexpr int pages = 400;
  for (int i = 0; i < pages; ++i)
    if (::pwrite(fd, page.data(), page.size(), i * 4096) != 4096) give_up("cannot write " + path);
  ::fsync(fd);
  const auto start = steady::now();
  for (int i = 0; i < pages; ++i)
    if (::pwrite(fd, page.data(), page.size(), i * 4096) != 4096 || ::fdatasync(fd) != 0)
      give_up("cannot sync " + path);
  const double cost = microseconds_since(start) / pages;
  ::close(fd);
  std::filesystem::remove(path);
  return cost;
}

double direct_commit_cost(store& s, std::size_t batches, int rounds) {
  std::vector<store_batch> group;
  for (std::size_t i = 0; i < batches; ++i) group.push_back(one_change(i));
  const auto start = steady::now();
  for (int i = 0; i < rounds; ++i) must(s.commit(group));
  return microseconds_since(start) / rounds;
}

struct loop_result {
  double mean_latency;
  double batches_per_group;
};

/// Runs closed-loop submitters: each submits again as soon as it is answered. @param worker  what one thread does with
/// the submitters it was given, as (first, count, rounds, committer) -> summed latency.
template <class function> loop_result closed_loop(store& s, std::size_t threads, int rounds, function worker) {
  group_committer committer{s};
  std::vector<double> sums(threads);
  {
    std::vector<std::jthread> pool;
    const std::size_t share = submitters / threads;
    for (std::size_t t = 0; t < threads; ++t)
      pool.emplace_back([&, t] { sums[t] = worker(t * share, share, rounds, committer); });
  }
  committer.stop(std::chrono::seconds{5});
  const group_stats stats = committer.stats();
  double sum = 0;
  for (const double x : sums) sum += x;
  return {sum / (static_cast<double>(submitters) * rounds),
          static_cast<double>(stats.committed) / static_cast<double>(stats.groups)};
}

/// Many submitters on one thread, as actors share a scheduler thread: the callback hands over, the thread submits
/// again.
double run_as_actors(std::size_t first, std::size_t count, int rounds, group_committer& committer) {
  std::mutex mutex;
  std::condition_variable ready;
  std::vector<std::size_t> answered, batch;
  std::vector<steady::time_point> begun(count);
  std::vector<int> left(count, rounds);
  double sum = 0;
  const auto submit = [&](std::size_t i) {
    begun[i] = steady::now();
    if (!committer.submit(one_change(first + i), [&, i](const commit_outcome& o) {
          if (!o) give_up(o.error().what);
          const std::scoped_lock lock{mutex};
          sum += microseconds_since(begun[i]);
          answered.push_back(i);
          if (answered.size() == 1) ready.notify_one();
        }))
      give_up("refused");
  };
  for (std::size_t i = 0; i < count; ++i) submit(i);
  for (std::size_t done = 0; done < count;) {
    {
      std::unique_lock lock{mutex};
      ready.wait(lock, [&] { return !answered.empty(); });
      batch.swap(answered);
    }
    for (const std::size_t i : batch) {
      if (--left[i] > 0)
        submit(i);
      else
        ++done;
    }
    batch.clear();
  }
  return sum;
}

/// One operating-system thread per submitter.
double run_as_thread(std::size_t first, std::size_t, int rounds, group_committer& committer) {
  std::binary_semaphore answered{0};
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    const auto start = steady::now();
    if (!committer.submit(one_change(first), [&](const commit_outcome& o) {
          if (!o) give_up(o.error().what);
          answered.release();
        }))
      give_up("refused");
    answered.acquire();
    sum += microseconds_since(start);
  }
  return sum;
}

double append_rate(store& s, std::size_t records_per_commit, std::size_t commits) {
  std::vector<store_batch> group;
  for (std::size_t i = 0; i < records_per_commit; ++i) group.push_back(one_record(i % submitters));
  const auto start = steady::now();
  for (std::size_t i = 0; i < commits; ++i) must(s.commit(group));
  return static_cast<double>(records_per_commit * commits) / (microseconds_since(start) * 1e-6);
}

double verify_rate(store& s, unsigned threads) {
  const auto start = steady::now();
  const chain_report report = must(s.verify({.threads = threads}, {}));
  if (!report.intact()) give_up("the chain is damaged");
  return static_cast<double>(report.checked) / (microseconds_since(start) * 1e-6);
}

} // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path{argc > 1 ? argv[1] : fs::temp_directory_path().string()} /
                          ("homeostat-store-budget-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  {
    auto s = must(open_sqlite_store({.path = folder / "store.db"}, instant{duration{1}}));
    direct_commit_cost(*s, submitters, 300); // the log reaches the size at which it is reused
    std::printf("%-64s %10s %10s %10s %10s\n", "64 submitters, a 200-byte record and 1500 bytes of state each",
                "mean us", "/commit64", "/commit1", "per group");
    for (int round = 0; round < 3; ++round) {
      const double sync = raw_sync_cost(folder);
      const double one = direct_commit_cost(*s, 1, 1000);
      const double all = direct_commit_cost(*s, submitters, 1000);
      const loop_result actors = closed_loop(*s, 1, 1000, run_as_actors);
      const loop_result pair = closed_loop(*s, 2, 1000, run_as_actors);
      const loop_result threads = closed_loop(*s, submitters, 1000, run_as_thread);
      scripted_store nothing;
      const loop_result idle = closed_loop(nothing, submitters, 1000, run_as_thread);
      const double again = direct_commit_cost(*s, 1, 1000); // the machine drifts: the base is the mean of both sides
      const double base = (one + again) / 2;
      const auto row = [&](const char* name, double us, double per_group) {
        std::printf("%-64s %10.1f %10.2f %10.2f %10.1f\n", name, us, us / all, us / base, per_group);
      };
      row("fdatasync of 4 KiB, no store", sync, 0);
      row("direct commit of 1 submission", base, 1);
      row("direct commit of all 64 (one fsync shared)", all, 64);
      row("through the committer, submitters on 1 scheduler thread", actors.mean_latency, actors.batches_per_group);
      row("through the committer, submitters on 2 scheduler threads", pair.mean_latency, pair.batches_per_group);
      row("through the committer, 64 operating-system threads", threads.mean_latency, threads.batches_per_group);
      row("the same 64 threads over a store that does nothing", idle.mean_latency, idle.batches_per_group);
    }
    for (const std::size_t n : {64U, 256U, 1024U, 4096U})
      std::printf("append, %4zu records per commit: %10.0f records/s\n", n, append_rate(*s, n, 400'000 / n));
    std::printf("records: %llu, bytes: %llu\n", static_cast<unsigned long long>(must(s->head()).sequence),
                static_cast<unsigned long long>(fs::file_size(folder / "store.db")));
    for (const unsigned threads : {1U, 2U, 2U})
      std::printf("verify, %u thread(s): %10.0f records/s\n", threads, verify_rate(*s, threads));
  }
  fs::remove_all(folder);
  return 0;
}
