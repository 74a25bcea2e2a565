#include "policies/learning/training_schedule.hpp"

#include "policies/number_text.hpp"

#include <algorithm>

namespace homeostat {

namespace {

std::string minutes(duration d) { return number_text(seconds_of(d) / 60) + " min"; }

training_plan wait_until(instant when, std::string reason) {
  return {.train = false, .look_again = when, .reason = std::move(reason)};
}

training_plan start(const training_schedule& state, const training_schedule_settings& settings, bool has_model,
                    instant now) {
  training_plan p{.train = true, .look_again = now + settings.patience};
  if (!has_model) {
    p.reason = "from scratch: there is no model to continue";
  } else if (state.drift) {
    p.reason = "from scratch: drift was seen";
  } else if (state.outcome != training_outcome::served) {
    p.reason = "from scratch: the last training gave no model of use";
  } else if (state.incremental >= settings.incremental_runs) {
    p.reason = "from scratch: " + std::to_string(state.incremental) + " trainings in a row continued the same model";
  } else {
    p.kind = training_kind::incremental;
    p.reason = "continues the model in use";
  }
  return p;
}

} // namespace

duration pause_after(const training_schedule_settings& settings, std::uint32_t failures) {
  duration pause = settings.first_pause;
  for (std::uint32_t i = 1; i < failures && pause < settings.longest_pause; ++i) pause *= 2;
  return std::min(pause, settings.longest_pause);
}

training_plan plan_training(training_schedule& state, const training_schedule_settings& settings, std::size_t samples,
                            bool has_model, instant now) {
  if (state.started) {
    const instant deadline = *state.started + settings.patience;
    if (now < deadline) return wait_until(deadline, "a training is under way");
    note_ended(state, training_outcome::failed, now);
  }
  if (samples < settings.least_samples)
    return wait_until(now + settings.first_pause,
                      std::to_string(samples) + " samples, " + std::to_string(settings.least_samples) + " needed");
  if (!state.ended) return start(state, settings, has_model, now);
  if (state.failures > 0) {
    const duration pause = pause_after(settings, state.failures);
    if (now < *state.ended + pause)
      return wait_until(*state.ended + pause,
                        std::to_string(state.failures) + " trainings failed in a row: pauses for " + minutes(pause));
    return start(state, settings, has_model, now);
  }
  const duration pause = state.drift ? std::min(settings.after_drift, settings.interval) : settings.interval;
  if (now < *state.ended + pause)
    return wait_until(*state.ended + pause,
                      (state.drift ? "drift was seen: the next training comes " : "the next one comes ") +
                          minutes(pause) + " after the last");
  return start(state, settings, has_model, now);
}

void note_started(training_schedule& state, training_kind kind, instant now) {
  state.started = now;
  state.drift = false;
  state.incremental = kind == training_kind::incremental ? state.incremental + 1 : 0;
}

void note_ended(training_schedule& state, training_outcome outcome, instant now) {
  state.started.reset();
  state.ended = now;
  state.outcome = outcome;
  state.failures = outcome == training_outcome::failed ? state.failures + 1 : 0;
}

} // namespace homeostat
