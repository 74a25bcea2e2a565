#include "runtime/gateway/event_hub.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace homeostat {

/// One listener. All members are guarded by the hub's mutex; the waker is called under it, and only posts.
class event_hub::subscriber final : public body_stream {
public:
  subscriber(std::shared_ptr<event_hub> hub, std::function<bool()> allowed)
      : allowed_(std::move(allowed)), hub_(std::move(hub)) {}

  std::string take() override {
    const std::lock_guard lock(hub_->mutex_);
    std::string text = std::exchange(notes_, {});
    if (lost_ > 0) text += "event: lost\ndata: {\"lost\":" + std::to_string(std::exchange(lost_, 0)) + "}\n\n";
    for (const auto& e : queue_) text += e->text;
    queue_.clear();
    return text;
  }
  bool ended() const override {
    const std::lock_guard lock(hub_->mutex_);
    return ended_ && queue_.empty() && notes_.empty() && lost_ == 0;
  }
  void on_ready(std::function<void()> wake) override {
    const std::lock_guard lock(hub_->mutex_);
    wake_ = std::move(wake);
  }
  void close() override {
    const std::lock_guard lock(hub_->mutex_);
    ended_ = true;
    wake_ = nullptr;
    queue_.clear();
  }

  // Of the hub, which holds the mutex:
  void add(std::shared_ptr<const event> e) {
    if (ended_) return;
    if (e->state) std::erase_if(queue_, [&](const auto& old) { return old->state && old->name == e->name; });
    queue_.push_back(std::move(e));
    if (queue_.size() > hub_->limits_.queue) {
      lost_ += queue_.front()->state ? 0 : 1;
      queue_.pop_front();
    }
    wake();
  }
  void wake() const {
    if (wake_) wake_();
  }

  std::function<bool()> allowed_;
  std::string notes_;
  std::uint64_t lost_{0};
  bool ended_{false};

private:
  std::shared_ptr<event_hub> hub_;
  std::deque<std::shared_ptr<const event>> queue_;
  std::function<void()> wake_;
};

std::shared_ptr<event_hub> event_hub::make(std::string epoch, limits bounds) {
  return std::shared_ptr<event_hub>(new event_hub(std::move(epoch), bounds));
}

std::shared_ptr<body_stream> event_hub::subscribe(std::string_view last_event_id, std::function<bool()> allowed) {
  auto fresh = std::make_shared<subscriber>(shared_from_this(), std::move(allowed));
  const std::lock_guard lock(mutex_);
  std::erase_if(subscribers_, [](const auto& weak) {
    const auto one = weak.lock();
    return !one || one->ended_;
  });
  if (ended_ || subscribers_.size() >= limits_.subscribers) return nullptr;
  fresh->notes_ = "retry: 2000\n\n";
  if (!last_event_id.empty()) {
    const auto dash = last_event_id.rfind('-');
    std::uint64_t number = 0;
    bool ours = dash != std::string_view::npos && last_event_id.substr(0, dash) == epoch_;
    if (ours) {
      const char* const end = last_event_id.data() + last_event_id.size();
      const auto [stop, error] = std::from_chars(last_event_id.data() + dash + 1, end, number);
      ours = error == std::errc() && stop == end && number <= last_number_;
    }
    if (!ours) // of another life of this node: nobody knows how many
      fresh->notes_ += "event: lost\ndata: {\"lost\":null}\n\n";
    else if (number < dropped_)
      fresh->lost_ = dropped_ - number;
    // All of the ring is newer than an id of another life. What does not fit into the queue is lost, and counted.
    for (const auto& e : ring_)
      if (!ours || e->number > number) fresh->add(e);
  }
  subscribers_.push_back(fresh);
  return fresh;
}

std::shared_ptr<const event_hub::event> event_hub::make_event(std::string_view name, std::string_view json,
                                                              bool state) {
  // States have no number of their own: who has seen one resumes after the last event before it.
  if (!state) ++last_number_;
  auto e = std::make_shared<event>();
  e->number = last_number_;
  e->name = name;
  e->state = state;
  e->text = "id: " + epoch_ + "-" + std::to_string(e->number) + "\nevent: " + std::string(name) +
            "\ndata: " + std::string(json) + "\n\n";
  return e;
}

void event_hub::hand_out(std::shared_ptr<const event> e) {
  for (const auto& weak : subscribers_)
    if (const auto one = weak.lock()) one->add(e);
}

void event_hub::publish(std::string_view name, std::string_view json) {
  const std::lock_guard lock(mutex_);
  auto e = make_event(name, json, false);
  ring_.push_back(e);
  ring_bytes_ += e->text.size();
  while (ring_.size() > limits_.ring || ring_bytes_ > limits_.ring_bytes) {
    ring_bytes_ -= ring_.front()->text.size();
    dropped_ = ring_.front()->number;
    ring_.pop_front();
  }
  hand_out(std::move(e));
}

void event_hub::publish_state(std::string_view name, std::string_view json) {
  const std::lock_guard lock(mutex_);
  hand_out(make_event(name, json, true));
}

void event_hub::heartbeat() {
  const std::lock_guard lock(mutex_);
  for (const auto& weak : subscribers_)
    if (const auto one = weak.lock(); one && one->notes_.empty()) {
      one->notes_ = ": alive\n\n";
      one->wake();
    }
}

void event_hub::check_subscribers() {
  std::vector<std::shared_ptr<subscriber>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : subscribers_)
      if (auto one = weak.lock(); one && !one->ended_) all.push_back(std::move(one));
  }
  for (const auto& one : all) {
    if (one->allowed_()) continue; // reads the tokens: not under the mutex
    const std::lock_guard lock(mutex_);
    one->ended_ = true;
    one->wake();
  }
}

bool event_hub::listening() {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(subscribers_, [](const auto& weak) {
    const auto one = weak.lock();
    return one && !one->ended_;
  });
}

void event_hub::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  for (const auto& weak : subscribers_)
    if (const auto one = weak.lock()) {
      one->ended_ = true;
      one->wake();
    }
}

} // namespace homeostat
