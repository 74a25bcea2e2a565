#pragma once

#include "runtime/plants/cache/plant_clock.hpp"
#include "runtime/plants/cache/traffic.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace homeostat::cache {

/// One request on its way to a service.
struct request {
  scheduled_request scheduled;
  instant arrival; ///< when it was due; latency counts from here, also when the traffic thread was late
};

/// Whoever takes requests from the traffic. Called from the traffic thread only, and must not block.
class request_sink {
public:
  virtual ~request_sink() = default;

  /// Takes one request.
  virtual void offer(const request& r) = 0;

  /// Hears what holds from now on; called before the first request and at each change.
  virtual void observe(const traffic_conditions& conditions) = 0;
};

/// Plays one request sequence to several services at once, in real time.
/// The thread starts with the object and ends with stop() or the destructor.
class traffic_source {
public:
  /// @param settings  the sequence.  @param sinks  who gets every request, in this order; they must outlive this
  /// object.
  /// @param clock     the time line; must outlive this object.
  traffic_source(const traffic_settings& settings, std::vector<request_sink*> sinks, const plant_clock& clock);
  ~traffic_source();
  traffic_source(const traffic_source&) = delete;
  traffic_source& operator=(const traffic_source&) = delete;

  /// Ends the traffic and joins its thread. May be called more than once.
  void stop();

  /// @returns what holds now.
  [[nodiscard]] traffic_conditions conditions() const;

  /// @returns the fingerprint of what every sink has been offered so far.
  [[nodiscard]] sequence_hash sent() const;

private:
  void play();
  bool wait_until(instant due);

  const traffic_settings settings_;
  const std::vector<request_sink*> sinks_;
  const plant_clock& clock_;
  const instant start_;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_{false};
  sequence_hash sent_;
  std::thread thread_; ///< last: it uses everything above
};

} // namespace homeostat::cache
