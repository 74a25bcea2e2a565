// How often: rates, intervals, the probes' share, the pause after a rollback.
#include "tests/policies/safety/review_rows.hpp"

namespace homeostat {

namespace {

governor_config at_rate(double per_second, duration min_interval = 0us, double probe_share = 0.8) {
  governor_config config = config_of({unit_knob()});
  config.limits.max_updates_per_second = per_second;
  config.limits.min_interval = min_interval;
  config.limits.probe_share = probe_share;
  return config;
}

/// This many changes a microsecond apart, too small to have a direction; then time passes since the first of them.
std::function<void(governor_rig&)> changes(int count, duration since_first,
                                           proposal_kind kind = proposal_kind::update) {
  return [=](governor_rig& rig) {
    const instant first = rig.now;
    for (int i = 0; i < count; ++i, rig.wait(1us)) rig.change({i % 2 == 0 ? 0.501 : 0.5}, kind);
    rig.now = first + since_first;
  };
}

struct rate_case {
  std::string name;
  double per_second;
  int count;     ///< changes in one window
  duration span; ///< length of the window
};

} // namespace

std::vector<review_row> pace_rows() {
  std::vector<review_row> rows;
  for (const rate_case& c :
       {rate_case{"TenPerSecond", 10, 10, 1s}, rate_case{"TwentyPerSecond", 20, 20, 1s},
        rate_case{"TwoPerSecond", 2, 2, 1s}, rate_case{"TwoAndAHalfPerSecond", 2.5, 2, 800ms},
        rate_case{"OneInTenSeconds", 0.1, 1, 10s}, rate_case{"OneInFiveHours", 1.0 / 18'000, 1, 18'000s}}) {
    const std::string limit = std::to_string(c.count);
    rows.push_back({c.name + "LastOfTheWindowIsAccepted", at_rate(c.per_second), changes(c.count - 1, 1ms),
                    update_to({0.502}), ""});
    rows.push_back({.name = c.name + "OneMoreBeforeItsEndIsRejected",
                    .config = at_rate(c.per_second),
                    .before = changes(c.count, c.span - 1us),
                    .given = update_to({0.502}),
                    .expected = "RateLimitExceeded",
                    .text = "RateLimitExceeded: " + std::to_string(c.count + 1) + ", limit " + limit +
                            " changes in the rate window",
                    .retry_after = 1us});
    rows.push_back({c.name + "OneMoreAtItsEndIsAccepted", at_rate(c.per_second), changes(c.count, c.span),
                    update_to({0.502}), ""});
  }
  for (const auto& [name, p] : presets()) {
    const governor_config config = config_of({unit_knob()}, p);
    const duration interval = config.limits.min_interval;
    rows.push_back({.name = name + "BeforeMinIntervalIsRejected",
                    .config = config,
                    .before = changes(1, interval - 1us),
                    .given = update_to({0.502}),
                    .expected = "RateLimitExceeded",
                    .text = "RateLimitExceeded: 2, limit 1 changes in the rate window",
                    .retry_after = 1us});
    rows.push_back({name + "AtMinIntervalIsAccepted", config, changes(1, interval), update_to({0.502}), ""});
    const duration stable = config.rollback.min_stable_time;
    const auto rolled_back = [](duration ago) {
      return [=](governor_rig& rig) {
        rig.change({0.51});
        rig.wait(1s);
        rig.command(operator_action::rollback);
        rig.wait(ago);
      };
    };
    rows.push_back({.name = name + "BeforeStableTimeAfterRollbackIsRejected",
                    .config = config,
                    .before = rolled_back(stable - 500ms),
                    .given = update_to({0.502}),
                    .expected = "CooldownActive",
                    .text = "CooldownActive: 0.5 s of cooldown left",
                    .retry_after = 500ms});
    rows.push_back({.name = name + "JustBeforeStableTimeAfterRollbackIsRejected",
                    .config = config,
                    .before = rolled_back(stable - 1us),
                    .given = update_to({0.502}),
                    .expected = "CooldownActive",
                    .retry_after = 1us});
    rows.push_back({name + "AtStableTimeAfterRollbackIsAccepted", config, rolled_back(stable), update_to({0.502}), ""});
  }
  constexpr auto plus = proposal_kind::apply_plus;
  rows.push_back({"ProbeWithinItsShareIsAccepted", at_rate(10), changes(7, 1ms, plus), probe_to({0.502}), ""});
  rows.push_back({.name = "ProbeBeyondItsShareIsRejected",
                  .config = at_rate(10),
                  .before = changes(8, 1s - 1us, plus),
                  .given = probe_to({0.502}),
                  .expected = "RateLimitExceeded",
                  .text = "RateLimitExceeded: 9, limit 8 changes in the rate window",
                  .retry_after = 1us});
  rows.push_back({"ProbeAfterItsWindowIsAccepted", at_rate(10), changes(8, 1s, plus), probe_to({0.502}), ""});
  rows.push_back({"UpdateIsNotHeldUpByTheProbesShare", at_rate(10), changes(8, 1ms, plus), update_to({0.502}), ""});
  rows.push_back({.name = "ProbesCountForTheUpdateRate",
                  .config = at_rate(10, 0us, 1.0),
                  .before = changes(10, 1ms, plus),
                  .given = update_to({0.502}),
                  .expected = "RateLimitExceeded",
                  .retry_after = 999ms});
  rows.push_back({.name = "SlowProbesWaitForTheirOwnWindow",
                  .config = at_rate(0.1, 0us, 0.5),
                  .before = changes(1, 10s, plus),
                  .given = probe_to({0.502}),
                  .expected = "RateLimitExceeded",
                  .retry_after = 10s});
  rows.push_back({.name = "ChangeInFlightRejectsTheNext",
                  .config = at_rate(10),
                  .before = [](governor_rig& rig) { rig.propose({0.501}); },
                  .given = update_to({0.502}),
                  .expected = "RateLimitExceeded"});
  rows.push_back({.name = "AFailedChangeCountsForTheRate",
                  .config = at_rate(0.1),
                  .before =
                      [](governor_rig& rig) {
                        rig.propose({0.501});
                        rig.answer_audit();
                        rig.answer_actuator(false);
                        rig.settle();
                      },
                  .given = update_to({0.502}),
                  .expected = "RateLimitExceeded",
                  .retry_after = 10s});
  rows.push_back({.name = "AnOperatorsChangeDoesNotUseUpTheRate",
                  .config = at_rate(0.1),
                  .before = [](governor_rig& rig) { rig.command(operator_action::set_values, "", {0.51}); },
                  .given = update_to({0.502}),
                  .expected = ""});
  rows.push_back({.name = "AnOperatorsChangeStartsTheMinInterval",
                  .config = at_rate(10, 100ms),
                  .before = [](governor_rig& rig) { rig.command(operator_action::set_values, "", {0.51}); },
                  .given = update_to({0.502}),
                  .expected = "RateLimitExceeded",
                  .retry_after = 100ms});
  return rows;
}

} // namespace homeostat
