#include "runtime/transfer/metrics_service.hpp"

#include <algorithm>

namespace homeostat {

namespace {

constexpr duration flush_every = 1s;
constexpr duration judge_every = 60s;
/// Windows this old tell a report when something began.
constexpr duration report_span = 24h;
/// Samples of a pool between two flushes: as many as the writer lets wait.
constexpr std::size_t most_unwritten = metrics_writer_limits{}.max_pending_rows;
constexpr metrics_window_settings window_rules{};
constexpr baseline_settings baseline_rules{};
constexpr report_settings report_rules{};

std::map<series_key, std::vector<metrics_window>>
windows_by_series(const std::map<series_key, std::map<instant, metrics_bucket>>& all) {
  std::map<series_key, std::vector<metrics_window>> result;
  for (const auto& [key, minutes] : all) result[key] = windows_of(minutes, window_rules);
  return result;
}

} // namespace

struct metrics_service::one {
  const transfer_pool* pool{nullptr};
  metrics_store store;
  std::vector<transfer_metrics> unwritten;
  baseline_watch watch;
  std::vector<generation_start> starts;
  std::array<method_counts, transfer_method_count> by_method{};
};

metrics_service::metrics_service(const std::filesystem::path& file, pool_notes tell) : tell_(std::move(tell)) {
  metrics_file_options options;
  options.path = file;
  options.replace_damaged = true; // metrics may be thrown away; the damaged file is kept beside
  auto opened = metrics_file::open(options);
  if (!opened) {
    no_file_ = opened.error().what;
    tell_.alert("", "transfer metrics are kept in memory only: " + no_file_);
    return;
  }
  if ((*opened)->replaced_damaged())
    tell_.alert("", file.string() + " was damaged; it is kept as .damaged, a new one is begun");
  file_ = opened->get();
  writer_ = std::make_unique<metrics_writer>(std::move(*opened));
}

void metrics_service::add(const transfer_pool& pool, instant now) {
  auto added = std::make_shared<one>();
  added->pool = &pool;
  if (file_ != nullptr) {
    if (const auto loaded = file_->load(pool.name(), added->store, now); !loaded)
      tell_.alert(pool.name(), "no earlier transfer metrics: " + loaded.error().what);
    else if (loaded->unreadable > 0)
      tell_.alert(pool.name(),
                  std::to_string(loaded->unreadable) + " rows of earlier metrics are unreadable and left out");
  }
  added->watch.show_all(added->store, added->starts, now, baseline_rules);
  const std::lock_guard hold(mutex_);
  pools_.push_back(std::move(added));
}

metrics_service::one* metrics_service::find(const std::string& pool) const {
  const auto found = std::ranges::find(pools_, pool, [](const auto& p) { return p->pool->name(); });
  return found == pools_.end() ? nullptr : found->get();
}

void metrics_service::observe(const std::string& pool, const transfer_metrics& done, instant now) {
  const std::lock_guard hold(mutex_);
  one* of = find(pool);
  if (of == nullptr || of->store.record(done, now) != record_outcome::recorded) return;
  of->by_method[static_cast<std::size_t>(done.method)].add(done);
  of->watch.note(key_of(done), now);
  if (no_file_.empty() && of->unwritten.size() < most_unwritten)
    of->unwritten.push_back(done);
  else
    ++unqueued_;
  if (of->starts.empty() || of->starts.back().generation < done.generation) {
    of->starts.push_back({done.generation, done.timestamp});
    if (of->starts.size() > 256) of->starts.erase(of->starts.begin());
  }
}

std::map<series_key, std::vector<metrics_window>> metrics_service::windows(const one& of, instant from,
                                                                           instant to) const {
  return windows_by_series(of.store.series(from, to));
}

void metrics_service::review(instant now) {
  const std::lock_guard hold(mutex_);
  if (writer_) {
    no_file_.clear(); // whoever gave up looks again
    tell_trouble(writer_->stats());
  }
  const bool flush = no_file_.empty() && now - flushed_ >= flush_every;
  const bool judge = now - judged_ >= judge_every;
  if (flush) flushed_ = now;
  if (judge) judged_ = now;
  for (const auto& of : pools_) {
    if (flush && !of->unwritten.empty()) {
      metrics_batch batch = take_batch(of->store, of->pool->name(), std::exchange(of->unwritten, {}), now);
      std::vector<metrics_store::bucket_id> ids;
      for (const auto& [id, bucket] : batch.buckets) ids.push_back(id);
      if (!writer_->submit(std::move(batch))) of->store.put_back(ids); // the samples are counted as refused
    }
    if (judge) {
      of->store.expire(now);
      of->watch.show(of->store, of->starts, now, baseline_rules);
    }
  }
}

void metrics_service::tell_trouble(const metrics_writer_stats& stats) {
  if (stats.last_error.empty() == !troubled_) return;
  troubled_ = !troubled_;
  if (troubled_)
    tell_.alert("", "transfer metrics cannot be written, they wait in memory: " + stats.last_error);
  else
    tell_.note("", "transfer metrics are written again");
}

std::expected<metrics_answer, std::string> metrics_service::query(const std::string& pool,
                                                                  const metrics_query& q) const {
  const std::lock_guard hold(mutex_);
  const one* of = find(pool);
  if (of == nullptr) return std::unexpected("no pool '" + pool + "'");
  return of->store.query(q);
}

regression_report metrics_service::regressions(const std::string& pool, instant now) const {
  const std::lock_guard hold(mutex_);
  const one* of = find(pool);
  if (of == nullptr) return {};
  return report_regressions(of->watch.baselines, windows(*of, now - report_span, now), of->starts, report_rules, now);
}

pool_findings metrics_service::findings(const std::string& pool, instant now) const {
  std::unique_lock hold(mutex_);
  const one* of = find(pool);
  if (of == nullptr) return {};
  const auto series = of->store.series(now - report_span, now);
  const auto baselines = of->watch.baselines;
  const auto starts = of->starts;
  hold.unlock();
  const transfer_policy policy = of->pool->policy();
  const auto recent = windows_by_series(series);
  return {.advice = recommend(settings_view_of(pool, policy), recent, {}, now),
          .regressions = report_regressions(baselines, recent, starts, report_rules, now)};
}

recommendation_outcome metrics_service::outcome(const std::string& pool, const measuring_span& span,
                                                const std::optional<expected_share>& predicted) const {
  std::unique_lock hold(mutex_);
  const one* of = find(pool);
  if (of == nullptr) return {};
  const auto between = [&](instant from, instant to) {
    return from < to ? of->store.series(from, to) : std::map<series_key, std::map<instant, metrics_bucket>>{};
  };
  const auto before = between(span.before_from, span.before_to), after = between(span.after_from, span.after_to);
  hold.unlock();
  return measure_outcome(before, after, predicted, {});
}

std::expected<std::size_t, std::string> metrics_service::accept(const std::string& pool, const std::string& who,
                                                                instant now) {
  const std::lock_guard hold(mutex_);
  one* of = find(pool);
  if (of == nullptr) return std::unexpected("no pool '" + pool + "'");
  std::size_t moved = 0;
  std::string refused;
  for (auto& [key, all] : windows(*of, now - report_rules.recent_within, now)) {
    if (all.size() > baseline_rules.min_windows)
      all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(baseline_rules.min_windows));
    if (auto taken = accept_baseline(of->watch.baselines[key], all, who, now, baseline_rules))
      ++moved;
    else
      refused = text_of(key) + ": " + taken.error();
  }
  if (moved == 0) return std::unexpected(refused.empty() ? std::string("nothing was measured lately") : refused);
  return moved;
}

