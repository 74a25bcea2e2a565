#include "sim/neighbour.hpp"

#include "sim/plant.hpp"

#include <utility>

namespace homeostat::sim {

neighbour::neighbour(kernel& k, const scenario& s, const policy_set& policies, invariants& check)
    : kernel_(k), scenario_(s), policies_(policies), check_(check), draw_(s.seed, 12) {}

void neighbour::start() {
  state_ = fresh_state(scenario_.authority->neighbour, kernel_.now());
  plant_ = state_.live;
  kernel_.arm(party::neighbour, draw_.exponential(scenario_.times.run / 10), alarm::turn);
}

std::optional<proposal_verdict> neighbour::decide(const governor_input& input, bool by_automation) {
  constexpr int most_steps = 20;
  std::optional<proposal_verdict> verdict;
  std::deque<governor_input> open{input};
  std::string request;
  if (const auto* p = std::get_if<proposal>(&input)) request = p->request;
  for (int i = 0; i < most_steps && !open.empty(); ++i) {
    const bool frozen = is_frozen(state_.safe_mode);
    governor_step step =
        policies_.decide(scenario_.authority->neighbour, std::move(state_), open.front(), kernel_.now());
    open.pop_front();
    state_ = std::move(step.state);
    const governor_effects& e = step.effects;
    for (const audit_record& r : e.records)
      if (r.kind == audit_kind::committed && r.classification != change_class::operator_change &&
          r.classification != change_class::rollback && !request.empty())
        check_.authority().came_into_force("neighbour", request, r.generation, r.revision);
    if (e.durable_ticket)
      open.push_back(audit_answer{.ticket = *e.durable_ticket, .status = audit_status::durable, .text = {}});
    if (e.apply) {
      if (frozen && by_automation) check_.authority().moved_in_safe_mode("neighbour");
      plant_ = e.apply->values;
      open.push_back(actuation_answer{.ticket = e.apply->ticket, .ok = true, .read_back = plant_, .text = {}});
    }
    if (e.read_plant) open.push_back(plant_reading{.values = plant_});
    if (e.verdict) verdict = e.verdict;
  }
  return verdict;
}

void neighbour::on(proposal_mail& m) {
  decide(tick{}, true);
  const auto verdict = decide(std::move(m.wish), true);
  if (!kernel_.strikes(fault::mail_lost))
    kernel_.send(party::neighbour, m.from, request_reply{.token = m.token, .verdict = verdict});
}

void neighbour::on(const order_mail& o) {
  const bool program = o.command.actor == "homeostat" && o.command.action == operator_action::set_values;
  decide(o.command, program);
}

void neighbour::on(const status_request& r) {
  decide(tick{}, true);
  kernel_.send(party::neighbour, r.from,
               status_answer{.token = r.token,
                             .running = true,
                             .seen = {.loop = "neighbour",
                                      .generation = state_.generation,
                                      .revision = state_.revision,
                                      .base = state_.base,
                                      .baseline = state_.baseline->values,
                                      .frozen = is_frozen(state_.safe_mode),
                                      .last_request = state_.last_request,
                                      .last_request_revision = state_.last_request_revision,
                                      .request_in_flight = state_.pending && !state_.pending->request.empty(),
                                      .metrics = {}},
                             .drifts = {}});
}

void neighbour::on(const alarm_mail& a) {
  if (a.what != alarm::turn) return;
  meddle();
  kernel_.arm(party::neighbour, scenario_.times.run / 60 + draw_.exponential(scenario_.times.run / 12), alarm::turn);
}

void neighbour::meddle() {
  operator_command c{.action = operator_action::reset_safe_mode, .actor = "nina", .text = "because", .values = {}};
  const double kind = draw_.uniform();
  if (kind < 0.25)
    c.action = operator_action::set_values, c.values = random_values(draw_, scenario_.authority->neighbour.knobs);
  else if (kind < 0.35)
    c.action = operator_action::pause;
  else if (kind < 0.5)
    c.action = operator_action::rollback;
  else if (kind < 0.65)
    c.action = operator_action::set_baseline;
  kernel_.note([&] { return "neighbour: its people command " + std::to_string(static_cast<int>(c.action)); });
  decide(c, false);
}

} // namespace homeostat::sim
