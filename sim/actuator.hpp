#pragma once

#include "sim/invariants.hpp"
#include "sim/kernel.hpp"
#include "sim/plant.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <variant>

namespace homeostat::sim {

/// Puts values into the plant and reads them back, one operation after the other, with all the ways in which that goes
/// wrong.
class actuator {
public:
  actuator(kernel& k, const scenario& s, plant& p, invariants& check);

  void on(const actuation_mail& m);
  void on(const read_request& m);
  void on(const alarm_mail& a);
  /// The actuator ends (alone or with the process): what waits is lost, what is under way may or may not reach the
  /// plant.
  void on_end();

  [[nodiscard]] std::size_t backlog() const { return queue_.size() + (present_ ? 1 : 0); }

private:
  enum class outcome : std::uint8_t { applied, refused, partial, silent, wrong_answer, lie, reverts };
  struct operation {
    std::variant<actuation, read_request> what;
    duration deadline{0};
    outcome comes_out{outcome::applied};
    bool landed{false};
  };

  void begin_next();
  [[nodiscard]] outcome draw_outcome();
  void land(operation& op);
  void finish();
  void answer(const operation& op, const actuation& wanted);

  kernel& kernel_;
  const scenario& scenario_;
  plant& plant_;
  invariants& check_;
  std::deque<operation> queue_;
  std::optional<operation> present_;
  bool waiting_for_life_{false};
  knob_values before_; ///< what the plant falls back to
};

} // namespace homeostat::sim
