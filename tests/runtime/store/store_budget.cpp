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

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Cells that are measured in turn, again and again: what the machine does meanwhile meets all of them, and the medians
/// of ratios within a round are what can be compared.
class cell_table {
public:
  void add(const char* name, double us, double per_group) {
    const auto at = std::ranges::find(cells_, std::string_view{name}, &cell::name);
    cell& c = at != cells_.end() ? *at : cells_.emplace_back(cell{name, {}, per_group});
    c.us.push_back(us);
    c.per_group = per_group;
  }

  void print(std::string_view shared, std::string_view single) const {
    std::printf("%-56s %10s %12s %12s %10s\n", "64 submitters: a 200-byte record, 1500 bytes of state", "median us",
                "/ shared", "/ single", "per group");
    for (const cell& c : cells_)
      std::printf("%-56s %10.1f %12.2f %12.2f %10.1f\n", c.name, median(c.us), ratio(c, shared), ratio(c, single),
                  c.per_group);
  }

private:
  struct cell {
    const char* name;
    std::vector<double> us;
    double per_group;
  };

  double ratio(const cell& c, std::string_view name) const {
    const cell& base = *std::ranges::find(cells_, name, &cell::name);
    std::vector<double> ratios;
    for (std::size_t i = 0; i < c.us.size(); ++i) ratios.push_back(c.us[i] / base.us[i]);
    return median(ratios);
  }

  std::vector<cell> cells_;
};

void measure_latency(store& s, const std::filesystem::path& folder) {
  constexpr int rounds = 15, repeats = 120;
  constexpr const char* single = "one submission, direct commit";
  constexpr const char* shared = "all 64, direct commit: one fsync shared";
  direct_commit_cost(s, submitters, 300); // the log reaches the size at which it is reused
  cell_table table;
  for (int round = 0; round < rounds; ++round) {
    table.add("fdatasync of 4 KiB, no store", raw_sync_cost(folder), 0);
    table.add(single, direct_commit_cost(s, 1, repeats), 1);
    table.add(shared, direct_commit_cost(s, submitters, repeats), submitters);
    const auto closed = [&](const char* name, const loop_result& r) {
      table.add(name, r.mean_latency, r.batches_per_group);
    };
    closed("committer, submitters on 1 scheduler thread", closed_loop(s, 1, repeats, run_as_actors));
    closed("committer, submitters on 2 scheduler threads", closed_loop(s, 2, repeats, run_as_actors));
    closed("committer, 64 operating-system threads", closed_loop(s, submitters, repeats, run_as_thread));
    scripted_store nothing;
    closed("the same 64 threads, a store that does nothing", closed_loop(nothing, submitters, repeats, run_as_thread));
  }
  table.print(shared, single);
}

} // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path{argc > 1 ? argv[1] : fs::temp_directory_path().string()} /
                          ("homeostat-store-budget-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  {
    auto s = must(open_sqlite_store({.path = folder / "store.db"}, instant{duration{1}}));
    measure_latency(*s, folder);
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
