#include "runtime/plants/cache/traffic_source.hpp"

#include <optional>
#include <utility>

namespace homeostat::cache {

traffic_source::traffic_source(const traffic_settings& settings, std::vector<request_sink*> sinks,
                               const plant_clock& clock)
    : settings_(settings), sinks_(std::move(sinks)), clock_(clock), start_(clock.now()), thread_([this] { play(); }) {}

traffic_source::~traffic_source() { stop(); }

void traffic_source::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
}

traffic_conditions traffic_source::conditions() const { return conditions_at(settings_, clock_.now() - start_); }

sequence_hash traffic_source::sent() const {
  std::lock_guard lock(mutex_);
  return sent_;
}

bool traffic_source::wait_until(instant due) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_) return false;
    const instant now = clock_.now();
    if (now >= due) return true;
    stopped_.wait_for(lock, due - now);
  }
}

void traffic_source::play() {
  traffic_schedule schedule(settings_);
  std::optional<traffic_conditions> told;
  for (;;) {
    const request r = [&] {
      const auto scheduled = schedule.next();
      return request{scheduled, start_ + scheduled.offset};
    }();
    if (!wait_until(r.arrival)) return;
    const auto conditions = conditions_at(settings_, r.scheduled.offset);
    if (conditions != told) {
      for (auto* sink : sinks_) sink->observe(conditions);
      told = conditions;
    }
    for (auto* sink : sinks_) sink->offer(r);
    std::lock_guard lock(mutex_);
    sent_.add(r.scheduled);
  }
}

} // namespace homeostat::cache
