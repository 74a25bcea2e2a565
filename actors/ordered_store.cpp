#include "actors/ordered_store.hpp"

#include <deque>
#include <mutex>
#include <set>
#include <utility>

namespace homeostat {

namespace {

using answer_function = std::function<void(audit_answer)>;
using load_function = std::function<void(store_port::loaded)>;

class ordered_store final : public store_port, public std::enable_shared_from_this<ordered_store> {
public:
  explicit ordered_store(std::shared_ptr<store_port> store) : store_(std::move(store)) {}

  bool submit(audit_batch batch, answer_function done) override {
    return write(std::move(done),
                 [&](answer_function answer) { return store_->submit(std::move(batch), std::move(answer)); });
  }

  bool save(std::string key, std::string value, answer_function done) override {
    return write(std::move(done), [&](answer_function answer) {
      return store_->save(std::move(key), std::move(value), std::move(answer));
    });
  }

  void load(std::string key, load_function done) override {
    {
      const std::lock_guard lock(mutex_);
      if (!open_.empty()) return waiting_.push_back({last_, std::move(key), std::move(done)});
    }
    store_->load(std::move(key), std::move(done));
  }

private:
  struct read {
    std::uint64_t after; ///< the last write it must not overtake
    std::string key;
    load_function done;
  };

  template <class Call> bool write(answer_function done, Call call) {
    const std::uint64_t number = begin();
    // The store may keep its callback for ever: that must not keep this alive.
    const auto answer = [weak = weak_from_this(), number, done = std::move(done)](audit_answer result) {
      done(std::move(result));
      if (auto line = weak.lock()) line->end(number);
    };
    try {
      if (call(answer)) return true;
    } catch (...) {
      end(number);
      throw;
    }
    end(number);
    return false;
  }

  std::uint64_t begin() {
    const std::lock_guard lock(mutex_);
    open_.insert(++last_);
    return last_;
  }

  void end(std::uint64_t number) {
    std::deque<read> due;
    {
      const std::lock_guard lock(mutex_);
      open_.erase(number);
      while (!waiting_.empty() && (open_.empty() || *open_.begin() > waiting_.front().after)) {
        due.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
    }
    for (read& r : due) store_->load(std::move(r.key), std::move(r.done));
  }

  std::shared_ptr<store_port> store_;
  std::mutex mutex_;
  std::uint64_t last_{0};
  std::set<std::uint64_t> open_; ///< writes that have not been answered
  std::deque<read> waiting_;     ///< in the order they came, so that the front one is due first
};

} // namespace

std::shared_ptr<store_port> reads_after_writes(std::shared_ptr<store_port> store) {
  if (std::dynamic_pointer_cast<ordered_store>(store)) return store;
  return std::make_shared<ordered_store>(std::move(store));
}

} // namespace homeostat
