#pragma once

#include "policies/search/search_strategy.hpp"

#include <coroutine>
#include <exception>
#include <span>
#include <utility>
#include <vector>

namespace homeostat {

// Sequential methods (Nelder-Mead, quadratic models) read best as straight programs that await evaluations. A program
// is a coroutine; `co_await evaluate(points)` hands the points out and goes on when all their values are in. Chosen
// over hand-written state machines because the method's control flow then is the code's; nothing needs to be copied or
// stored, for a strategy's state is its history (search_strategy).
class search_program {
public:
  struct promise_type {
    std::vector<unit_point> points; ///< the group being evaluated
    std::vector<double> values;
    std::size_t handed_out{0};
    std::size_t missing{0};

    search_program get_return_object() { return search_program(handle::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    [[noreturn]] void unhandled_exception() { std::terminate(); }
  };
  using handle = std::coroutine_handle<promise_type>;

  search_program() = default;
  search_program(search_program&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  search_program& operator=(search_program&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~search_program() {
    if (handle_) handle_.destroy();
  }

  [[nodiscard]] bool finished() const { return !handle_ || handle_.done(); }

  /// @returns the next point of the present group; the ticket is its place in the group.
  std::optional<candidate> propose() {
    if (finished() || handle_.promise().handed_out == handle_.promise().points.size()) return std::nullopt;
    const std::size_t ticket = handle_.promise().handed_out++;
    return candidate{handle_.promise().points[ticket], ticket};
  }

  /// The value of a point handed out and not yet told. The last one of a group lets the program go on.
  void learn(std::size_t ticket, double value) {
    promise_type& p = handle_.promise();
    p.values[ticket] = value;
    if (--p.missing == 0) handle_.resume();
  }

private:
  explicit search_program(handle h) : handle_(h) {}
  handle handle_{nullptr};
};

/// Awaits the values of a non-empty group of points, which may be evaluated side by side.
class evaluate_group {
public:
  explicit evaluate_group(std::vector<unit_point> points) : points_(std::move(points)) {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(search_program::handle h) {
    search_program::promise_type& p = h.promise();
    promise_ = &p;
    p.values.assign(points_.size(), 0);
    p.missing = points_.size();
    p.handed_out = 0;
    p.points = std::move(points_);
  }
  std::vector<double> await_resume() { return std::move(promise_->values); }

private:
  std::vector<unit_point> points_;
  search_program::promise_type* promise_{nullptr};
};

/// Awaits the value of one point.
class evaluate_point {
public:
  explicit evaluate_point(unit_point point) : point_(std::move(point)) {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(search_program::handle h) {
    search_program::promise_type& p = h.promise();
    promise_ = &p;
    p.values.assign(1, 0);
    p.missing = 1;
    p.handed_out = 0;
    p.points.assign(1, point_);
  }
  [[nodiscard]] double await_resume() const { return promise_->values[0]; }

private:
  unit_point point_;
  search_program::promise_type* promise_{nullptr};
};

} // namespace homeostat
