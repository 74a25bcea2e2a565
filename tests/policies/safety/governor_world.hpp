#pragma once

#include "tests/policies/safety/governor_checker.hpp"

#include <cstdint>
#include <deque>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace homeostat {

/// One thing that happens to a governor. Numbers, interpreted where they are used, so that a failing list can be
/// shortened without losing its sense.
struct happening {
  std::uint32_t what{0}; ///< which kind
  std::uint32_t a{0}, b{0}, c{0};
};
std::ostream& operator<<(std::ostream& out, const happening& h);

/// A governed loop from a small menu of knob sets and settings. @param choice  any number.
[[nodiscard]] governor_config hostile_config(std::uint32_t choice);

/// A governor in a world that means it harm: floods of proposals, a store that fills up and fails, a plant that fails
/// and lies, telemetry without sense, a clock that jumps, operators who do everything, crashes at any moment. After
/// every step the independent checker looks on, and the step is taken a second time to see that it comes out the same
/// (I7).
class governor_world {
public:
  explicit governor_world(governor_config config);

  void happen(const happening& h);
  [[nodiscard]] const std::vector<std::string>& complaints() const { return checker_.complaints(); }

  // What came about, for judging the test itself.
  std::size_t commits{0}, refusals{0}, rollbacks{0}, freezes{0}, crashes{0}, aborts{0}, drifts{0};

private:
  struct batch {
    std::vector<audit_record> records;
    std::optional<governor_state> state;
    std::optional<governor_checker> seen; ///< the checker as of this batch, where it has a state
    std::optional<std::uint64_t> ticket;
  };

  void give(const governor_input& input);
  void take(const governor_input* input, const governor_state& before, governor_step step);
  void write(const batch& b);
  void flush(std::size_t count);
  void propose(const happening& h);
  void propose_nonsense(const happening& h);
  void answer_audit(const happening& h);
  void answer_plant(const happening& h);
  void answer_late(const happening& h);
  void sense(const happening& h);
  void command(const happening& h);
  void crash(const happening& h);
  void restart(std::optional<knob_values> actual, duration time_passed);
  [[nodiscard]] knob_values near_base(const happening& h) const;
  [[nodiscard]] proposal draft(knob_values values, std::uint32_t kind) const;

  governor_config config_;
  governor_state state_;
  governor_checker checker_;
  instant clock_;
  std::deque<batch> queue_; ///< not durable yet
  std::optional<governor_state> durable_state_;
  governor_checker durable_checker_;
  std::optional<std::uint64_t> waiting_for_audit_;
  std::optional<actuation> actuating_;
  std::optional<instant> look_again_;
  knob_values plant_;
};

} // namespace homeostat
