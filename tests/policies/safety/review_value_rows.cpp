// What is proposed, and who proposes it: bounds, non-numbers, arity; numbers that are out of date, approval, safe mode.
#include "tests/policies/safety/review_rows.hpp"

#include <cmath>
#include <limits>

namespace homeostat {

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double smallest = std::numeric_limits<double>::denorm_min();

knob_spec knob_between(double min, double max, double initial, knob_scale scale = knob_scale::linear) {
  knob_spec knob = unit_knob();
  knob.scale = scale;
  knob.min = min;
  knob.max = max;
  knob.initial = initial;
  return knob;
}

std::vector<knob_spec> many(std::size_t count) {
  std::vector<knob_spec> knobs;
  for (std::size_t i = 0; i < count; ++i) knobs.push_back(unit_knob("k" + std::to_string(i)));
  return knobs;
}

knob_values repeated(double value, std::size_t count) {
  knob_values values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(value);
  return values;
}

using edit = std::function<void(proposal&)>;
std::function<proposal(const governor_rig&)> edited(edit change) {
  return [=](const governor_rig& rig) {
    proposal p = rig.draft({0.51});
    change(p);
    return p;
  };
}

} // namespace

std::vector<review_row> value_rows() {
  std::vector<review_row> rows;
  const auto bounds = [&](std::string name, knob_spec knob, double to, std::string text = {}) {
    rows.push_back({name, config_of({knob}), nothing, update_to({to}), text.empty() ? "" : "OutOfBounds",
                    text.empty() ? "" : "x", text});
  };
  const knob_spec low = knob_between(0, 1, 0.05);
  const knob_spec high = knob_between(0, 1, 0.95);
  bounds("AtLowerBoundIsAccepted", low, 0);
  bounds("AtUpperBoundIsAccepted", high, 1);
  bounds("BelowLowerBoundIsRejected", low, -0.5, "OutOfBounds: knob x: -0.5, the nearest allowed value is 0");
  bounds("AboveUpperBoundIsRejected", high, 1.5, "OutOfBounds: knob x: 1.5, the nearest allowed value is 1");
  bounds("NextDoubleBelowLowerBoundIsRejected", low, -smallest,
         "OutOfBounds: knob x: -4.94066e-324, the nearest allowed value is 0");
  bounds("NextDoubleAboveUpperBoundIsRejected", high, std::nextafter(1.0, 2.0),
         "OutOfBounds: knob x: 1.0000000000000002, the nearest allowed value is 1");
  bounds("SmallestDenormalInsideIsAccepted", low, smallest);
  bounds("NegativeZeroIsZero", low, -0.0);
  bounds("HugeIsRejected", high, 1e308, "OutOfBounds: knob x: 1e+308, the nearest allowed value is 1");
  const knob_spec log = knob_between(1, 100, 1.2, knob_scale::log);
  bounds("AtLowerBoundOfLogScaleIsAccepted", log, 1);
  bounds("JustBelowLowerBoundOfLogScaleIsRejected", log, std::nextafter(1.0, 0.0),
         "OutOfBounds: knob x: 0.99999999999999989, the nearest allowed value is 1");
  bounds("ZeroOnLogScaleIsRejected", log, 0, "OutOfBounds: knob x: 0, the nearest allowed value is 1");
  bounds("DenormalOnLogScaleIsRejected", log, smallest,
         "OutOfBounds: knob x: 4.94066e-324, the nearest allowed value is 1");
  knob_spec grid = knob_between(0, 10, 5);
  grid.step = 0.5;
  bounds("OnTheGridIsAccepted", grid, 5.5);
  bounds("BetweenGridPointsIsRejected", grid, 5.7, "OutOfBounds: knob x: 5.7, the nearest allowed value is 5.5");

  const auto two = config_of({unit_knob("x"), unit_knob("y")});
  const auto numbers = [&](std::string name, knob_values to, std::string knob, std::string text) {
    rows.push_back({name, two, nothing, update_to(to), "NonFinite", knob, text});
  };
  numbers("NaNIsRejected", {nan, 0.5}, "x", "");
  numbers("InfinityIsRejected", {0.5, inf}, "y", "NonFinite: knob y: inf");
  numbers("NegativeInfinityIsRejected", {-inf, 0.5}, "x", "NonFinite: knob x: -inf");
  numbers("NaNOutranksABoundsViolation", {7, nan}, "y", "");

  const auto arity = [&](std::string name, const governor_config& config, knob_values to, std::string text) {
    rows.push_back({name, config, nothing, update_to(to), "UnknownKnob", "", text});
  };
  arity("NoValuesAreRejected", two, {}, "UnknownKnob: 0 values for a loop of 2 knobs");
  arity("OneValueTooFewIsRejected", two, {0.5}, "UnknownKnob: 1 values for a loop of 2 knobs");
  arity("OneValueTooManyIsRejected", two, {0.5, 0.5, 0.5}, "UnknownKnob: 3 values for a loop of 2 knobs");
  arity("MoreValuesThanAnyLoopHasAreRejected", config_of(many(16)), repeated(0.5, 17),
        "UnknownKnob: 17 values for a loop of 16 knobs");
  arity("AFloodOfValuesIsRejected", config_of(many(16)), repeated(0.5, 1000),
        "UnknownKnob: 17 values for a loop of 16 knobs");
  rows.push_back({"SixteenKnobsAreAccepted", config_of(many(16)), nothing, update_to(repeated(0.55, 16)), ""});
  return rows;
}

