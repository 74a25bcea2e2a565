#include "policies/find_named.hpp"
#include "policies/number_text.hpp"
#include "policies/transfer/policy_knobs.hpp"
#include "runtime/config/readers.hpp"
#include "runtime/plants/cache/knobs.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace homeostat::yaml {

namespace {

constexpr std::string_view pgbouncer_knob = "default_pool_size";

/// How long a healthy loop may be without a window: a change is applied, its effect settles, the digest in progress is
/// lost, and then the window fills.
duration longest_gap(const window_settings& w, const source_config& source) {
  const std::int64_t by_span = (w.span.count() + source.interval.count() - 1) / source.interval.count();
  const std::int64_t digests = std::min<std::int64_t>(w.digests, std::max<std::int64_t>(by_span, 1));
  return source.patience + w.settle_time + source.interval * (digests + 1);
}

void check_timing(const mapping& spec, const loop_config& loop, const source_config& source) {
  const duration timeout = loop.governor.safe_mode.telemetry_timeout;
  const duration gap = longest_gap(loop.window, source);
  if (loop.governor.watch_telemetry && timeout <= gap) {
    value place = spec.place_of("safe_mode");
    place.path += ".telemetry_timeout";
    place.refuse(
        "is " + duration_text(timeout),
        "more than " + duration_text(gap) + ", the longest time between two windows of a healthy loop: patience " +
            duration_text(source.patience) + ", settle " + duration_text(loop.window.settle_time) +
            ", one digest that is lost and the digests of one window, every " + duration_text(source.interval));
  }
  value window = spec.place_of("window");
  if (loop.window.span < source.interval) {
    window.path += ".span";
    window.refuse("is " + duration_text(loop.window.span),
                  "at least the interval of Source " + source.name + ", " + duration_text(source.interval));
  }
  if (loop.window.max_age < source.patience) {
    window = spec.place_of("window");
    window.path += ".max_age";
    window.refuse("is " + duration_text(loop.window.max_age), "at least the patience of Source " + source.name + ", " +
                                                                  duration_text(source.patience) +
                                                                  ": a reading may take that long");
  }
}

// ---- can every knob move? -----------------------------------------------------------------------------------------

/// The neighbours a knob on a grid can go to from its default.
std::vector<double> neighbours(const knob_spec& knob) {
  const double grid = knob.step.value_or(1.0);
  std::vector<double> result;
  for (double value : {knob.initial + grid, knob.initial - grid}) {
    if (knob.scale == knob_scale::periodic) {
      if (value > knob.max) value -= knob.max - knob.min;
      if (value < knob.min) value += knob.max - knob.min;
    }
    if (is_admissible(knob, value)) result.push_back(value);
  }
  return result;
}

/// Rounded up to three digits, so that following the advice is enough.
std::string at_least(double fraction) { return number_text(std::ceil(fraction * 1000 - 1e-9) / 1000); }

void check_mobility(const value& place, const knob_spec& knob, const guardrails& limits) {
  if (is_ordered(knob) && knob.type == knob_type::continuous && !knob.step) return;
  double smallest = switch_displacement;
  double unit_way = 0;
  double target = 0;
  bool allowed = !is_ordered(knob);
  if (is_ordered(knob)) {
    smallest = 2;
    for (double value : neighbours(knob)) {
      const double way = std::abs(displacement(knob, knob.initial, value));
      allowed = allowed || !exceeds(way, step_limit_of(knob, knob.initial, value, limits.max_delta_per_step));
      if (way < smallest) smallest = way, unit_way = std::abs(value - knob.initial), target = value;
    }
  }
  if (smallest > 1)
    return; // the grid has one value; check() has complained or the knob is a constant by its own bounds
  const std::string name = "knob '" + knob.name + "' can never move: ";
  if (!allowed) {
    const std::string move =
        "its smallest move, from " + number_text(knob.initial) + " to " + number_text(target) + ", is ";
    if (knob.step_limit)
      place.refuse(name + move + number_text(unit_way) + ", and its max_delta is less; set max_delta to at least " +
                   number_text(unit_way));
    else
      place.refuse(name + move + number_text(smallest) + " of its range, and max_delta_per_step is " +
                   number_text(limits.max_delta_per_step) + "; set max_delta of the knob to at least " +
                   number_text(unit_way) + ", or max_delta_per_step to at least " + at_least(smallest));
    return;
  }
  const auto over = [&](std::string_view key, double limit) {
    if (exceeds(smallest, limit))
      place.refuse(name + "its smallest move is " + number_text(smallest) + " of its range, and " + std::string(key) +
                   " is " + number_text(limit) + "; set " + std::string(key) + " to at least " + at_least(smallest));
  };
  over("max_cumulative_delta_per_minute", limits.max_cumulative_delta_per_minute);
  over("max_baseline_distance", limits.max_baseline_distance);
}

// ---- does the plant have these knobs? -----------------------------------------------------------------------------

struct plant_knob {
  std::string_view name;
  double min;
  double max;
  bool integer;
};

void check_plant_knobs(const mapping& spec, const std::vector<value>& places, const loop_config& loop,
                       std::string_view plant, const std::vector<plant_knob>& expected) {
  std::vector<std::string_view> names;
  for (const plant_knob& k : expected) names.push_back(k.name);
  bool strangers = false;
  for (std::size_t i = 0; i < loop.governor.knobs.size(); ++i) {
    const knob_spec& knob = loop.governor.knobs[i];
    const auto fact = std::ranges::find(expected, knob.name, &plant_knob::name);
    if (fact == expected.end()) {
      const auto meant = closest_name(knob.name, names);
      places[i].refuse("knob '" + knob.name + "' is unknown to the plant " + std::string(plant) +
                           (meant ? " (did you mean '" + std::string(*meant) + "'?)" : ""),
                       one_of(names));
      strangers = true;
      continue;
    }
    if (fact->integer && knob.type != knob_type::integer)
      places[i].refuse("knob '" + knob.name + "' is not of type integer",
                       "type integer, as the plant " + std::string(plant) + " has it");
    if (knob.min < fact->min || knob.max > fact->max)
      places[i].refuse("knob '" + knob.name + "' has the bounds " + number_text(knob.min) + " to " +
                           number_text(knob.max),
                       "bounds within those of the plant " + std::string(plant) + ", " + number_text(fact->min) +
                           " to " + number_text(fact->max));
  }
  if (strangers) return; // more likely misnamed than forgotten
  for (const plant_knob& k : expected)
    if (std::ranges::find(loop.governor.knobs, k.name, &knob_spec::name) == loop.governor.knobs.end())
      spec.place_of("knobs").refuse("lacks the knob '" + std::string(k.name) + "'",
                                    "every knob of the plant " + std::string(plant) + ": " + list_of(names));
}

/// The knobs of a pool's policy may be some of its keys, within its bounds; what they begin with, the pool says.
void check_pool_knobs(const std::vector<value>& places, const loop_config& loop, const std::string& pool,
                      const transfer_policy& policy) {
  const std::vector<knob_spec> known = policy_knobs(policy);
  std::vector<std::string_view> names;
  for (const knob_spec& k : known) names.push_back(k.name);
  for (std::size_t i = 0; i < loop.governor.knobs.size(); ++i) {
    const knob_spec& knob = loop.governor.knobs[i];
    const knob_spec* fact = find_named(known, knob.name);
    const std::string name = "knob '" + knob.name + "' ";
    if (!fact) {
      const auto meant = closest_name(knob.name, names);
      places[i].refuse(name + "is unknown to the policy of a pool" +
                           (meant ? " (did you mean '" + std::string(*meant) + "'?)" : ""),
                       one_of(names));
    } else if (knob.type != fact->type) {
      places[i].refuse(name + "is of type " + std::string(knob_type_words().words[static_cast<std::size_t>(knob.type)]),
                       "type " + std::string(knob_type_words().words[static_cast<std::size_t>(fact->type)]));
    } else if (knob.categories != fact->categories) {
      places[i].refuse(name + "has other categories than the policy",
                       list_of(std::vector<std::string_view>(fact->categories.begin(), fact->categories.end())));
    } else if (knob.min < fact->min || knob.max > fact->max) {
      places[i].refuse(name + "has the bounds " + number_text(knob.min) + " to " + number_text(knob.max),
                       "bounds within " + number_text(fact->min) + " to " + number_text(fact->max));
    } else if (knob.initial != fact->initial) {
      places[i].refuse(name + "has the default " + number_text(knob.initial),
                       "what Pool " + pool + " begins with, " + number_text(fact->initial));
    }
  }
}

void check_plant(const mapping& spec, const std::vector<value>& places, const loop_config& loop,
                 const source_config& source, const transfer_policy* pool_policy) {
  if (std::holds_alternative<cache_demo_source>(source.what)) {
    std::vector<plant_knob> expected;
    for (const cache::knob_fact& k : cache::knob_facts) expected.push_back({k.name, k.minimum, k.maximum, k.integer});
    check_plant_knobs(spec, places, loop, "cache_demo", expected);
  } else if (std::holds_alternative<pgbouncer_source>(source.what)) {
    check_plant_knobs(spec, places, loop, "pgbouncer", {{pgbouncer_knob, 1, 1e9, true}});
  } else if (pool_policy) {
    check_pool_knobs(places, loop, *pool_of(source), *pool_policy);
  }
  // I2: the record is durable before the value is visible to anyone outside this process.
  if (loop.audit == audit_mode::queued && !std::holds_alternative<cache_demo_source>(source.what))
    spec.place_of("audit").refuse("is 'queued', but " +
                                      (pool_of(source) ? "what Source " + source.name + " changes outlives this process"
                                                       : "Source " + source.name + " changes another process"),
                                  "durable");
}

} // namespace

void check_loop(const mapping& spec, const loop_config& loop, const sound_parts& sound) {
  const auto knobs = spec.find("knobs");
  if (!loop.governor.knobs.empty() && knobs) {
    problem_list reported_already("", "");
    value quiet = *knobs;
    quiet.problems = &reported_already;
    std::vector<value> places = items_of(quiet, "").value_or(std::vector<value>{});
    for (value& place : places) place.problems = knobs->problems;
    for (std::size_t i = 0; i < places.size() && sound.policy; ++i)
      check_mobility(places[i], loop.governor.knobs[i], loop.governor.limits);
    if (sound.source != nullptr) check_plant(spec, places, loop, *sound.source, sound.pool_policy);
  }
  if (sound.source != nullptr && sound.policy) check_timing(spec, loop, *sound.source);
}

} // namespace homeostat::yaml
