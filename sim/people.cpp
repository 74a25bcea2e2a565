#include "sim/people.hpp"

#include "sim/plant.hpp"

#include <limits>
#include <utility>

namespace homeostat::sim {

// ---- operators
// -----------------------------------------------------------------------------------------------------------

operators::operators(kernel& k, const scenario& s, invariants& check)
    : kernel_(k), scenario_(s), check_(check), draw_(s.seed, 6) {}

void operators::start() {
  kernel_.arm(party::operators, draw_.exponential(scenario_.times.run / 10), alarm::turn, ++turn_token_);
}

void operators::on(const alarm_mail& a) {
  if (a.what != alarm::turn || a.token != turn_token_) return;
  // A command that was never answered is given up on after this long: the process may be down.
  act();
  kernel_.arm(party::operators,
              (paused_ ? scenario_.times.run / 40 : scenario_.times.run / 15) +
                  draw_.exponential(scenario_.times.run / 15),
              alarm::turn, ++turn_token_);
}

knob_values operators::draw_values(bool& override_bounds) {
  const auto& knobs = scenario_.governor.knobs;
  knob_values values = random_values(draw_, knobs);
  const std::size_t one = draw_.below(knobs.size());
  const double kind = draw_.uniform();
  override_bounds = kind > 0.6;
  if (kind < 0.6) return values;
  const double range = knobs[one].max - knobs[one].min;
  if (kind < 0.75)
    values[one] = knobs[one].max + range * draw_.uniform(0.01, 1);
  else if (kind < 0.85)
    values[one] = knobs[one].min - range * draw_.uniform(0.01, 1);
  else if (kind < 0.9)
    values[one] = 0;
  else if (kind < 0.95)
    values[one] = std::numeric_limits<double>::quiet_NaN();
  else
    values = knob_values(std::span<const double>(values.begin(), values.size() - 1));
  return values;
}

operator_command operators::draw_command() {
  operator_command c;
  c.actor = "alice";
  c.text = "because";
  const double kind = draw_.uniform();
  if (paused_ && kind < 0.7)
    c.action = operator_action::resume;
  else if (kind < 0.15)
    c.action = operator_action::pause;
  else if (kind < 0.3)
    c.action = operator_action::resume;
  else if (kind < 0.5)
    c.action = operator_action::rollback;
  else if (kind < 0.65)
    c.action = operator_action::reset_safe_mode;
  else if (kind < 0.75)
    c.action = operator_action::set_baseline;
  else {
    c.action = operator_action::set_values;
    c.values = draw_values(c.override_bounds);
  }
  return c;
}

void operators::act() {
  operator_command c = draw_command();
  ++commands_;
  if (c.action == operator_action::pause) paused_ = true;
  if (c.action == operator_action::resume || c.action == operator_action::reset_safe_mode) paused_ = false;
  kernel_.note([&] { return "operator: command " + std::to_string(static_cast<int>(c.action)); });
  check_.command_given(c.action);
  kernel_.send(party::operators, party::governor, std::move(c));
}

bool operators::on(const command_answer& a) {
  if (!a.ok || !a.durable) return false;
  check_.command_acknowledged(a.action);
  return a.action == operator_action::reset_safe_mode;
}

// ---- the hostile proposer
// ------------------------------------------------------------------------------------------------

rival::rival(kernel& k, const scenario& s) : kernel_(k), scenario_(s), draw_(s.seed, 7) {}

void rival::start() { kernel_.arm(party::rival, draw_.exponential(scenario_.times.run / 20), alarm::turn); }

void rival::on(const alarm_mail& a) {
  if (a.what != alarm::turn) return;
  const std::uint32_t burst = draw_.chance(0.2) ? draw_.whole(5, 30) : 1;
  for (std::uint32_t i = 0; i < burst; ++i) act();
  kernel_.arm(party::rival, draw_.exponential(scenario_.times.run / 60), alarm::turn);
}

proposal rival::draw_proposal() {
  const auto& knobs = scenario_.governor.knobs;
  proposal p;
  constexpr proposal_kind kinds[] = {proposal_kind::update, proposal_kind::update, proposal_kind::apply_plus,
                                     proposal_kind::apply_minus, proposal_kind::no_change};
  p.kind = kinds[draw_.below(5)];
  p.classification = draw_.chance(0.8) ? change_class::proposal : change_class::auto_tune;
  p.id = draw_.below(50);
  p.approved = draw_.chance(0.9);
  p.epoch = draw_.chance(0.9) ? scenario_.epoch : draw_.below(scenario_.epoch + 2);
  p.base_generation = live_ ? live_->generation : 1;
  p.base_revision = live_ ? live_->revision : 1;
  if (draw_.chance(0.1)) p.base_generation = draw_.below(p.base_generation + 3);
  if (draw_.chance(0.1)) p.base_revision = draw_.below(p.base_revision + 3);
  p.source = "stranger";
  // Half of them are passable: a short way from the base point.
  p.values = live_ ? live_->base : initial_values(knobs);
  const double reach = draw_.chance(0.6) ? scenario_.governor.limits.max_delta_per_step : draw_.uniform(0, 1);
  for (std::size_t i = 0; i < knobs.size(); ++i) {
    if (!is_ordered(knobs[i])) {
      if (draw_.chance(0.2)) p.values[i] = value_at(knobs[i], draw_.uniform());
      continue;
    }
    const double place = position_of(knobs[i], p.values[i]);
    p.values[i] = value_at(knobs[i], place + draw_.uniform(-reach, reach));
  }
  const std::size_t one = draw_.below(knobs.size());
  const double garbage = draw_.uniform();
  if (garbage < 0.05)
    p.values[one] = std::numeric_limits<double>::quiet_NaN();
  else if (garbage < 0.1)
    p.values[one] = -std::numeric_limits<double>::infinity();
  else if (garbage < 0.15)
    p.values[one] = knobs[one].max * 2 + 1;
  else if (garbage < 0.2)
    p.values = knob_values{};
  else if (garbage < 0.25 && p.values.size() < max_knobs)
    p.values.push_back(0);
  else if (garbage < 0.3)
    p.values[one] += 0.3; // off the grid, between two integers
  return p;
}

void rival::act() {
  ++proposals_;
  kernel_.send(party::rival, party::governor, proposal_mail{.wish = draw_proposal(), .from = party::rival});
}

} // namespace homeostat::sim
