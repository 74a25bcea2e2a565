#include "tests/policies/safety/governor_rig.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace homeostat {

namespace {
constexpr instant start{std::chrono::seconds(1'800'000'000)};
} // namespace

knob_spec unit_knob(std::string name) {
  knob_spec knob;
  knob.name = std::move(name);
  knob.initial = 0.5;
  return knob;
}

governor_config config_of(std::vector<knob_spec> knobs) {
  governor_config config;
  config.loop = "loop";
  config.knobs = std::move(knobs);
  config.watch_telemetry = false;
  return config;
}

governor_config config_of(std::vector<knob_spec> knobs, preset p) {
  governor_config config = config_of(std::move(knobs));
  config.limits = guardrails_of(p);
  config.rollback = rollback_of(p);
  return config;
}

governor_rig::governor_rig(governor_config c) : config(std::move(c)), now(start), plant(initial_values(config.knobs)) {
  take(recover(config, std::nullopt, plant, now));
}

governor_rig::governor_rig(governor_config c, std::optional<governor_state> persisted,
                           std::optional<knob_values> actual, instant at)
    : config(std::move(c)), now(at), plant(actual.value_or(knob_values{})) {
  take(recover(config, std::move(persisted), actual, now));
}

void governor_rig::take(governor_step step) {
  state = std::move(step.state);
  last = std::move(step.effects);
  std::ranges::copy(last.records, std::back_inserter(records));
  if (last.durable_ticket) open_audit = last.durable_ticket;
  if (last.apply) open_actuation = last.apply, actuations.push_back(*last.apply);
  if (last.verdict) verdict = last.verdict;
  if (last.command) answer = last.command;
  if (last.live) announced = last.live;
}

const governor_effects& governor_rig::give(const governor_input& input) {
  take(decide(config, std::move(state), input, now));
  return last;
}

const governor_effects& governor_rig::tick_after(duration d) {
  wait(d);
  return give(tick{});
}

proposal governor_rig::draft(knob_values values, proposal_kind kind) const {
  proposal p;
  p.kind = kind;
  p.id = state.last_generation + 1;
  p.base_generation = state.generation;
  p.base_revision = state.revision;
  p.epoch = config.epoch;
  p.values = values;
  p.source = "test";
  p.evidence = "because";
  return p;
}

const governor_effects& governor_rig::propose(knob_values values, proposal_kind kind) {
  return give(draft(values, kind));
}

proposal_verdict governor_rig::change(knob_values values, proposal_kind kind) {
  verdict.reset();
  propose(values, kind);
  settle();
  return verdict.value_or(proposal_verdict{});
}

command_result governor_rig::command(operator_action action, std::string text, knob_values values,
                                     bool override_bounds) {
  answer.reset();
  give(operator_command{.action = action,
                        .actor = "alice",
                        .text = std::move(text),
                        .values = values,
                        .override_bounds = override_bounds});
  const command_result result = answer.value_or(command_result{});
  settle();
  return result;
}

const governor_effects& governor_rig::window(double mean, std::optional<double> margin) {
  objective_window w;
  w.generation = state.generation;
  w.begin = now - 500ms;
  w.end = now;
  w.digests = 5;
  w.samples = 100;
  w.mean = mean;
  w.constraint_margin = margin;
  return give(w);
}

void governor_rig::windows(double mean, int count) {
  for (int i = 0; i < count; ++i) {
    wait(500ms);
    window(mean);
    settle();
  }
}

const governor_effects& governor_rig::answer_audit(audit_status status) {
  return give(
      audit_answer{.ticket = std::exchange(open_audit, std::nullopt).value_or(0), .status = status, .text = "disk"});
}

const governor_effects& governor_rig::answer_actuator() {
  plant = open_actuation->values;
  return answer_actuator(true, plant);
}

const governor_effects& governor_rig::answer_actuator(bool ok, knob_values read_back) {
  const actuation a = std::exchange(open_actuation, std::nullopt).value_or(actuation{});
  return give(actuation_answer{.ticket = a.ticket, .ok = ok, .read_back = read_back, .text = "plant"});
}

void governor_rig::settle() {
  while (open_audit || open_actuation) {
    if (open_audit)
      answer_audit();
    else
      answer_actuator();
  }
}

std::vector<audit_record> governor_rig::records_of(audit_kind kind) const {
  std::vector<audit_record> found;
  std::ranges::copy_if(records, std::back_inserter(found), [&](const audit_record& r) { return r.kind == kind; });
  return found;
}

} // namespace homeostat
