#include "runtime/plants/cache/fetch_queue.hpp"

#include <utility>

namespace homeostat::cache {

fetch_queue::admission fetch_queue::add(std::uint32_t key, instant arrival, instant now) {
  if (waiting_ >= limits_.waiting_requests) return admission::shed;
  ++waiting_;
  const auto [position, fresh] = pending_.try_emplace(key, pending{now, {}});
  position->second.arrivals.push_back(arrival);
  if (!fresh) return admission::joined;
  order_.push_back(key);
  return admission::queued;
}

std::optional<instant> fetch_queue::ready_at(std::size_t batch_size) const {
  if (order_.empty()) return std::nullopt;
  if (order_.size() >= batch_size) return instant::min();
  return pending_.at(order_.front()).queued_at + limits_.linger;
}

fetch_queue::batch fetch_queue::take(std::size_t batch_size, instant now) {
  batch out;
  while (out.keys.size() < batch_size && !order_.empty()) {
    const auto key = order_.front();
    order_.pop_front();
    const auto position = pending_.find(key);
    const auto gone = std::erase_if(position->second.arrivals, [&](instant a) { return now - a >= limits_.timeout; });
    out.timed_out += gone;
    waiting_ -= gone;
    if (position->second.arrivals.empty())
      pending_.erase(position);
    else
      out.keys.push_back(key);
  }
  return out;
}

std::vector<instant> fetch_queue::complete(std::uint32_t key) {
  const auto position = pending_.find(key);
  if (position == pending_.end()) return {};
  auto arrivals = std::move(position->second.arrivals);
  pending_.erase(position);
  waiting_ -= arrivals.size();
  return arrivals;
}

} // namespace homeostat::cache
