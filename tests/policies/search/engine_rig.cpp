#include "tests/policies/search/engine_rig.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace homeostat {

engine_settings settings_for(const governor_config& config) {
  engine_settings settings;
  settings.knobs = config.knobs;
  settings.limits = config.limits;
  return settings;
}

engine_rig::engine_rig(governor_config c, engine_settings s, std::uint64_t seed,
                       std::function<objective_window(const knob_values&)> objective)
    : config(std::move(c)), settings(std::move(s)), engine(fresh_engine(settings, seed, initial_values(config.knobs))),
      now(std::chrono::seconds(1'800'000'000)), objective_(std::move(objective)) {
  take(recover(config, std::nullopt, initial_values(config.knobs), now));
}

void engine_rig::give(const governor_input& input) { take(decide(config, std::move(governor), input, now)); }

void engine_rig::take(governor_step taken) {
  governor = std::move(taken.state);
  const governor_effects effects = std::move(taken.effects);
  if (effects.live) on_live(engine, settings, *effects.live, now);
  if (effects.verdict) {
    if (effects.verdict->accepted)
      ++accepted;
    else
      ++refusals[std::string(name_of(effects.verdict->refused->code))];
    on_verdict(engine, settings, *effects.verdict, now);
  }
  if (effects.durable_ticket)
    give(audit_answer{.ticket = *effects.durable_ticket, .status = audit_status::durable, .text = {}});
  if (effects.apply)
    give(actuation_answer{.ticket = effects.apply->ticket, .ok = true, .read_back = effects.apply->values, .text = {}});
}

void engine_rig::propose(const proposal& p) {
  if (is_probe(p.kind))
    for (std::size_t i = 0; i < config.knobs.size(); ++i)
      farthest_probe = std::max(farthest_probe, std::abs(displacement(config.knobs[i], governor.base[i], p.values[i])));
  give(p);
}

void engine_rig::step(duration until_next_window) {
  const instant next = now + until_next_window;
  for (int asks = 0; asks < 10; ++asks) { // an update is followed by the next probe as soon as the guardrails let it
    const engine_decision decision = next_proposal(engine, settings, now);
    if (decision.ask)
      propose(*decision.ask);
    else if (decision.look_again && *decision.look_again < next)
      now = std::max(now, *decision.look_again);
    else
      break;
  }
  now = next;
  give(tick{});
  objective_window w = objective_(governor.live);
  w.generation = governor.generation;
  w.end = now;
  give(w);
  on_window(engine, settings, w, now);
}

} // namespace homeostat
