// Step limits: as a fraction of range in the knob's scale, and in the knob's unit.
#include "tests/policies/safety/review_rows.hpp"

#include <cmath>

namespace homeostat {

namespace {

knob_spec log_knob() {
  knob_spec knob = unit_knob();
  knob.scale = knob_scale::log;
  knob.min = 1;
  knob.max = 1e4;
  knob.initial = 100;
  return knob;
}

knob_spec angle_knob() {
  knob_spec knob = unit_knob();
  knob.scale = knob_scale::periodic;
  knob.max = 360;
  knob.initial = 10; // so that every way down leads across the seam
  return knob;
}

knob_spec integer_knob(double max, double initial) {
  knob_spec knob = unit_knob();
  knob.type = knob_type::integer;
  knob.max = max;
  knob.initial = initial;
  return knob;
}

/// The value `fraction` of range away from the initial one, by the scale's definition.
double value_away(const knob_spec& knob, double fraction) {
  switch (knob.scale) {
  case knob_scale::linear: return knob.initial + fraction * (knob.max - knob.min);
  case knob_scale::log: return knob.initial * std::pow(knob.max / knob.min, fraction);
  case knob_scale::periodic: return std::fmod(knob.initial + fraction * knob.max + knob.max, knob.max);
  }
  return 0;
}

knob_spec in_units(knob_spec knob, double min, double max, double initial, double up, double down) {
  knob.min = min;
  knob.max = max;
  knob.initial = initial;
  knob.step_limit = unit_step_limit{.up = up, .down = down};
  return knob;
}

} // namespace

std::vector<review_row> delta_rows() {
  struct side {
    const char* name;
    double factor;
    const char* expected;
  };
  const std::vector<side> sides{{"BelowLimitIsAccepted", 1 - 1e-6, ""},
                                {"AtLimitIsAccepted", 1, ""},
                                {"AboveLimitIsRejected", 1 + 1e-6, "DeltaTooLarge"}};
  std::vector<review_row> rows;
  for (const auto& [preset_name, p] : presets())
    for (const auto& [scale_name, knob] :
         {std::pair{"Linear", unit_knob()}, std::pair{"Log", log_knob()}, std::pair{"Periodic", angle_knob()}})
      for (const auto& [way_name, sign] : {std::pair{"Up", 1.0}, std::pair{"Down", -1.0}})
        for (const auto& [kind_name, make] : {std::pair{"Update", &update_to}, std::pair{"Probe", &probe_to}})
          for (const side& s : sides) {
            const double fraction = sign * s.factor * guardrails_of(p).max_delta_per_step;
            rows.push_back({.name = preset_name + scale_name + kind_name + way_name + s.name,
                            .config = config_of({knob}, p),
                            .before = nothing,
                            .given = make({value_away(knob, fraction)}),
                            .expected = s.expected,
                            .knob = *s.expected ? "x" : ""});
          }
  const auto integer = [&](std::string name, double to, std::string expected) {
    const std::string knob = expected.empty() ? "" : "x";
    rows.push_back({"IntegerKnob" + name, config_of({integer_knob(20, 10)}), nothing, update_to({to}), expected, knob});
  };
  integer("UpByItsLimitIsAccepted", 12, "");
  integer("UpByOneMoreIsRejected", 13, "DeltaTooLarge");
  integer("DownByItsLimitIsAccepted", 8, "");
  integer("DownByOneMoreIsRejected", 7, "DeltaTooLarge");
  integer("BetweenWholeNumbersIsRejected", 10.5, "OutOfBounds");
  rows.push_back({.name = "SecondKnobTooFarRejectsBoth",
                  .config = config_of({unit_knob("x"), unit_knob("y")}),
                  .before = nothing,
                  .given = update_to({0.55, 0.75}),
                  .expected = "DeltaTooLarge",
                  .knob = "y",
                  .text = "DeltaTooLarge: knob y: 0.25, limit 0.1 of its range in one step"});
  rows.push_back({.name = "StepIsMeasuredFromTheBasePointNotFromAProbe",
                  .config = config_of({unit_knob()}),
                  .before = [](governor_rig& rig) { rig.change({0.6}, proposal_kind::apply_plus), rig.wait(1s); },
                  .given = update_to({0.65}),
                  .expected = "DeltaTooLarge",
                  .knob = "x"});
  return rows;
}

std::vector<review_row> unit_delta_rows() {
  std::vector<review_row> rows;
  const auto add = [&](std::string name, knob_spec knob, double to, std::string expected) {
    const std::string named = expected.empty() ? "" : "x";
    rows.push_back({"UnitLimit" + name, config_of({knob}), nothing, update_to({to}), expected, named});
  };
  const knob_spec linear = in_units(unit_knob(), 0, 1000, 500, 10, 5);
  add("UpAtIsAccepted", linear, 510, "");
  add("UpAboveIsRejected", linear, 510.001, "DeltaTooLarge");
  add("DownAtIsAccepted", linear, 495, "");
  add("DownAboveIsRejected", linear, 494.999, "DeltaTooLarge");
  const knob_spec wide = in_units(unit_knob(), 0, 1000, 600, 600, 600);
  add("WiderThanTheRangeReachesTheBound", wide, 1000, "");
  add("WiderThanTheFractionReplacesIt", wide, 300, "");
  const knob_spec log = in_units(log_knob(), 1, 1e4, 100, 60, 20);
  add("OnLogScaleUpAtIsAccepted", log, 160, "");
  add("OnLogScaleUpAboveIsRejected", log, 160.01, "DeltaTooLarge");
  add("OnLogScaleDownAtIsAccepted", log, 80, "");
  add("OnLogScaleDownAboveIsRejected", log, 79.99, "DeltaTooLarge");
  const knob_spec deep = in_units(log_knob(), 1, 1e4, 100, 60, 500);
  add("BelowTheLogScalesEndReachesTheBound", deep, 1, "");
  const knob_spec angle = in_units(angle_knob(), 0, 360, 350, 20, 30);
  add("AcrossTheSeamUpAtIsAccepted", angle, 10, "");
  add("AcrossTheSeamUpAboveIsRejected", angle, 10.01, "DeltaTooLarge");
  add("AwayFromTheSeamDownAtIsAccepted", angle, 320, "");
  add("AwayFromTheSeamDownAboveIsRejected", angle, 319.99, "DeltaTooLarge");

  const auto three = [&](std::string name, knob_values to, std::string expected, std::string knob) {
    std::vector<knob_spec> knobs{in_units(unit_knob("pool"), 0, 200, 100, 10, 10),
                                 in_units(unit_knob("timeout"), 0, 1200, 600, 60, 60),
                                 in_units(unit_knob("cache"), 0, 10'000, 5000, 500, 500)};
    rows.push_back({"ThreeUnits" + name, config_of(knobs), nothing, update_to(to), expected, knob});
  };
  three("AllAtTheirLimitsAreAccepted", {110, 540, 5500}, "", "");
  three("FirstAboveIsRejected", {110.01, 600, 5000}, "DeltaTooLarge", "pool");
  three("SecondAboveIsRejected", {110, 660.1, 5000}, "DeltaTooLarge", "timeout");
  three("ThirdAboveIsRejected", {100, 600, 4499}, "DeltaTooLarge", "cache");

  knob_spec flag = unit_knob();
  flag.type = knob_type::boolean;
  flag.initial = 0;
  rows.push_back({"SwitchIsAlwaysOneStep", config_of({flag}, preset::conservative), nothing, update_to({1}), ""});
  knob_spec mode = flag;
  mode.type = knob_type::categorical;
  mode.max = 3;
  mode.categories = {"a", "b", "c", "d"};
  rows.push_back(
      {"CategoryIsOneStepFromAnyOther", config_of({mode}, preset::conservative), nothing, update_to({3}), ""});
  rows.push_back({"UnknownCategoryIsRejected", config_of({mode}), nothing, update_to({4}), "OutOfBounds", "x"});
  return rows;
}

} // namespace homeostat
