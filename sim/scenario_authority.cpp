// Draws the authority of a run: who has to agree to what, how soon, and who asks. The design's waits of minutes, hours
// and days are scaled to the run, which lasts an hour at most.
#include "sim/scenario.hpp"

#include "policies/authority/feedback_source.hpp"

#include <algorithm>

namespace homeostat::sim {

namespace {

constexpr const char* concerns[] = {"", "memory", "latency"};

void draw_risks(draw& d, std::vector<knob_spec>& knobs) {
  const bool risky = d.chance(0.4);
  for (knob_spec& k : knobs) {
    k.risk = risky ? static_cast<risk_class>(d.below(risk_class_count)) : risk_class::low;
    k.concern = concerns[d.below(3)];
    k.security_relevant = d.chance(0.04);
  }
}

tuning_rule draw_rule(draw& d, const std::vector<knob_spec>& knobs, duration run, std::size_t number) {
  tuning_rule r;
  r.name = "rule" + std::to_string(number);
  r.metric = "signal" + std::to_string(number);
  r.above = d.chance(0.5);
  r.threshold = r.above ? d.uniform(0, 0.8) : d.uniform(-0.8, 0);
  r.release = r.threshold + (r.above ? -1 : 1) * d.uniform(0, 0.5);
  r.sustained = scaled(run, d.uniform(0, 0.01));
  r.cooldown = scaled(run, d.uniform(0.005, 0.05));
  r.knob = d.below(knobs.size());
  const knob_spec& knob = knobs[r.knob];
  r.min = knob.min, r.max = knob.max;
  if (!is_ordered(knob)) {
    r.step = value_at(knob, d.uniform());
    return r;
  }
  const double range = knob.max - knob.min;
  if (d.chance(0.5)) r.min += range * d.uniform(0, 0.3), r.max -= range * d.uniform(0, 0.3);
  r.step = range * d.uniform(0.02, 0.3) * (d.chance(0.5) ? 1 : -1);
  return r;
}

governed_loop draw_loop(draw& d, const char* name, const governor_config& governor, duration run) {
  governed_loop loop;
  loop.name = name;
  loop.pool = d.chance(0.7) ? "default" : name;
  loop.pattern = static_cast<feedback_pattern>(d.below(4));
  loop.knobs = governor.knobs;
  loop.max_delta_per_step = governor.limits.max_delta_per_step;
  const std::uint32_t rules = d.whole(0, 2);
  for (std::uint32_t i = 0; i < rules; ++i) loop.rules.push_back(draw_rule(d, loop.knobs, run, i));
  loop.priority = static_cast<int>(d.below(3));
  loop.total_change_cap = d.uniform(1.1, 4);
  loop.settle_after_neighbours = scaled(run, d.uniform(0, 0.02));
  if (d.chance(0.2)) loop.return_to_baseline = scaled(run, d.uniform(0.05, 0.3));
  return loop;
}

review_settings draw_review(draw& d, duration run) {
  review_settings r;
  if (run < 15min || d.chance(0.7)) r.auto_apply_after = scaled(run, d.uniform(0.002, 0.03));
  r.acknowledge_within = scaled(run, d.uniform(0.02, 0.1));
  r.escalate_after = scaled(r.acknowledge_within, d.uniform(1.2, 2.5));
  r.expire_after = r.escalate_after + scaled(run, d.uniform(0.02, 0.3));
  r.keep_decided = scaled(run, d.uniform(0.05, 0.5));
  r.max_open = d.whole(2, 12);
  r.max_refusals = d.whole(3, 100);
  return r;
}

std::vector<feedback_source> draw_sources(draw& d, duration run) {
  const auto cooldown = [&] { return scaled(run, d.uniform(0, 0.02)); };
  return {{.name = "optuna",
           .trust = d.chance(0.5) ? trust_level::medium : trust_level::high,
           .cooldown = cooldown(),
           .requires_proposal = false},
          {.name = "rumour",
           .trust = d.chance(0.5) ? trust_level::low : trust_level::very_low,
           .cooldown = cooldown(),
           .requires_proposal = false},
          {.name = "careful", .trust = trust_level::high, .cooldown = cooldown(), .requires_proposal = true}};
}

governor_config draw_neighbour(draw& d) {
  governor_config g;
  g.loop = "neighbour";
  g.knobs = {{.name = "threads", .min = 1, .max = 101, .initial = 40},
             {.name = "memory", .scale = knob_scale::log, .min = 16, .max = 16384, .initial = 512}};
  draw_risks(d, g.knobs);
  g.limits = guardrails_of(static_cast<preset>(d.below(3)));
  g.watch_telemetry = false;
  return g;
}

} // namespace

void draw_authority(draw& d, scenario& s) {
  const duration run = s.times.run;
  authority_scenario& a = s.authority.emplace();
  draw_risks(d, s.governor.knobs);
  if (d.chance(0.7)) s.governor.drift_check = scaled(run, d.uniform(0.005, 0.05));
  a.neighbour = draw_neighbour(d);
  a.config.loops = {draw_loop(d, "loop", s.governor, run), draw_loop(d, "neighbour", a.neighbour, run)};
  a.config.sources = draw_sources(d, run);
  a.config.review = draw_review(d, run);
  a.config.contention = {.alternations = d.whole(2, 4), .span = scaled(run, d.uniform(0.05, 0.3))};
  a.config.production = d.chance(0.15);
  a.config.changes_per_hour = d.whole(1, 12);
  a.config.advice_expires = scaled(run, d.uniform(0.1, 0.5));
  a.config.max_advice = d.whole(3, 20);
  a.request_timeout = s.times.audit_timeout + d.span(0us, 2s);
  // Longer than the supervisors wait for a verdict; in some worlds not by enough.
  const duration verdict = s.times.audit_timeout + s.times.actuation_timeout + 5s;
  a.verdict_timeout = d.chance(0.8) ? verdict : scaled(verdict, d.uniform(0.1, 0.9));
  a.observe_every = scaled(run, d.uniform(0.003, 0.01));
  a.pause = scaled(run, d.uniform(0.005, 0.02));
  a.strategy = d.chance(0.3);
  a.supervision = {.intensity = d.whole(2, 8), .period = 60s};
  if (d.chance(0.3))
    for (const fault f : {fault::mail_lost, fault::mail_duplicated})
      add_periods(d, s.faults[static_cast<std::size_t>(f)], run, d.uniform(0.02, 0.3), d.uniform(0.1, 0.4));
}

} // namespace homeostat::sim
