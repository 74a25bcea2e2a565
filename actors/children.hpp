#pragma once

#include "actors/interfaces.hpp"
#include "actors/time_line.hpp"
#include "policies/supervision/restart.hpp"

#include <caf/actor.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/system_messages.hpp>

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace homeostat {

/// One supervised child.
struct child_spec {
  std::string name;
  child_restart restart{child_restart::permanent};
  duration shutdown{1s};             ///< how long it may take to end when told to; then it is killed
  std::function<caf::actor()> spawn; ///< starts it; may use the children that start before it
};

/// Carries out what policies/supervision decides: starts children in order, watches them, ends them in reverse order,
/// starts them again after a delay. A part of each supervisor's state, not an actor.
class children {
public:
  children() = default;
  children(const children&) = delete;
  children& operator=(const children&) = delete;
  /// A supervisor that ends in any other way than by stop_all leaves nobody behind either.
  ~children();

  /// @param timer  arms a timer that calls on_timer(token) with the token given. Tokens count from 1.
  /// @param gave_up  called with the reason when the restart intensity is exceeded; every child has ended by then.
  void set_up(caf::scheduled_actor* self, supervision_settings settings, std::uint64_t seed, time_line time,
              std::function<void(duration, std::uint64_t)> timer, std::function<void(std::string)> gave_up);
  void add(child_spec spec);
  void start_all();
  /// Forgets children and history, so that others can be added. @pre no child runs
  void clear();

  /// The supervisor's down handler and its start_atom handler lead here.
  void on_down(const caf::down_msg& message);
  void on_timer(std::uint64_t token);

  /// From now on nobody is started again, and who ends is not missed: the members are being stopped.
  void hold();
  /// Ends all children in reverse start order, then calls `done`. None is started again. A child that neither an exit
  /// message nor a kill ends (its handler does not return) is left behind. Called again, only the last `done` counts.
  void stop_all(std::function<void()> done);

  [[nodiscard]] caf::actor handle(std::size_t i) const { return children_[i].handle; }
  [[nodiscard]] std::size_t size() const { return children_.size(); }
  [[nodiscard]] std::uint64_t restarts() const { return restarts_; }         ///< not counting the children of each
  [[nodiscard]] const std::string& last_failure() const { return failure_; } ///< what the last restart was for
  [[nodiscard]] bool any_runs() const;
  [[nodiscard]] bool gave_up() const { return stage_ == stage::given_up; }

private:
  struct child {
    child_spec spec;
    caf::actor handle; ///< empty: does not run
  };
  struct child_end {
    std::size_t which;
    bool abnormal;
    std::string reason;
  };
  enum class stage : std::uint8_t { keeping, given_up, closing };
  enum class waiting : std::uint8_t { nothing, for_end, for_kill, for_delay };

  void start(std::size_t i);
  void end_next();
  void handle_end(const child_end& end);
  [[nodiscard]] bool ends_one() const { return waits_ == waiting::for_end || waits_ == waiting::for_kill; }

  caf::scheduled_actor* self_{nullptr};
  supervision_settings settings_;
  supervision_state state_;
  time_line time_;
  std::function<void(duration, std::uint64_t)> timer_;
  std::function<void(std::string)> gave_up_;
  std::vector<child> children_;
  std::deque<std::size_t> ending_; ///< to be ended, the front one now
  std::function<void()> after_ending_;
  std::vector<std::size_t> to_start_; ///< after the delay
  std::deque<child_end> ended_meanwhile_;
  std::uint64_t token_{0}; ///< the timer that counts; never goes back, so that old timers stay void
  waiting waits_{waiting::nothing};
  stage stage_{stage::keeping};
  std::uint64_t restarts_{0};
  std::string failure_;
};

} // namespace homeostat
