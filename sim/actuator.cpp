#include "sim/actuator.hpp"

#include <limits>
#include <utility>

namespace homeostat::sim {

namespace {
constexpr duration life_check = 100ms;
}

actuator::actuator(kernel& k, const scenario& s, plant& p, invariants& check)
    : kernel_(k), scenario_(s), plant_(p), check_(check) {}

void actuator::on(const actuation_mail& m) {
  queue_.push_back({.what = m.wanted, .deadline = m.deadline, .comes_out = {}, .landed = false});
  begin_next();
}

void actuator::on(const read_request& m) {
  queue_.push_back({.what = m, .deadline = m.deadline, .comes_out = {}, .landed = false});
  begin_next();
}

actuator::outcome actuator::draw_outcome() {
  if (kernel_.strikes(fault::actuator_refuses)) return outcome::refused;
  if (kernel_.strikes(fault::actuator_partial)) return outcome::partial;
  if (kernel_.strikes(fault::answer_lost)) return outcome::silent;
  if (kernel_.strikes(fault::wrong_read_back)) return outcome::wrong_answer;
  if (kernel_.strikes(fault::false_success)) return outcome::lie;
  if (kernel_.strikes(fault::plant_reverts)) return outcome::reverts;
  return outcome::applied;
}

void actuator::begin_next() {
  while (!present_ && !queue_.empty()) {
    if (kernel_.active(fault::actuator_dead)) {
      if (!std::exchange(waiting_for_life_, true)) kernel_.arm(party::actuator, life_check, alarm::finish, 1);
      return;
    }
    operation op = std::move(queue_.front());
    queue_.pop_front();
    // Nobody waits for it any more: applying it now would change the plant behind the governor's back.
    if (kernel_.at() > op.deadline) continue;
    duration takes = scaled(scenario_.times.actuation, kernel_.random().uniform(0.3, 1));
    if (kernel_.strikes(fault::actuator_slow)) takes += kernel_.random().exponential(scenario_.times.actuation_timeout);
    if (std::holds_alternative<actuation>(op.what)) {
      op.comes_out = draw_outcome();
      kernel_.arm(party::actuator, scaled(takes, kernel_.random().uniform(0.2, 1)), alarm::land);
    }
    kernel_.arm(party::actuator, takes + 1us, alarm::finish);
    present_ = std::move(op);
  }
}

void actuator::land(operation& op) {
  const auto* wanted = std::get_if<actuation>(&op.what);
  if (wanted == nullptr || op.landed) return;
  op.landed = true;
  if (op.comes_out == outcome::refused) return;
  before_ = plant_.values();
  if (op.comes_out == outcome::lie) {
    // It names the values as if they were in force: from here on nobody can know.
    plant_.apply(wanted->values, wanted->generation);
    check_.applied(wanted->generation, wanted->values, true, kernel_.at());
    plant_.tamper(before_);
    return check_.disturbed();
  }
  knob_values values = wanted->values;
  const bool partial = op.comes_out == outcome::partial;
  if (partial)
    for (std::size_t i = 0; i < values.size(); ++i)
      if (kernel_.random().chance(0.5)) values[i] = before_[i];
  plant_.apply(values, wanted->generation);
  check_.applied(wanted->generation, wanted->values, !partial, kernel_.at());
}

void actuator::answer(const operation& op, const actuation& wanted) {
  actuation_answer a{.ticket = wanted.ticket, .ok = true, .read_back = plant_.values(), .text = {}};
  switch (op.comes_out) {
  case outcome::applied:
  case outcome::reverts: break;
  case outcome::silent: return;
  case outcome::refused:
  case outcome::partial: a.ok = false, a.read_back = {}, a.text = "the plant refused"; break;
  case outcome::lie: a.read_back = wanted.values; break;
  case outcome::wrong_answer: {
    const std::size_t one = kernel_.random().below(a.read_back.size());
    const double kind = kernel_.random().uniform();
    if (kind < 0.2)
      a.read_back = {};
    else if (kind < 0.4)
      a.read_back[one] = std::numeric_limits<double>::quiet_NaN();
    else
      a.read_back[one] = a.read_back[one] == scenario_.governor.knobs[one].min ? scenario_.governor.knobs[one].max
                                                                               : scenario_.governor.knobs[one].min;
    break;
  }
  }
  kernel_.send(party::actuator, party::governor, std::move(a));
  if (op.comes_out == outcome::reverts)
    kernel_.arm(party::actuator, kernel_.random().exponential(500ms), alarm::revert, wanted.generation);
}

void actuator::finish() {
  operation op = std::move(*present_);
  present_.reset();
  land(op);
  if (const auto* wanted = std::get_if<actuation>(&op.what)) {
    answer(op, *wanted);
  } else {
    read_answer a{.token = std::get<read_request>(op.what).token, .values = plant_.values()};
    if (kernel_.strikes(fault::read_garbage)) {
      const double kind = kernel_.random().uniform();
      if (kind < 0.3)
        a.values.reset();
      else if (kind < 0.5)
        a.values = knob_values{};
      else if (kind < 0.75)
        (*a.values)[0] = std::numeric_limits<double>::quiet_NaN();
      else
        (*a.values)[0] = scenario_.governor.knobs[0].max + 1;
      check_.disturbed();
    }
    kernel_.send(party::actuator, party::governor, std::move(a));
  }
  begin_next();
}

void actuator::on(const alarm_mail& a) {
  switch (a.what) {
  case alarm::land:
    if (present_) land(*present_);
    break;
  case alarm::finish:
    if (a.token == 1)
      waiting_for_life_ = false;
    else if (present_)
      finish();
    begin_next();
    break;
  case alarm::revert:
    if (plant_.label() != a.token || before_.empty()) break;
    plant_.tamper(before_);
    check_.disturbed();
    kernel_.note([] { return std::string("plant: falls back to what it had before"); });
    break;
  default: break;
  }
}

void actuator::on_end() {
  if (present_ && kernel_.random().chance(0.5)) land(*present_);
  present_.reset();
  queue_.clear();
  waiting_for_life_ = false;
  kernel_.kill(party::actuator);
}

} // namespace homeostat::sim
