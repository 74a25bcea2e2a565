// The audit: batched append, verification, and 64 loops that wait for durable records at once.
#include "bench/row.hpp"
#include "messages/codec.hpp"
#include "runtime/node/store_adapter.hpp"
#include "runtime/store/sqlite_store.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <thread>

namespace homeostat::bench {

namespace {

using clock = std::chrono::steady_clock;
constexpr instant start{std::chrono::seconds(1'800'000'000)};

std::unique_ptr<store> open(const std::string& path) {
  auto opened = open_sqlite_store({.path = path}, start);
  if (opened) return std::move(*opened);
  std::fprintf(stderr, "%s\n", opened.error().what.c_str());
  std::exit(1);
}

audit_record typical_record(std::uint64_t generation) {
  audit_record r;
  r.time = start;
  r.kind = audit_kind::intent;
  r.generation = generation;
  r.revision = generation / 3;
  r.change = proposal_kind::update;
  r.source = "spsa";
  r.actor = "homeostat";
  r.evidence = "y+ 12.25, y- 13.75";
  r.before = {120, 4, 16};
  r.after = {131.5, 4, 15};
  return r;
}

double seconds_since(clock::time_point begin) { return std::chrono::duration<double>(clock::now() - begin).count(); }

std::vector<row> append_and_verify(store& target) {
  constexpr int batches = 40, per_batch = 5000;
  const auto begin = clock::now();
  for (int b = 0; b < batches; ++b) {
    store_batch batch;
    for (int i = 0; i < per_batch; ++i)
      batch.records.push_back({.time = start,
                               .loop = "bench",
                               .kind = "intent",
                               .generation = static_cast<std::uint64_t>(i),
                               .payload = encode(typical_record(static_cast<std::uint64_t>(i)), "bench")});
    if (!target.commit(std::span(&batch, 1))) std::exit(1);
  }
  const double append = batches * per_batch / seconds_since(begin);
  const auto verify_begin = clock::now();
  const auto report = target.verify({}, {});
  if (!report || !report->intact()) std::exit(1);
  return {at_least("audit_append_durable", append, "records/s", 100'000),
          at_least("audit_verify", static_cast<double>(report->checked) / seconds_since(verify_begin), "records/s",
                   500'000)};
}

/// Mean latency of one submit when `loops` submit again as soon as they are answered. Loops are actors: one scheduler
/// thread, this one, runs them all; a thread each would measure the waking of threads.
double closed_loop_latency(store_adapter& adapter, int loops, int rounds) {
  std::mutex mutex;
  std::condition_variable answered;
  std::vector<int> ready(static_cast<std::size_t>(loops));
  std::iota(ready.begin(), ready.end(), 0);
  std::vector<int> left(ready.size(), rounds);
  std::vector<clock::time_point> begin(ready.size());
  double sum = 0;
  for (int waiting = loops * rounds; waiting > 0;) {
    std::vector<int> now;
    {
      std::unique_lock lock(mutex);
      answered.wait(lock, [&] { return !ready.empty(); });
      now.swap(ready);
    }
    for (int l : now) {
      const auto at = static_cast<std::size_t>(l);
      if (begin[at] != clock::time_point{}) sum += seconds_since(begin[at]), --waiting;
      if (left[at]-- == 0) continue;
      begin[at] = clock::now();
      audit_batch batch{.loop = "loop" + std::to_string(l),
                        .records = {typical_record(static_cast<std::uint64_t>(left[at]))},
                        .state = std::string(1500, 's'),
                        .durable = true};
      const bool taken = adapter.submit(std::move(batch), [&, l](const audit_answer& answer) {
        if (answer.status != audit_status::durable) std::exit(1);
        bool first = false;
        {
          const std::lock_guard lock(mutex);
          first = ready.empty();
          ready.push_back(l);
        }
        if (first) answered.notify_one();
      });
      if (!taken) std::exit(1);
    }
  }
  return sum / loops / rounds;
}

/// The baseline: one thread commits the same 64 batches as one transaction, which is one fsync shared by all.
double one_shared_commit(store& target, int loops, int rounds) {
  double sum = 0;
  for (int i = 0; i < rounds; ++i) {
    std::vector<store_batch> group;
    for (int l = 0; l < loops; ++l) {
      store_batch& batch = group.emplace_back();
      batch.records.push_back({.time = start,
                               .loop = "loop" + std::to_string(l),
                               .kind = "intent",
                               .generation = static_cast<std::uint64_t>(i),
                               .payload = encode(typical_record(static_cast<std::uint64_t>(i)), "loop")});
      batch.state.push_back({.key = "governor/loop" + std::to_string(l), .value = std::string(1500, 's')});
    }
    const auto begin = clock::now();
    if (!target.commit(group)) std::exit(1);
    sum += seconds_since(begin);
  }
  return sum / rounds;
}

row durable_apply_64(const std::string& path) {
  constexpr int loops = 64, rounds = 60; // one commit in thirty also empties the log
  constexpr int pairs = 33;              // and disks change their pace within a second
  std::shared_ptr<store> target = open(path);
  store_adapter adapter(target);
  (void)one_shared_commit(*target, loops, 10);
  std::vector<double> ratios, latencies, baselines;
  for (int i = 0; i < pairs; ++i) {
    const double baseline = one_shared_commit(*target, loops, rounds);
    const double latency = closed_loop_latency(adapter, loops, rounds);
    ratios.push_back(latency / baseline), latencies.push_back(latency * 1e6), baselines.push_back(baseline * 1e6);
  }
  const double baseline = quantile(baselines, 0.5);
  return at_most_ratio("governed_apply_durable_64", quantile(ratios, 0.5) * baseline, "us", baseline, 1.3);
}

} // namespace

std::vector<row> store_rows(const std::string& folder) {
  auto target = open(folder + "/append.db");
  std::vector<row> rows = append_and_verify(*target);
  rows.push_back(durable_apply_64(folder + "/group.db"));
  return rows;
}

} // namespace homeostat::bench
