#include "policies/transfer/metrics_store.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

/// A node of the map with an empty sketch; measured with the GNU library.
constexpr std::size_t bucket_overhead = sizeof(series_key) + sizeof(metrics_bucket) + 64;

std::size_t size_of(const metrics_bucket& b) {
  return bucket_overhead + b.latency.bins().size() * sizeof(quantile_sketch::bin);
}

instant minute_of(instant t) { return std::chrono::floor<std::chrono::minutes>(t); }

bool is_valid(const transfer_metrics& m) {
  const auto fine = [](double x) { return std::isfinite(x) && x >= 0; };
  return fine(m.latency_us) && fine(m.cpu_time_us) && fine(m.decision_time_us) && fine(m.predicted_latency_us) &&
         fine(m.conditions.cpu_load) && fine(m.conditions.memory_used) &&
         static_cast<std::size_t>(m.data.type) < data_type_count &&
         static_cast<std::size_t>(m.method) < transfer_method_count;
}

bool matches(const metrics_query& q, const series_key& key) {
  return key.size >= q.least_size && key.size <= q.last_size && (!q.method || *q.method == key.method) &&
         (!q.type || *q.type == key.type);
}

metrics_answer answer_of(const std::map<instant, metrics_bucket>& steps, const metrics_query& q) {
  metrics_answer answer;
  metrics_bucket total;
  for (const auto& [at, bucket] : steps) {
    answer.points.push_back({.at = at, .of = summarise(bucket, q.step)});
    total.merge(bucket);
  }
  answer.total = summarise(total, q.to - q.from);
  return answer;
}

} // namespace

std::expected<void, std::string> check(const metrics_limits& l) {
  const auto wrong = [](const char* name, double value, const char* expected) {
    return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + expected);
  };
  if (l.raw_samples < 1) return wrong("raw_samples", 0, "1 or more");
  if (l.bucket_bytes < 65'536) return wrong("bucket_bytes", static_cast<double>(l.bucket_bytes), "65536 or more");
  if (l.retention < 1h || l.retention > 24h * 366)
    return wrong("retention", seconds_of(l.retention), "1 h to 366 days, in seconds");
  if (l.late_after < 0us) return wrong("late_after", seconds_of(l.late_after), "0 s or more");
  if (l.future_beyond < 0us) return wrong("future_beyond", seconds_of(l.future_beyond), "0 s or more");
  if (l.max_points < 1) return wrong("max_points", 0, "1 or more");
  return {};
}

metrics_store::metrics_store(metrics_limits limits) : limits_(limits) {}

record_outcome metrics_store::record(const transfer_metrics& given, instant now) {
  expire(now);
  if (!is_valid(given)) return ++counts_.invalid, record_outcome::invalid;
  transfer_metrics sample = given;
  if (sample.timestamp > now) {
    counts_.future += sample.timestamp > now + limits_.future_beyond ? 1 : 0;
    sample.timestamp = now;
  }
  if (minute_of(sample.timestamp) + 1min <= now - limits_.retention)
    return ++counts_.too_late, record_outcome::too_late;
  if (sample.timestamp < now - limits_.late_after) ++counts_.late;
  ++counts_.recorded;
  keep_single(sample);

  const instant minute = minute_of(sample.timestamp);
  const series_key key = key_of(sample);
  auto slot = minutes_.find(minute);
  const bool known = slot != minutes_.end() && slot->second.contains(key);
  // One sample adds one bin at most.
  if (!make_room((known ? 0 : bucket_overhead) + sizeof(quantile_sketch::bin), minute)) {
    ++counts_.unbucketed;
    unbucketed_ = std::max(unbucketed_.value_or(minute), minute);
    return record_outcome::recorded;
  }
  slot = minutes_.try_emplace(minute).first;
  const auto [bucket, made] = slot->second.try_emplace(key);
  bucket_count_ += made ? 1 : 0;
  const std::size_t before = made ? 0 : size_of(bucket->second);
  bucket->second.add(sample);
  bytes_ += size_of(bucket->second) - before;
  changed_.emplace(minute, key);
  return record_outcome::recorded;
}

void metrics_store::keep_single(const transfer_metrics& sample) {
  if (ring_.size() < limits_.raw_samples) {
    ring_.push_back(sample);
    return;
  }
  ++counts_.raw_overwritten;
  overwritten_ = std::max(overwritten_.value_or(ring_[next_].timestamp), ring_[next_].timestamp);
  ring_[next_] = sample;
  next_ = (next_ + 1) % ring_.size();
}

bool metrics_store::make_room(std::size_t wanted, instant for_minute) {
  while (bytes_ + wanted > limits_.bucket_bytes) {
    if (minutes_.empty() || minutes_.begin()->first >= for_minute) return false;
    drop_oldest(counts_.evicted);
  }
  return true;
}

