#pragma once

#include "runtime/gateway/http_server.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// Hands events to everybody who listens, as server-sent events. A slow listener never holds anybody up: its queue is
/// bounded, the oldest events go first, and it is told how many it `lost`. From any thread.
class event_hub : public std::enable_shared_from_this<event_hub> {
public:
  struct limits {
    std::size_t subscribers{32};
    std::size_t queue{64};                        ///< events waiting for one subscriber
    std::size_t ring{256};                        ///< events kept for those who come back
    std::size_t ring_bytes{std::size_t{4} << 20}; ///< of their texts
  };
  /// @param epoch  names this process in event ids: an id of another one resumes nothing, and `lost` says so.
  [[nodiscard]] static std::shared_ptr<event_hub> make(std::string epoch, limits bounds);
  [[nodiscard]] static std::shared_ptr<event_hub> make(std::string epoch) { return make(std::move(epoch), limits{}); }

  /// @param last_event_id  of the last event that the subscriber has; those after it come first. Empty: none.
  /// @param allowed        asked at every tick whether the subscriber still may listen; else its stream ends.
  /// @returns the stream, or null when there are too many.
  [[nodiscard]] std::shared_ptr<body_stream> subscribe(std::string_view last_event_id, std::function<bool()> allowed);

  /// An event that nobody may miss. @param json  one line.
  void publish(std::string_view name, std::string_view json);
  /// An event that the next one of its name makes void: a queue holds only the newest, and who comes back gets none.
  void publish_state(std::string_view name, std::string_view json);
  /// A comment that tells proxies and readers that the stream lives.
  void heartbeat();
  /// Ends the streams of those who may not listen any more.
  void check_subscribers();
  /// @returns whether anybody listens.
  [[nodiscard]] bool listening();
  /// Ends all streams; later subscribers get none.
  void end();

private:
  struct event {
    std::uint64_t number{0};
    std::string name;
    std::string text; ///< as sent
    bool state{false};
  };
  class subscriber;
  event_hub(std::string epoch, limits bounds) : epoch_(std::move(epoch)), limits_(bounds) {}
  void hand_out(std::shared_ptr<const event> e);
  std::shared_ptr<const event> make_event(std::string_view name, std::string_view json, bool state);

  std::string epoch_;
  limits limits_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<subscriber>> subscribers_;
  std::deque<std::shared_ptr<const event>> ring_;
  std::size_t ring_bytes_{0};
  std::uint64_t last_number_{0};
  std::uint64_t dropped_{0}; ///< number of the newest event that the ring no longer has
  bool ended_{false};
};

} // namespace homeostat
