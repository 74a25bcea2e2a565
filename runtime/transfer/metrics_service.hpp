#pragma once

#include "policies/transfer/advice_life.hpp"
#include "policies/transfer/baseline_watch.hpp"
#include "policies/transfer/method_counts.hpp"
#include "policies/transfer/metrics_store.hpp"
#include "policies/transfer/regression_report.hpp"
#include "runtime/transfer/metrics_writer.hpp"
#include "runtime/transfer/pool_notes.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <array>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace homeostat {

/// What the records of a pool say.
struct pool_findings {
  std::vector<transfer_recommendation> advice; ///< worth recommending now, the best first
  regression_report regressions;
};

/// The performance analyzer of all pools: keeps what transfers cost, in memory and in a file beside the store, forms
/// baselines, reports regressions, recommends. Whatever the disk does, decisions go on; what could not be written is
/// counted. Any thread.
class metrics_service {
public:
  /// @param file  the metrics' database.
  metrics_service(const std::filesystem::path& file, pool_notes tell);
  metrics_service(const metrics_service&) = delete;
  metrics_service& operator=(const metrics_service&) = delete;

  /// Adds a pool with what the file holds of it; its baselines are formed again from there.
  void add(const transfer_pool& pool, instant now);
  void observe(const std::string& pool, const transfer_metrics& done, instant now);
  /// Hands samples to the writer and shows baselines the windows that are complete. Call about once a second.
  void review(instant now);
  /// Nobody calls review() any more: nothing is kept for the file, and what it holds is all there is.
  void abandon(const std::string& why);

  /// @errors one sentence, also for a pool that is not there.
  [[nodiscard]] std::expected<metrics_answer, std::string> query(const std::string& pool, const metrics_query& q) const;
  [[nodiscard]] regression_report regressions(const std::string& pool, instant now) const;
  /// Reads a day of records: outcomes wait for the copying only. Not for an actor.
  [[nodiscard]] pool_findings findings(const std::string& pool, instant now) const;
  /// @returns what a change brought, by the records of the time on either side of it.
  [[nodiscard]] recommendation_outcome outcome(const std::string& pool, const measuring_span& span,
                                               const std::optional<expected_share>& predicted) const;
  /// A person says that how things are now is normal.
  [[nodiscard]] std::expected<std::size_t, std::string> accept(const std::string& pool, const std::string& who,
                                                               instant now);
  /// @returns the single transfers held, oldest first.
  [[nodiscard]] std::vector<transfer_metrics> samples(const std::string& pool) const;
  [[nodiscard]] std::array<method_counts, transfer_method_count> by_method(const std::string& pool) const;
  [[nodiscard]] metrics_counts counts(const std::string& pool) const;
  /// @returns what became of samples on their way to the file; also when there is no file.
  [[nodiscard]] metrics_writer_stats written() const;

private:
  struct one;
  [[nodiscard]] one* find(const std::string& pool) const;
  [[nodiscard]] std::map<series_key, std::vector<metrics_window>> windows(const one& of, instant from,
                                                                          instant to) const;
  void tell_trouble(const metrics_writer_stats& stats);

  pool_notes tell_;
  mutable std::mutex mutex_; ///< guards the pools
  std::vector<std::shared_ptr<one>> pools_;
  metrics_file* file_{nullptr}; ///< the writer's, for loading at start only
  std::unique_ptr<metrics_writer> writer_;
  std::string no_file_;       ///< why nothing is written; empty: it is
  std::uint64_t unqueued_{0}; ///< samples that never reached the writer
  bool troubled_{false};      ///< the last write failed, and that was told
  instant flushed_{};
  instant judged_{};
};

} // namespace homeostat
