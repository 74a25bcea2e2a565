#include "runtime/search/solve.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace homeostat {

namespace {

constexpr std::uint64_t most_failures_in_a_row = 5;

/// One evaluation that has ended.
struct outcome {
  trial asked;
  std::expected<evaluation, std::string> result;
};

/// Threads that run programs: blocking work, one evaluation each at a time. The search itself stays with the caller.
class workers {
public:
  workers(unsigned jobs, const evaluation_settings& settings, const search_space& space, std::uint64_t seed) {
    for (unsigned i = 0; i < jobs; ++i)
      threads_.emplace_back([this, &settings, &space, seed](const std::stop_token& stop) {
        while (auto t = next(stop)) put({*t, evaluate(settings, environment_of(space, *t, seed), stop)});
      });
  }
  ~workers() {
    for (auto& thread : threads_) thread.request_stop();
    wake_.notify_all();
  }
  workers(const workers&) = delete;
  workers& operator=(const workers&) = delete;

  void give(trial t) {
    {
      const std::scoped_lock lock(mutex_);
      waiting_.push_back(std::move(t));
      ++busy_;
    }
    wake_.notify_one();
  }
  /// @returns what has ended since the last call.
  std::deque<outcome> take() {
    const std::scoped_lock lock(mutex_);
    busy_ -= done_.size();
    return std::exchange(done_, {});
  }
  /// @returns evaluations given and not taken back.
  [[nodiscard]] std::size_t busy() {
    const std::scoped_lock lock(mutex_);
    return busy_;
  }

private:
  std::optional<trial> next(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!wake_.wait(lock, stop, [this] { return !waiting_.empty(); }) || stop.stop_requested()) return std::nullopt;
    trial t = std::move(waiting_.front());
    waiting_.pop_front();
    return t;
  }
  void put(outcome o) {
    const std::scoped_lock lock(mutex_);
    done_.push_back(std::move(o));
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<trial> waiting_;
  std::deque<outcome> done_;
  std::size_t busy_{0};
  std::vector<std::jthread> threads_; ///< last: ends first
};

} // namespace

solve_result solve(search_run& run, const solve_settings& settings,
                   const std::function<void(const solve_counts&)>& progress,
                   const std::function<bool(std::chrono::milliseconds)>& interrupted) {
  solve_result r;
  auto last_outcome = std::chrono::steady_clock::now();
  std::vector<trial> first = run.open_trials();
  std::deque<trial> queue(first.begin(), first.end());
  workers pool(settings.jobs, settings.evaluation, run.search().space(), run.search().settings().seed);
  const auto end = [&](solve_end how, std::string problem = {}) {
    r.end = how;
    if (!problem.empty()) r.problem = std::move(problem);
    return r;
  };
  for (;;) {
    while (pool.busy() < settings.jobs) {
      if (queue.empty()) {
        auto asked = run.ask(settings.jobs - pool.busy());
        if (!asked) return end(solve_end::broken, asked.error());
        r.counts.asks += asked->size();
        queue.assign(asked->begin(), asked->end());
      }
      if (queue.empty()) break;
      pool.give(std::move(queue.front()));
      queue.pop_front();
    }
    if (pool.busy() == 0) return end(solve_end::finished);
    // Short evaluations are fetched at once; long ones do not deserve five hundred looks a second.
    const bool lively = std::chrono::steady_clock::now() - last_outcome < std::chrono::seconds(1);
    const bool stop = interrupted(std::chrono::milliseconds(lively ? 2 : 50));
    for (outcome& o : pool.take()) {
      last_outcome = std::chrono::steady_clock::now();
      if (!o.result) {
        ++r.counts.failed, ++r.counts.failed_in_a_row;
        r.problem = "trial " + std::to_string(o.asked.id) + ": " + o.result.error();
        if (!settings.failure_value) continue;
        o.result = evaluation{.value = *settings.failure_value, .cost = 0};
      } else {
        r.counts.failed_in_a_row = 0;
      }
      if (auto told = run.tell(o.asked.id, o.result->value, o.result->cost); !told)
        return end(solve_end::broken, told.error());
      ++r.counts.tells;
      r.counts.evaluation_seconds += o.result->cost;
    }
    progress(r.counts);
    if (stop) return end(solve_end::interrupted);
    if (!settings.failure_value && r.counts.failed_in_a_row >= most_failures_in_a_row) return end(solve_end::failing);
  }
}

} // namespace homeostat
