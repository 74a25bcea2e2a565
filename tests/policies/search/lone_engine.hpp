#pragma once

#include "tests/policies/search/engine_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace homeostat {

inline constexpr instant t0{std::chrono::seconds(1'800'000'000)};

inline knob_spec unit_knob(std::string name = "x") {
  knob_spec knob;
  knob.name = std::move(name);
  knob.initial = 0.5;
  return knob;
}

inline engine_settings settings_of(std::vector<knob_spec> knobs) {
  engine_settings settings;
  settings.knobs = std::move(knobs);
  settings.limits.min_interval = 0us;
  return settings;
}

inline knob_spec integer_knob(double max, double initial) {
  knob_spec knob = unit_knob();
  knob.type = knob_type::integer;
  knob.max = max;
  knob.initial = initial;
  return knob;
}

/// An engine that is told what a test wants it to hear.
class lone_engine {
public:
  explicit lone_engine(engine_settings s, std::uint64_t seed = 1)
      : settings(std::move(s)), state(fresh_engine(settings, seed, initial_values(settings.knobs))),
        live_{.generation = 1,
              .revision = 1,
              .applied_at = now,
              .values = initial_values(settings.knobs),
              .base = initial_values(settings.knobs),
              .frozen = false,
              .baseline = initial_values(settings.knobs)} {
    tell_live();
  }
  void tell_live() { on_live(state, settings, live_, now); }
  /// What it asks for, after the least time between two changes.
  engine_decision next() {
    now += settings.limits.min_interval;
    return next_proposal(state, settings, now);
  }

  /// The governor accepts what was asked.
  void accept(const proposal& p) {
    ++live_.generation;
    live_.values = p.values;
    if (!is_probe(p.kind)) live_.base = p.values, ++live_.revision;
    tell_live();
    proposal_verdict v{
        .proposal_id = p.id,
        .accepted =
            receipt{.generation = live_.generation, .revision = live_.revision, .applied_at = now, .values = p.values},
        .refused = {}};
    on_verdict(state, settings, v, now);
  }
  void refuse(const proposal& p, violation_code code, std::optional<instant> retry_at = std::nullopt) {
    on_verdict(state, settings,
               {.proposal_id = p.id, .accepted = {}, .refused = violation{.code = code, .retry_at = retry_at}}, now);
  }
  void window(double mean, double variance = 0, std::int64_t generation_off = 0) {
    objective_window w;
    w.generation = live_.generation + static_cast<std::uint64_t>(generation_off);
    w.digests = 5;
    w.mean = mean;
    w.variance = variance;
    on_window(state, settings, w, now);
  }
  /// Somebody else moves the base point.
  void foreign_change(knob_values values) {
    ++live_.generation, ++live_.revision;
    live_.values = live_.base = values;
    tell_live();
    // Values like those asked for may be its own: then it waits for a verdict, and here none will come.
    if (state.expects == engine_expectation::verdict) {
      on_no_answer(state, settings, now);
      now += settings.retry_pause;
    }
  }
  void freeze(bool frozen) { live_.frozen = frozen, tell_live(); }
  /// Both sides of a perturbation. @returns what is decided then.
  engine_decision perturb(double y_plus, double y_minus, double variance = 0) {
    accept(*next().ask);
    window(y_plus, variance);
    accept(*next().ask);
    window(y_minus, variance);
    return next();
  }

  instant now{t0};
  engine_settings settings;
  engine_state state;

private:
  live_configuration live_;
};

} // namespace homeostat
