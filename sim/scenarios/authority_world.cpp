#include "sim/scenarios/authority_world.hpp"

namespace homeostat::sim {

governed_loop loop_of(const std::string& name) {
  governed_loop loop;
  loop.name = name;
  loop.pool = "default";
  loop.knobs = {{.name = "memory", .unit = "MB", .min = 128, .max = 1152, .initial = 256, .concern = "memory"},
                {.name = "pool", .type = knob_type::integer, .min = 1, .max = 101, .initial = 20, .concern = "memory"}};
  return loop;
}

new_proposal wish_for(const std::string& loop, const std::string& knob, double value, const std::string& author) {
  new_proposal wish;
  wish.changes.push_back({.loop = loop, .base_revision = std::nullopt, .knobs = {{knob, value}}});
  wish.author = author;
  wish.evidence = "a test";
  wish.confidence = 0.8;
  return wish;
}

authority_world::authority_world(authority_config c) : config(std::move(c)) {
  for (const governed_loop& loop : config.loops) {
    governed& g = loops[loop.name];
    g.config.loop = loop.name;
    g.config.knobs = loop.knobs;
    g.config.limits.max_delta_per_step = loop.max_delta_per_step;
    g.config.watch_telemetry = false;
    g.core = fresh_state(g.config, now);
    g.plant = g.core.live;
  }
  state = start_authority(config, {}, now);
  observe();
}

proposal_verdict authority_world::decide_at(governed& g, const governor_input& input) {
  proposal_verdict verdict;
  std::deque<governor_input> open{input};
  while (!open.empty()) {
    governor_step step = homeostat::decide(g.config, std::move(g.core), open.front(), now);
    open.pop_front();
    g.core = std::move(step.state);
    for (audit_record& r : step.effects.records) g.records.push_back(std::move(r));
    if (step.effects.durable_ticket)
      open.push_back(audit_answer{.ticket = *step.effects.durable_ticket, .status = audit_status::durable, .text = {}});
    if (step.effects.apply) {
      g.plant = step.effects.apply->values;
      open.push_back(
          actuation_answer{.ticket = step.effects.apply->ticket, .ok = true, .read_back = g.plant, .text = {}});
    }
    if (step.effects.read_plant) open.push_back(plant_reading{.values = g.plant});
    if (step.effects.verdict) verdict = *step.effects.verdict;
  }
  return verdict;
}

void authority_world::give(const loop_request& r) {
  governed& g = loops.at(r.loop);
  proposal_verdict verdict = decide_at(g, r.wanted);
  if (verdict.accepted) g.applied.push_back(r.wanted.id);
  if (lose_answers)
    feed(request_answer{.loop = r.loop, .verdict = std::nullopt});
  else
    feed(request_answer{.loop = r.loop, .verdict = verdict});
  observe(r.loop);
}

authority_effects authority_world::feed(const authority_input& input) {
  authority_effects effects = homeostat::decide(config, state, input, now);
  for (const audit_record& r : effects.records) records.push_back(r);
  if (effects.look_again && *effects.look_again <= now) ++looks_without_time;
  for (const std::uint64_t id : effects.proposals)
    if (const auto p = state.proposals.find(id); p != state.proposals.end())
      kept_proposals_[id] = p->second;
    else
      kept_proposals_.erase(id);
  for (const std::string& id : effects.advice)
    if (const auto r = state.advice.find(id); r != state.advice.end())
      kept_advice_[id] = r->second;
    else
      kept_advice_.erase(id);
  kept_.ledger = state.ledger;
  for (const authority_notice& n : effects.notices) notices.push_back(n);
  for (const loop_order& order : effects.orders) command(order.loop, order.command);
  if (!hold_requests)
    for (const loop_request& r : effects.requests) give(r);
  return effects;
}

void authority_world::observe(const std::string& loop, std::vector<std::optional<double>> metrics) {
  for (auto& [name, g] : loops) {
    if (!loop.empty() && name != loop) continue;
    feed(loop_observation{.loop = name,
                          .generation = g.core.generation,
                          .revision = g.core.revision,
                          .base = g.core.base,
                          .baseline = g.core.baseline->values,
                          .frozen = is_frozen(g.core.safe_mode),
                          .last_request = g.core.last_request,
                          .last_request_revision = g.core.last_request_revision,
                          .request_in_flight = g.core.pending && !g.core.pending->request.empty(),
                          .metrics = loop.empty() ? std::vector<std::optional<double>>{} : metrics});
  }
}

void authority_world::pass(duration span, duration every) {
  const instant end = now + span;
  while (now < end) {
    now = std::min(end, now + every);
    for (auto& [name, g] : loops) decide_at(g, tick{});
    feed(tick{});
    observe();
  }
}

void authority_world::restart() {
  authority_memory memory = kept_;
  for (const auto& [id, p] : kept_proposals_) memory.proposals.push_back(p);
  for (const auto& [id, r] : kept_advice_) memory.advice.push_back(r);
  state = start_authority(config, std::move(memory), now);
  feed(tick{});
  observe();
}

command_result authority_world::command(const std::string& loop, operator_command c) {
  governed& g = loops.at(loop);
  governor_step step = homeostat::decide(g.config, g.core, c, now);
  const command_result result = step.effects.command.value_or(command_result{});
  decide_at(g, c);
  return result;
}

void authority_world::sense(const std::string& loop, const objective_window& window) {
  decide_at(loops.at(loop), window);
}

void authority_world::meddle(const std::string& loop, knob_values values) { loops.at(loop).plant = values; }

} // namespace homeostat::sim