std::vector<transfer_metrics> metrics_service::samples(const std::string& pool) const {
  const std::lock_guard hold(mutex_);
  const one* of = find(pool);
  return of == nullptr ? std::vector<transfer_metrics>{} : of->store.samples();
}

std::array<method_counts, transfer_method_count> metrics_service::by_method(const std::string& pool) const {
  const std::lock_guard hold(mutex_);
  const one* of = find(pool);
  return of == nullptr ? std::array<method_counts, transfer_method_count>{} : of->by_method;
}

metrics_counts metrics_service::counts(const std::string& pool) const {
  const std::lock_guard hold(mutex_);
  const one* of = find(pool);
  return of == nullptr ? metrics_counts{} : of->store.counts();
}

metrics_writer_stats metrics_service::written() const {
  metrics_writer_stats stats = writer_ ? writer_->stats() : metrics_writer_stats{};
  const std::lock_guard hold(mutex_);
  stats.refused_samples += unqueued_;
  if (!no_file_.empty()) stats.last_error = no_file_;
  return stats;
}

void metrics_service::abandon(const std::string& why) {
  const std::lock_guard hold(mutex_);
  no_file_ = why;
  for (const auto& of : pools_) {
    unqueued_ += of->unwritten.size();
    of->unwritten.clear();
  }
}

} // namespace homeostat