void metrics_store::drop_oldest(std::uint64_t& count) {
  const auto oldest = minutes_.begin();
  for (const auto& [key, bucket] : oldest->second) {
    count += bucket.count();
    bytes_ -= size_of(bucket);
    --bucket_count_;
    changed_.erase({oldest->first, key});
  }
  dropped_before_ = std::max(dropped_before_.value_or(oldest->first + 1min), oldest->first + 1min);
  minutes_.erase(oldest);
}

void metrics_store::expire(instant now) {
  if (now_ && now < *now_) ++counts_.clock_went_back;
  now_ = now;
  while (!minutes_.empty() && minutes_.begin()->first + 1min <= now - limits_.retention) drop_oldest(counts_.expired);
}

std::expected<metrics_answer, std::string> metrics_store::query(const metrics_query& q) const {
  if (q.from >= q.to) return std::unexpected("the range ends before it begins, expected from before to");
  const bool fine = q.step >= 1s && q.step < 1min && 1min % q.step == 0us;
  const bool coarse = q.step >= 1min && q.step <= 1h && q.step % 1min == 0us;
  if (!fine && !coarse)
    return std::unexpected("step is " + number_text(seconds_of(q.step)) +
                           " s, expected a divisor of a minute from 1 s on, or whole minutes up to 1 h");
  if (static_cast<std::uint64_t>((q.to - q.from) / q.step) > limits_.max_points)
    return std::unexpected("the range has " + number_text(static_cast<double>((q.to - q.from) / q.step)) +
                           " steps, expected at most " + number_text(static_cast<double>(limits_.max_points)));
  return fine ? query_samples(q) : query_buckets(q);
}

metrics_answer metrics_store::query_samples(const metrics_query& q) const {
  std::map<instant, metrics_bucket> steps;
  for (const transfer_metrics& m : ring_)
    if (m.timestamp >= q.from && m.timestamp < q.to && matches(q, key_of(m)))
      steps[q.from + (m.timestamp - q.from) / q.step * q.step].add(m);
  metrics_answer answer = answer_of(steps, q);
  answer.complete = !overwritten_ || *overwritten_ < q.from;
  return answer;
}

metrics_answer metrics_store::query_buckets(metrics_query q) const {
  q.from = minute_of(q.from);
  q.to = std::chrono::ceil<std::chrono::minutes>(q.to);
  std::map<instant, metrics_bucket> steps;
  for (auto m = minutes_.lower_bound(q.from); m != minutes_.end() && m->first < q.to; ++m)
    for (const auto& [key, bucket] : m->second)
      if (matches(q, key)) steps[q.from + (m->first - q.from) / q.step * q.step].merge(bucket);
  metrics_answer answer = answer_of(steps, q);
  answer.complete = (!dropped_before_ || *dropped_before_ <= q.from) && (!unbucketed_ || *unbucketed_ < q.from);
  return answer;
}

std::map<series_key, std::map<instant, metrics_bucket>> metrics_store::series(instant from, instant to) const {
  std::map<series_key, std::map<instant, metrics_bucket>> found;
  for (auto m = minutes_.lower_bound(minute_of(from)); m != minutes_.end() && m->first < to; ++m)
    for (const auto& [key, bucket] : m->second) found[key].emplace(m->first, bucket);
  return found;
}

std::map<instant, metrics_bucket> metrics_store::series_of(const series_key& key, instant from, instant to) const {
  std::map<instant, metrics_bucket> found;
  for (auto m = minutes_.lower_bound(from); m != minutes_.end() && m->first < to; ++m)
    if (const auto bucket = m->second.find(key); bucket != m->second.end()) found.emplace(m->first, bucket->second);
  return found;
}

std::vector<metrics_store::bucket_id> metrics_store::take_changed() {
  std::vector<bucket_id> taken(changed_.begin(), changed_.end());
  changed_.clear();
  return taken;
}

void metrics_store::put_back(const std::vector<bucket_id>& changed) {
  for (const bucket_id& id : changed)
    if (find(id) != nullptr) changed_.insert(id);
}

const metrics_bucket* metrics_store::find(const bucket_id& id) const {
  const auto minute = minutes_.find(id.first);
  if (minute == minutes_.end()) return nullptr;
  const auto bucket = minute->second.find(id.second);
  return bucket == minute->second.end() ? nullptr : &bucket->second;
}

void metrics_store::restore(const bucket_id& id, metrics_bucket bucket) {
  metrics_bucket& place = minutes_[minute_of(id.first)].try_emplace(id.second).first->second;
  const bool made = place.count() == 0;
  bucket_count_ += made ? 1 : 0;
  bytes_ -= made ? 0 : size_of(place);
  place = std::move(bucket);
  bytes_ += size_of(place);
  while (bytes_ > limits_.bucket_bytes && minutes_.size() > 1) drop_oldest(counts_.evicted);
}

void metrics_store::restore(const transfer_metrics& sample) { keep_single(sample); }

std::vector<transfer_metrics> metrics_store::samples() const {
  std::vector<transfer_metrics> found(ring_.begin() + static_cast<std::ptrdiff_t>(next_), ring_.end());
  found.insert(found.end(), ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(next_));
  return found;
}

} // namespace homeostat