std::vector<review_row> standing_rows() {
  std::vector<review_row> rows;
  governor_config config = config_of({unit_knob()});
  config.epoch = 7;
  const auto changed_twice = [](governor_rig& rig) {
    rig.change({0.51});
    rig.wait(1s);
    rig.change({0.52});
    rig.wait(1s);
  };
  const auto add = [&](std::string name, edit change, std::string text, std::function<void(governor_rig&)> before) {
    rows.push_back({name, config, before, edited(change), text.substr(0, text.find(':')), "", text});
  };
  add(
      "OlderGenerationIsRejected", [](proposal& p) { p.base_generation = 2; },
      "StaleGeneration: 2, the live generation is 3", changed_twice);
  add(
      "NewerGenerationIsRejected", [](proposal& p) { p.base_generation = 4; },
      "StaleGeneration: 4, the live generation is 3", changed_twice);
  add(
      "OlderRevisionIsRejected", [](proposal& p) { p.base_revision = 2; },
      "StaleRevision: 2, the present revision is 3", changed_twice);
  add(
      "NewerRevisionIsRejected", [](proposal& p) { p.base_revision = 4; },
      "StaleRevision: 4, the present revision is 3", changed_twice);
  add("OlderEpochIsRejected", [](proposal& p) { p.epoch = 6; }, "StaleEpoch: 6, the owner's epoch is 7", nothing);
  add(
      "NewerEpochIsRejectedByTheOldOwner", [](proposal& p) { p.epoch = 8; }, "StaleEpoch: 8, the owner's epoch is 7",
      nothing);
  add("UnapprovedIsRejected", [](proposal& p) { p.approved = false; }, "NotApproved: it waits for a person", nothing);
  add(
      "PausedLoopRejects", [](proposal&) {}, "InSafeMode: the loop takes no proposals now",
      [](governor_rig& rig) { rig.command(operator_action::pause); });
  add(
      "StoppingLoopRejects", [](proposal&) {}, "InSafeMode: the loop takes no proposals now",
      [](governor_rig& rig) { rig.give(stop_request{}); });
  add(
      "LoopWithUnknownLiveValuesRejects", [](proposal&) {}, "InSafeMode: the loop takes no proposals now",
      [](governor_rig& rig) {
        rig.propose({0.51});
        rig.answer_audit();
        rig.answer_actuator(false);
      });
  add(
      "LoopWithoutBaselineRejects", [](proposal&) {}, "NoBaseline: there is nothing to roll back to",
      [](governor_rig& rig) { rig.state.baseline.reset(); });
  add(
      "ProbesMoveTheGenerationToo", [](proposal& p) { p.base_generation = 1; },
      "StaleGeneration: 1, the live generation is 2",
      [](governor_rig& rig) { rig.change({0.52}, proposal_kind::apply_plus), rig.wait(1s); });
  rows.push_back({"UpToDateIsAccepted", config, changed_twice, edited([](proposal&) {}), ""});
  return rows;
}

} // namespace homeostat
