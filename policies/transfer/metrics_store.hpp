#pragma once

#include "policies/transfer/metrics_bucket.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace homeostat {

/// What a pool's metrics may take, and for how long they are kept.
struct metrics_limits {
  std::size_t raw_samples{65'536};                 ///< newest single transfers, at most; some 190 bytes each
  std::size_t bucket_bytes{std::size_t{64} << 20}; ///< of all minute buckets; a week of ten busy series fits
  duration retention{168h};
  duration late_after{10s};       ///< a sample that ended longer ago is counted as late
  duration future_beyond{1s};     ///< a sample that ends later than now by more is counted, and taken as of now
  std::size_t max_points{10'000}; ///< of one answer
  friend bool operator==(const metrics_limits&, const metrics_limits&) = default;
};

/// @returns nothing, or one sentence naming the setting, its value and the expected form.
[[nodiscard]] std::expected<void, std::string> check(const metrics_limits& limits);

/// What happened to samples. Nothing is lost without being counted.
struct metrics_counts {
  std::uint64_t recorded{0};
  std::uint64_t invalid{0};         ///< refused: a number not finite or negative
  std::uint64_t late{0};            ///< recorded in the minute they belong to
  std::uint64_t too_late{0};        ///< refused: beyond the retention
  std::uint64_t future{0};          ///< recorded as of now
  std::uint64_t clock_went_back{0}; ///< times that now was before the now of the call before
  std::uint64_t raw_overwritten{0}; ///< no longer held singly; still in their minute
  std::uint64_t expired{0};         ///< transfers in minutes past the retention
  std::uint64_t evicted{0};         ///< transfers in minutes dropped early, for want of memory
  std::uint64_t unbucketed{0};      ///< held singly only: the present minute alone would exceed the memory
  friend bool operator==(const metrics_counts&, const metrics_counts&) = default;
};

enum class record_outcome : std::uint8_t { recorded, invalid, too_late };

/// A question about a range of time.
struct metrics_query {
  instant from{}; ///< inclusive; buckets: rounded down to the minute
  instant to{};   ///< exclusive; buckets: rounded up
  duration step{
      1min}; ///< 1 s to 30 s, a divisor of a minute: from single samples; whole minutes up to 1 h: from buckets
  std::optional<transfer_method> method{};
  std::optional<data_type> type{};
  size_class least_size{0};
  size_class last_size{size_class_count - 1}; ///< inclusive
};

struct metrics_point {
  instant at{}; ///< beginning of the step
  metrics_summary of;
  friend bool operator==(const metrics_point&, const metrics_point&) = default;
};

struct metrics_answer {
  std::vector<metrics_point> points; ///< steps with at least one transfer, in order of time
  metrics_summary total;             ///< of the whole range
  bool complete{true};               ///< false: part of the range was overwritten, evicted or is past the retention
};

/// The metrics of one pool: the newest transfers singly, and one bucket per minute and series (size class, type,
/// method). Bounded: when memory is short the oldest minute goes first. Recording one transfer costs a lookup among the
/// series of the present minute.
///
/// Time is what the caller says. It may go back: nothing depends on it but which minutes are past the retention.
class metrics_store {
public:
  using minute_buckets = std::map<series_key, metrics_bucket>;
  using bucket_id = std::pair<instant, series_key>;

  explicit metrics_store(metrics_limits limits = {}); ///< @pre check(limits)

  record_outcome record(const transfer_metrics& sample, instant now);
  /// Drops what is past the retention; recording does the same, a pool at rest needs to be told.
  void expire(instant now);

  /// @errors one sentence: from not before to, a step that is none of the offered ones, more points than allowed.
  [[nodiscard]] std::expected<metrics_answer, std::string> query(const metrics_query& q) const;
  /// @returns every series seen in the range, minute by minute: what baselines and reports are made from.
  [[nodiscard]] std::map<series_key, std::map<instant, metrics_bucket>> series(instant from, instant to) const;
  /// @returns the minutes of one series. @param from, to  whole minutes.
  [[nodiscard]] std::map<instant, metrics_bucket> series_of(const series_key& key, instant from, instant to) const;

  /// @returns the buckets changed since the last call, for the durable copy; each is written whole.
  [[nodiscard]] std::vector<bucket_id> take_changed();
  /// Hands buckets out again at the next call: their copy could not be written.
  void put_back(const std::vector<bucket_id>& changed);
  /// @returns a bucket, while it is held.
  [[nodiscard]] const metrics_bucket* find(const bucket_id& id) const;
  /// Puts back what the durable copy held, at start; replaces the bucket if it is there. Not counted as recorded.
  void restore(const bucket_id& id, metrics_bucket bucket);
  /// Puts back a single sample, at start, oldest first; its bucket is restored separately.
  void restore(const transfer_metrics& sample);

  /// @returns the single samples held, oldest arrival first.
  [[nodiscard]] std::vector<transfer_metrics> samples() const;
  [[nodiscard]] const metrics_counts& counts() const { return counts_; }
  [[nodiscard]] const metrics_limits& limits() const { return limits_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; } ///< of the buckets, estimated
  [[nodiscard]] std::size_t buckets() const { return bucket_count_; }

private:
  void keep_single(const transfer_metrics& sample);
  [[nodiscard]] bool make_room(std::size_t wanted, instant for_minute);
  void drop_oldest(std::uint64_t& count);
  [[nodiscard]] metrics_answer query_samples(const metrics_query& q) const;
  [[nodiscard]] metrics_answer query_buckets(metrics_query q) const;

  metrics_limits limits_;
  std::vector<transfer_metrics> ring_;
  std::size_t next_{0}; ///< place of the next one, once the ring is full
  std::map<instant, minute_buckets> minutes_;
  std::set<bucket_id> changed_;
  std::size_t bytes_{0};
  std::size_t bucket_count_{0};
  std::optional<instant> dropped_before_; ///< minutes up to here were evicted or expired
  std::optional<instant> overwritten_;    ///< latest end among overwritten samples
  std::optional<instant> unbucketed_;     ///< latest minute that lacks a transfer
  std::optional<instant> now_;
  metrics_counts counts_;
};

} // namespace homeostat
