#include "sim/loop_actors.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <utility>

namespace homeostat::sim {

namespace {

constexpr duration load_retry = 1s;

std::string text_of(const knob_values& values) {
  std::string text;
  for (double v : values) text += (text.empty() ? "(" : ", ") + number_text(v);
  return text + ")";
}

} // namespace

governor_actor::governor_actor(kernel& k, const scenario& s, const policy_set& policies, invariants& check)
    : kernel_(k), scenario_(s), policies_(policies), check_(check) {}

// ---- starting and ending
// -------------------------------------------------------------------------------------------------

void governor_actor::start(std::string give_up_text) {
  kernel_.bear(party::governor);
  give_up_text_ = std::move(give_up_text);
  phase_ = phase::loading;
  ask_store();
}

void governor_actor::ask_store() {
  kernel_.arm(party::governor, scenario_.times.audit_timeout + load_retry, alarm::load_timeout, ++start_token_);
  kernel_.send(party::governor, party::store, load_request{start_token_});
}

void governor_actor::on(load_answer& a) {
  if (phase_ != phase::loading || a.token != start_token_) return;
  kernel_.crash_point(party::governor);
  persisted_ = std::move(a.state);
  phase_ = phase::reading;
  const duration patience = scenario_.times.actuation_timeout;
  kernel_.arm(party::governor, patience, alarm::read_timeout, ++start_token_);
  kernel_.send(party::governor, party::actuator,
               read_request{.token = start_token_, .deadline = kernel_.at() + patience});
}

void governor_actor::on(const read_answer& a) {
  if (phase_ == phase::reading && a.token == start_token_) recover(a.values);
  if (phase_ == phase::running && a.token == read_token_) {
    const bool first = state_.unread;
    decide(plant_reading{a.values});
    if (first && state_.live_known) check_.read(kernel_.at());
  }
}

void governor_actor::recover(const std::optional<knob_values>& actual) {
  kernel_.crash_point(party::governor);
  ++start_token_;
  ++tally_.recoveries;
  phase_ = phase::running;
  const instant now = kernel_.now();
  std::optional<governor_state> persisted;
  if (persisted_) persisted = *persisted_;
  kernel_.note([&] {
    return "governor: starts " + std::string(persisted ? "from its state" : "for the first time") + ", plant has " +
           (actual ? text_of(*actual) : "no answer");
  });
  governor_step step = policies_.recover(scenario_.governor, std::move(persisted), actual, now);
  check_.recovered(persisted_.get(), actual, step, now, kernel_.at());
  persisted_.reset();
  state_ = std::move(step.state);
  kernel_.send(party::governor, party::source,
               rename_mail{.generation = state_.generation,
                           .last_generation = state_.last_generation - (state_.pending ? 1 : 0)});
  enact(std::move(step.effects), std::nullopt, {});
  if (!give_up_text_.empty()) decide(give_up{std::exchange(give_up_text_, {})});
  if (stop_) decide(*std::exchange(stop_, std::nullopt));
}

void governor_actor::end() {
  if (phase_ == phase::running) check_.governor_lost();
  phase_ = phase::down;
  kernel_.kill(party::governor);
  persisted_.reset();
  if (requester_ && requester_->who == party::authority && kernel_.random().chance(0.5))
    kernel_.send(party::governor, party::authority, request_reply{.token = requester_->token, .verdict = std::nullopt});
  requester_.reset();
  live_.reset();
  for (const unanswered_command& c : commands_) kernel_.send(party::governor, c.to, c.answer);
  commands_.clear();
}

// ---- inputs
// --------------------------------------------------------------------------------------------------------------

void governor_actor::on(proposal_mail& m) {
  const requester from{.who = m.from, .token = m.token};
  if (phase_ == phase::running) return decide(std::move(m.wish), from);
  if (m.from == party::authority)
    return kernel_.send(party::governor, m.from, request_reply{.token = m.token, .verdict = std::nullopt});
  kernel_.send(party::governor, m.from, failed_request{});
}
void governor_actor::on(const audit_answer& a) { decide(a); }
void governor_actor::on(const actuation_answer& a) { decide(a); }
void governor_actor::on(const objective_window& w) { decide(w); }
void governor_actor::on(const operator_command& c) { on(order_mail{.command = c, .from = party::operators}); }
void governor_actor::on(const order_mail& o) {
  if (phase_ != phase::running)
    return kernel_.send(party::governor, o.from,
                        command_answer{.action = o.command.action, .ok = false, .durable = false, .text = "starting"});
  decide(o.command, requester{.who = o.from});
}
void governor_actor::on(const status_request& r) {
  status_answer answer{.token = r.token, .running = phase_ == phase::running, .seen = {}, .drifts = {}};
  if (answer.running && state_.baseline) {
    answer.seen = {.loop = scenario_.governor.loop,
                   .generation = state_.generation,
                   .revision = state_.revision,
                   .base = state_.base,
                   .baseline = state_.baseline->values,
                   .frozen = is_frozen(state_.safe_mode) || state_.stopping,
                   .last_request = state_.last_request,
                   .last_request_revision = state_.last_request_revision,
                   .request_in_flight = state_.pending && !state_.pending->request.empty(),
                   .metrics = {}};
    for (const captured_drift& d : state_.drifts) answer.drifts.push_back(d.revision);
  }
  kernel_.send(party::governor, r.from, std::move(answer));
}
void governor_actor::on(const stop_request& s) {
  if (phase_ == phase::running)
    decide(s);
  else
    stop_ = s;
}

void governor_actor::tell(party listener) {
  if (phase_ == phase::running && live_) kernel_.send(party::governor, listener, *live_);
}

void governor_actor::on(const batch_answer& a) {
  const auto done = [&](const unanswered_command& c) { return c.batch <= a.id; };
  for (unanswered_command& c : commands_) {
    if (!done(c)) continue;
    c.answer.durable = true;
    kernel_.send(party::governor, c.to, c.answer);
  }
  std::erase_if(commands_, done);
}

void governor_actor::on(const alarm_mail& a) {
  switch (a.what) {
  case alarm::look:
    if (a.token == look_token_) decide(tick{});
    break;
  case alarm::audit_timeout:
    if (phase_ == phase::running && state_.pending && state_.pending->ticket == a.token &&
        state_.pending->phase == change_phase::awaiting_audit)
      decide(audit_answer{.ticket = a.token, .status = audit_status::failed, .text = "the audit does not answer"});
    break;
  case alarm::actuation_timeout:
    if (phase_ == phase::running && state_.pending && state_.pending->ticket == a.token &&
        state_.pending->phase == change_phase::awaiting_actuation)
      decide(actuation_answer{.ticket = a.token, .ok = false, .read_back = {}, .text = "the actuator does not answer"});
    break;
  case alarm::command_timeout:
    for (const unanswered_command& c : commands_)
      if (c.batch == a.token) kernel_.send(party::governor, c.to, c.answer);
    std::erase_if(commands_, [&](const unanswered_command& c) { return c.batch == a.token; });
    break;
  case alarm::load_timeout:
    if (phase_ == phase::loading && a.token == start_token_) ask_store();
    break;
  case alarm::read_timeout:
    if (phase_ == phase::reading && a.token == start_token_) recover(std::nullopt);
    break;
  default: break;
  }
}

// ---- decisions and their effects
// -----------------------------------------------------------------------------------------

void governor_actor::decide(const governor_input& input, std::optional<requester> from) {
  if (phase_ != phase::running) return;
  kernel_.crash_point(party::governor);
  const instant now = kernel_.now();
  const auto* command = std::get_if<operator_command>(&input);
  const auto* wish = std::get_if<proposal>(&input);
  governor_step step = policies_.decide(scenario_.governor, std::move(state_), input, now);
  state_ = std::move(step.state);
  ++tally_.decisions;
  check_.decided(input, state_, step.effects, now, kernel_.at());
  const bool taken_up = wish != nullptr && !step.effects.verdict && step.effects.durable_ticket;
  if (taken_up) requester_ = from;
  enact(std::move(step.effects), from, command != nullptr ? command->action : operator_action{});
}

void governor_actor::hand_over_records(governor_effects& effects) {
  if (effects.records.empty() && !effects.persist) return;
  batch_mail batch;
  batch.id = ++batches_;
  batch.ticket = effects.durable_ticket;
  batch.records = std::move(effects.records);
  if (effects.persist) batch.state = std::make_unique<const governor_state>(state_);
  kernel_.send(party::governor, party::store, std::move(batch));
  if (effects.durable_ticket)
    kernel_.arm(party::governor, scenario_.times.audit_timeout, alarm::audit_timeout, *effects.durable_ticket);
}

void governor_actor::answer(const requester& to, const proposal_verdict& verdict) {
  if (to.who == party::authority)
    kernel_.send(party::governor, to.who, request_reply{.token = to.token, .verdict = verdict});
  else
    kernel_.send(party::governor, to.who, verdict);
}

void governor_actor::enact(governor_effects effects, std::optional<requester> from, operator_action command) {
  count(effects);
  trace(effects);
  kernel_.crash_point(party::governor);
  hand_over_records(effects);
  kernel_.crash_point(party::governor);
  if (effects.apply) {
    const duration patience = scenario_.times.actuation_timeout;
    kernel_.arm(party::governor, patience, alarm::actuation_timeout, effects.apply->ticket);
    kernel_.send(party::governor, party::actuator,
                 actuation_mail{.wanted = *effects.apply, .deadline = kernel_.at() + patience});
    kernel_.crash_point(party::governor);
  }
  if (effects.read_plant)
    kernel_.send(party::governor, party::actuator,
                 read_request{.token = read_token_ = ++start_token_,
                              .deadline = kernel_.at() + scenario_.times.actuation_timeout});
  if (effects.live) {
    live_ = effects.live;
    for (party listener : {party::sensor, party::engine, party::source, party::rival}) tell(listener);
    kernel_.crash_point(party::governor);
  }
  if (effects.verdict) {
    const std::optional<requester> to = from ? from : std::exchange(requester_, std::nullopt);
    if (to) answer(*to, *effects.verdict);
    kernel_.crash_point(party::governor);
  }
  if (effects.command) {
    // "Done" is said when the record of it is durable, and not before.
    commands_.push_back(
        {.batch = batches_,
         .to = from ? from->who : party::operators,
         .answer = {.action = command, .ok = effects.command->ok, .durable = false, .text = effects.command->text}});
    kernel_.arm(party::governor, scenario_.times.audit_timeout, alarm::command_timeout, batches_);
  }
  if (effects.look_again) kernel_.arm(party::governor, *effects.look_again - kernel_.now(), alarm::look, ++look_token_);
  if (effects.stopped) {
    phase_ = phase::stopped;
    kernel_.send(party::governor, party::world, governor_stopped{});
  }
}

void governor_actor::count(const governor_effects& effects) {
  if (effects.verdict && effects.verdict->refused)
    ++tally_.refusals[static_cast<std::size_t>(effects.verdict->refused->code)];
  for (const audit_record& r : effects.records) {
    switch (r.kind) {
    case audit_kind::committed: ++tally_.committed; break;
    case audit_kind::aborted: ++tally_.aborted; break;
    case audit_kind::drift: ++tally_.drifts; break;
    case audit_kind::intent: tally_.rollbacks += r.source == "rollback to baseline" ? 1 : 0; break;
    case audit_kind::safe_mode_entered:
      for (std::size_t i = 0; i < safe_mode_reason_count; ++i)
        if (r.source == name_of(static_cast<safe_mode_reason>(i))) ++tally_.safe_modes[i];
      break;
    default: break;
    }
  }
}

void governor_actor::trace(const governor_effects& effects) {
  for (const audit_record& r : effects.records)
    kernel_.note([&] {
      return "governor: " + std::string(name_of(r.kind)) + ", generation " + std::to_string(r.generation) + ", " +
             r.source + (r.after.empty() ? "" : " " + text_of(r.after)) +
             (r.reason ? ", " + homeostat::describe(*r.reason) : "") + (r.text.empty() ? "" : ", " + r.text);
    });
  if (effects.apply)
    kernel_.note([&] {
      return "governor: applies generation " + std::to_string(effects.apply->generation) + " " +
             text_of(effects.apply->values);
    });
}

} // namespace homeostat::sim
