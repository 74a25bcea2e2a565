// How much in a minute and how far in all: direction flips, cumulative delta, distance from the baseline.
#include "tests/policies/safety/review_rows.hpp"

namespace homeostat {

namespace {

governor_config unhurried(preset p) {
  governor_config config = config_of({unit_knob()}, p);
  config.limits.min_interval = 0us;
  config.limits.max_updates_per_second = 1000;
  return config;
}

constexpr double beyond_deadband = 0.025;

/// Up, then down and up again until so many flips have happened, one each second; then time passes since the first
/// flip.
std::function<void(governor_rig&)> flipped(std::uint32_t times, duration since_first_flip) {
  return [=](governor_rig& rig) {
    const instant first_flip = rig.now + 1s;
    rig.change({0.5 + beyond_deadband});
    for (std::uint32_t i = 0; i < times; ++i) {
      rig.wait(1s);
      rig.change({i % 2 == 0 ? 0.5 : 0.5 + beyond_deadband});
    }
    rig.now = first_flip + since_first_flip;
  };
}

/// The next move after `flipped(times)`, in the direction that would be a flip or in the same.
knob_values onwards(std::uint32_t times, bool flip, double by) {
  const bool went_down = times % 2 == 1;
  const double at = went_down ? 0.5 : 0.5 + beyond_deadband;
  return {went_down == flip ? at + by : at - by};
}

void add_flip_rows(std::vector<review_row>& rows, const named_preset& p) {
  const governor_config config = unhurried(p.value);
  const std::uint32_t limit = config.limits.direction_flip_limit;
  const auto add = [&](std::string name, std::uint32_t times, duration since, knob_values to, std::string expected) {
    const std::string text = expected.empty() ? ""
                                              : "DirectionFlip: knob x: " + std::to_string(limit + 1) + ", limit " +
                                                    std::to_string(limit) + " direction flips in a minute";
    rows.push_back(
        {p.name + name, config, flipped(times, since), update_to(to), expected, expected.empty() ? "" : "x", text});
  };
  add("LastAllowedFlipIsAccepted", limit - 1, 30s, onwards(limit - 1, true, beyond_deadband), "");
  add("OneFlipMoreIsRejected", limit, 30s, onwards(limit, true, beyond_deadband), "DirectionFlip");
  add("SameDirectionAfterAllFlipsIsAccepted", limit, 30s, onwards(limit, false, beyond_deadband), "");
  add("BackWithinTheDeadbandIsAccepted", limit, 30s, onwards(limit, true, 0.02), "");
  add("BackJustBeyondTheDeadbandIsRejected", limit, 30s, onwards(limit, true, 0.02 + 1e-6), "DirectionFlip");
  add("OneFlipMoreBeforeTheMinuteIsOverIsRejected", limit, 60s - 1us, onwards(limit, true, beyond_deadband),
      "DirectionFlip");
  add("OneFlipMoreAfterAMinuteIsAccepted", limit, 60s, onwards(limit, true, beyond_deadband), "");
}

/// Full steps up from 0 until the sum per minute is used up; then time passes since the first.
std::function<void(governor_rig&)> used_up(duration since_first) {
  return [=](governor_rig& rig) {
    const guardrails& g = rig.config.limits;
    const instant first = rig.now;
    for (double at = g.max_delta_per_step; !exceeds(at, g.max_cumulative_delta_per_minute);
         at += g.max_delta_per_step, rig.wait(10ms))
      rig.change({at});
    rig.now = first + since_first;
  };
}

void add_cumulative_rows(std::vector<review_row>& rows, const named_preset& p) {
  governor_config config = unhurried(p.value);
  config.knobs[0].initial = 0;
  const guardrails& g = config.limits;
  const double cap = g.max_cumulative_delta_per_minute;
  const double step = g.max_delta_per_step;
  const auto add = [&](std::string name, std::function<void(governor_rig&)> before, knob_values to,
                       std::string expected, std::optional<duration> retry_after = std::nullopt) {
    rows.push_back(
        {p.name + name, config, before, update_to(to), expected, expected.empty() ? "" : "x", "", retry_after});
  };
  const auto almost_used_up = [=](governor_rig& rig) {
    for (double at = step; exceeds(cap, at); at += step, rig.wait(10ms)) rig.change({at});
  };
  add("SumAtTheCapIsAccepted", almost_used_up, {cap}, "");
  add("SumJustBelowTheCapIsAccepted", almost_used_up, {cap - 1e-6}, "");
  add("SmallMoveBeyondTheCapIsRejected", used_up(1s), {cap - 1e-6}, "CumulativeDelta", 60s);
  add("WayBackCountsToo", used_up(1s), {cap - step}, "CumulativeDelta");
  add("BeforeItsSecondAndAMinuteAreOverIsRejected", used_up(61s - 1us), {cap - 1e-6}, "CumulativeDelta");
  add("AfterItsSecondAndAMinuteIsAccepted", used_up(61s), {cap - 1e-6}, "");
}

/// An operator has put the base point there, and the minute after is over.
std::function<void(governor_rig&)> placed(double at) {
  return [=](governor_rig& rig) {
    rig.command(operator_action::set_values, "", {at});
    rig.wait(62s);
  };
}

void add_distance_rows(std::vector<review_row>& rows, const named_preset& p) {
  governor_config config = unhurried(p.value);
  const double start = p.value == preset::balanced ? 0.2 : 0.5;
  config.knobs[0].initial = start;
  const double cap = config.limits.max_baseline_distance;
  const double step = 0.02;
  const auto add = [&](std::string name, double from, double to, std::string expected) {
    rows.push_back({p.name + name, config, placed(from), update_to({to}), expected, expected.empty() ? "" : "x"});
  };
  if (p.value == preset::aggressive) {
    config.knobs[0].initial = 0;
    add("WholeRangeFromTheBaselineIsAccepted", 0.9, 1.0, "");
    return;
  }
  add("AtTheDistanceCapIsAccepted", start + cap - step, start + cap, "");
  add("JustBeyondTheDistanceCapIsRejected", start + cap - step, start + cap + 1e-6, "BaselineDistance");
  add("FartherOutFromBeyondIsRejected", start + cap + 0.05, start + cap + 0.06, "BaselineDistance");
  add("MovingBackFromBeyondIsAccepted", start + cap + 0.05, start + cap + 0.04, "");
  if (p.value == preset::conservative) {
    add("AtTheDistanceCapBelowIsAccepted", start - cap + step, start - cap, "");
    add("JustBeyondTheDistanceCapBelowIsRejected", start - cap + step, start - cap - 1e-6, "BaselineDistance");
  }
}

} // namespace

std::vector<review_row> movement_rows() {
  std::vector<review_row> rows;
  for (const named_preset& p : presets()) add_flip_rows(rows, p), add_cumulative_rows(rows, p);
  constexpr auto plus = proposal_kind::apply_plus;
  rows.push_back({.name = "ProbesHaveNoDirectionAndNoSum",
                  .config = unhurried(preset::balanced),
                  .before =
                      [](governor_rig& rig) {
                        for (int i = 0; i < 100; ++i, rig.wait(100ms)) rig.change({i % 2 == 0 ? 0.6 : 0.4}, plus);
                      },
                  .given = update_to({0.4}),
                  .expected = ""});
  knob_spec flag = unit_knob();
  flag.type = knob_type::boolean;
  flag.initial = 0;
  governor_config switches = unhurried(preset::balanced);
  switches.knobs = {flag};
  const auto switched = [](governor_rig& rig) { rig.change({1}), rig.wait(1s), rig.change({0}), rig.wait(1s); };
  rows.push_back({"ThirdSwitchInAMinuteIsRejected", switches, switched, update_to({1}), "CumulativeDelta", "x"});
  rows.push_back({.name = "OperatorsMovesCountForTheSum",
                  .config = unhurried(preset::balanced),
                  .before = [](governor_rig& rig) { rig.command(operator_action::set_values, "", {0.95}); },
                  .given = update_to({0.89}),
                  .expected = "CumulativeDelta",
                  .knob = "x"});
  return rows;
}

std::vector<review_row> distance_rows() {
  std::vector<review_row> rows;
  for (const named_preset& p : presets()) add_distance_rows(rows, p);
  rows.push_back({.name = "ANewBaselineIsTheNewCentre",
                  .config = unhurried(preset::conservative),
                  .before =
                      [](governor_rig& rig) {
                        placed(0.74)(rig);
                        rig.command(operator_action::set_baseline, "new");
                      },
                  .given = update_to({0.79}),
                  .expected = ""});
  return rows;
}

} // namespace homeostat
