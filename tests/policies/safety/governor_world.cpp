#include "tests/policies/safety/governor_world.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <ostream>
#include <sstream>
#include <utility>

namespace homeostat {

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

template <class value, std::size_t count>
const value& pick(const std::array<value, count>& from, std::uint32_t choice) {
  return from[choice % count];
}

knob_spec named(std::string name) {
  knob_spec k;
  k.name = std::move(name);
  k.initial = 0.5;
  return k;
}

std::vector<knob_spec> knob_menu(std::uint32_t choice) {
  knob_spec log = named("log");
  log.scale = knob_scale::log, log.min = 0.01, log.max = 1e4, log.initial = 3;
  knob_spec angle = named("angle");
  angle.scale = knob_scale::periodic, angle.min = -180, angle.max = 180, angle.initial = 170;
  knob_spec whole = named("whole");
  whole.type = knob_type::integer, whole.min = 1, whole.max = 40, whole.initial = 20;
  knob_spec grid = named("grid");
  grid.min = 0, grid.max = 10, grid.step = 0.25, grid.initial = 2.5;
  knob_spec flag = named("flag");
  flag.type = knob_type::boolean, flag.initial = 0;
  knob_spec mode = named("mode");
  mode.type = knob_type::categorical, mode.max = 2, mode.initial = 1, mode.categories = {"a", "b", "c"};
  knob_spec units = named("units");
  units.max = 200, units.initial = 100, units.step_limit = unit_step_limit{.up = 10, .down = 4};
  knob_spec log_units = log;
  log_units.name = "log_units", log_units.step_limit = unit_step_limit{.up = 2, .down = 1};
  switch (choice % 6) {
  case 0: return {named("x")};
  case 1: return {named("x"), named("y"), named("z")};
  case 2: return {log, angle, whole};
  case 3: return {flag, mode, named("x")};
  case 4: return {units, log_units, grid};
  default: return {whole, grid, angle, log, flag};
  }
}

/// Everything that happened, as text: NaN equals NaN here, and a difference can be read.
std::string text_of(const governor_effects& e) {
  std::ostringstream out;
  out << std::hexfloat;
  const auto values = [&](const knob_values& v) {
    out << "[";
    for (double x : v) out << x << " ";
    out << "]";
  };
  const auto reason = [&](const violation& v) {
    out << name_of(v.code) << v.knob << v.value << "/" << v.limit << "@"
        << (v.retry_at ? v.retry_at->time_since_epoch().count() : -1);
  };
  for (const audit_record& r : e.records) {
    out << "\n"
        << name_of(r.kind) << " " << r.time.time_since_epoch().count() << " g" << r.generation << " r" << r.revision
        << name_of(r.change) << name_of(r.classification) << r.source << r.actor << r.evidence << r.text;
    values(r.before), values(r.after);
    if (r.reason) reason(*r.reason);
  }
  if (e.durable_ticket) out << "\nticket " << *e.durable_ticket;
  if (e.apply) out << "\napply " << e.apply->ticket << " " << e.apply->generation, values(e.apply->values);
  if (e.live)
    out << "\nlive " << e.live->generation << " " << e.live->revision << " "
        << e.live->applied_at.time_since_epoch().count() << e.live->frozen,
        values(e.live->values), values(e.live->base), values(e.live->baseline);
  if (e.verdict && e.verdict->accepted)
    out << "\naccepted " << e.verdict->proposal_id << " " << e.verdict->accepted->generation,
        values(e.verdict->accepted->values);
  if (e.verdict && e.verdict->refused) out << "\nrefused " << e.verdict->proposal_id, reason(*e.verdict->refused);
  if (e.command) out << "\ncommand " << e.command->ok << e.command->text;
  out << "\n" << e.persist << e.stopped << (e.look_again ? e.look_again->time_since_epoch().count() : -1);
  return out.str();
}

} // namespace

std::ostream& operator<<(std::ostream& out, const happening& h) {
  return out << "{" << h.what << "," << h.a << "," << h.b << "," << h.c << "}";
}

governor_config hostile_config(std::uint32_t choice) {
  governor_config config;
  config.loop = "loop";
  config.knobs = knob_menu(choice);
  choice /= 6;
  const preset p = pick(std::array{preset::conservative, preset::balanced, preset::aggressive}, choice);
  choice /= 3;
  config.limits = guardrails_of(p);
  config.rollback = rollback_of(p);
  config.limits.max_updates_per_second =
      pick(std::array{config.limits.max_updates_per_second, 0.1, 2.5, 1000.0}, choice);
  choice /= 4;
  config.limits.min_interval = pick(std::array{config.limits.min_interval, duration(0us)}, choice);
  choice /= 2;
  config.rollback.max_rollbacks_per_hour = 1 + choice % 3;
  choice /= 3;
  config.rollback.on_regression = choice % 4 != 0;
  config.safe_mode.repeated_violation_limit = 1 + choice % 10;
  config.safe_mode.cooldown = pick(std::array{duration(60s), duration(500ms)}, choice);
  config.epoch = 7;
  config.watch_telemetry = choice % 3 == 0;
  return config;
}

governor_world::governor_world(governor_config config)
    : config_(std::move(config)), checker_(config_), clock_(std::chrono::seconds(1'800'000'000)),
      durable_checker_(config_), plant_(initial_values(config_.knobs)) {
  state_ = fresh_state(config_, clock_);
  take(nullptr, state_, recover(config_, std::nullopt, plant_, clock_));
}

void governor_world::give(const governor_input& input) {
  const governor_state before = state_;
  governor_step once = decide(config_, before, input, clock_);
  governor_step twice = decide(config_, before, input, clock_);
  if (!(once.state == twice.state) || text_of(once.effects) != text_of(twice.effects))
    checker_.complain("I7: the same step came out differently");
  take(&input, before, std::move(once));
}

void governor_world::take(const governor_input* input, const governor_state& before, governor_step step) {
  checker_.watch(input, before, step, clock_);
  state_ = std::move(step.state);
  governor_effects& e = step.effects;
  for (const audit_record& r : e.records) {
    commits += r.kind == audit_kind::committed ? 1U : 0U;
    rollbacks += r.kind == audit_kind::committed && r.source == "rollback to baseline" ? 1U : 0U;
    freezes += r.kind == audit_kind::safe_mode_entered ? 1U : 0U;
    aborts += r.kind == audit_kind::aborted ? 1U : 0U;
    drifts += r.kind == audit_kind::drift ? 1U : 0U;
  }
  refusals += e.verdict && e.verdict->refused ? 1U : 0U;
  if (e.durable_ticket) waiting_for_audit_ = e.durable_ticket;
  if (!e.records.empty() || e.persist) {
    batch b{.records = std::move(e.records), .state = {}, .seen = {}, .ticket = e.durable_ticket};
    if (e.persist) b.state = state_, b.seen = checker_;
    queue_.push_back(std::move(b));
  }
  if (e.apply) actuating_ = e.apply;
  look_again_ = e.look_again;
  if (e.stopped) {
    flush(queue_.size());
    restart(plant_, 1s);
  }
}

// ---- the store
// -----------------------------------------------------------------------------------------------------------

void governor_world::write(const batch& b) {
  checker_.durable(b.records);
  if (!b.state) return;
  durable_state_ = b.state;
  durable_checker_ = *b.seen;
}

void governor_world::flush(std::size_t count) {
  for (; count > 0 && !queue_.empty(); --count) {
    write(queue_.front());
    queue_.pop_front();
  }
}

void governor_world::answer_audit(const happening& h) {
  const bool full = h.a % 12 == 0, failed = h.a % 12 == 1;
  const auto asked =
      std::ranges::find_if(queue_, [&](const batch& b) { return b.ticket && b.ticket == waiting_for_audit_; });
  if (!waiting_for_audit_ || asked == queue_.end()) return flush(queue_.size());
  flush(static_cast<std::size_t>(asked - queue_.begin()));
  if (full || (failed && h.b % 2 == 0))
    queue_.pop_front(); // of a failed write nobody knows whether it happened
  else
    flush(1);
  give(audit_answer{.ticket = *std::exchange(waiting_for_audit_, std::nullopt),
                    .status = full ? audit_status::full : (failed ? audit_status::failed : audit_status::durable),
                    .text = "store"});
}

// ---- the plant
// -----------------------------------------------------------------------------------------------------------

void governor_world::answer_plant(const happening& h) {
  if (!actuating_) return;
  const actuation a = *std::exchange(actuating_, std::nullopt);
  actuation_answer answer{.ticket = a.ticket, .ok = true, .read_back = a.values, .text = "plant"};
  const knob_values before = plant_;
  switch (h.a % 16) {
  case 0: answer.ok = false; break;                    // fails
  case 1: answer.ok = false, plant_ = a.values; break; // fails, and yet has done it
  case 2:                                              // fails half-way
    answer.ok = false;
    plant_[0] = a.values[0];
    break;
  case 3: answer.read_back = before; break; // claims success
  case 4:                                   // reads back nonsense
    plant_ = a.values;
    answer.read_back[h.b % answer.read_back.size()] = pick(std::array{nan, inf, -1e300, 0.0}, h.c);
    break;
  case 5: answer.read_back = {}; break;
  case 6: answer.read_back.push_back(0); break;
  default:
    plant_ = a.values;
    for (std::size_t i = 0; i < plant_.size(); ++i) // rounds what it reads back
      if (config_.knobs[i].type == knob_type::continuous && h.b % 2 == 0) answer.read_back[i] *= 1 + 1e-12;
  }
  give(answer);
}

void governor_world::answer_late(const happening& h) {
  const std::uint64_t ticket = state_.last_ticket + 1 - std::min<std::uint64_t>(h.a % 4, state_.last_ticket);
  const bool current = state_.pending && state_.pending->ticket == ticket;
  if (current) return;
  if (h.b % 2 == 0)
    give(audit_answer{
        .ticket = ticket, .status = pick(std::array{audit_status::durable, audit_status::failed}, h.c), .text = {}});
  else
    give(actuation_answer{.ticket = ticket, .ok = h.c % 2 == 0, .read_back = plant_, .text = "late"});
}

void governor_world::crash(const happening& h) {
  ++crashes;
  flush(h.a % (queue_.size() + 1));
  if (actuating_) {
    if (h.b % 3 == 0) plant_ = actuating_->values;
    if (h.b % 3 == 1) plant_[h.c % plant_.size()] = actuating_->values[h.c % plant_.size()];
  }
  if (h.b % 7 == 0) plant_ = near_base(h); // somebody turned a knob meanwhile
  if (h.b % 31 == 0) plant_[0] = config_.knobs[0].max * 3 + 1;
  std::optional<knob_values> actual = plant_;
  if (h.c % 9 == 0) actual.reset();
  if (h.c % 9 == 1) (*actual)[0] = pick(std::array{nan, inf}, h.a);
  const duration passed = pick(
      std::array{duration(0us), duration(1s), duration(100s), duration(-1s), duration(-3700s), duration(24h)}, h.c / 9);
  restart(actual, passed);
}

void governor_world::restart(std::optional<knob_values> actual, duration time_passed) {
  clock_ += time_passed;
  queue_.clear();
  waiting_for_audit_.reset();
  actuating_.reset();
  std::vector<std::string> complaints = checker_.complaints();
  checker_ = durable_state_ ? durable_checker_ : governor_checker(config_);
  const duration set_back =
      durable_state_ && durable_state_->last_now > clock_ ? duration(durable_state_->last_now - clock_) : duration(0);
  checker_.crashed(set_back);
  checker_.keep(std::move(complaints));
  governor_step once = recover(config_, durable_state_, actual, clock_);
  const governor_step twice = recover(config_, durable_state_, actual, clock_);
  if (!(once.state == twice.state) || text_of(once.effects) != text_of(twice.effects))
    checker_.complain("I7: the same step came out differently");
  take(nullptr, state_, std::move(once));
}

// ---- proposals
// -----------------------------------------------------------------------------------------------------------

knob_values governor_world::near_base(const happening& h) const {
  constexpr std::array fractions{0.0, 0.1, 0.4, 0.999999, 1.0, 1.000001, -0.1, -0.4, -1.0, -1.000001, 0.05, -0.05};
  knob_values values = state_.base;
  std::uint32_t choice = h.a ^ (h.b << 3U);
  for (std::size_t i = 0; i < values.size(); ++i, choice = choice * 1664525U + 1013904223U) {
    const knob_spec& k = config_.knobs[i];
    const double fraction = pick(fractions, choice >> 8U) * config_.limits.max_delta_per_step;
    if (is_ordered(k))
      values[i] = value_at(k, position_of(k, values[i]) + fraction);
    else if (h.c % 16 == 0)
      values[i] = k.max - values[i];
  }
  return values;
}

proposal governor_world::draft(knob_values values, std::uint32_t kind) const {
  proposal p;
  p.kind = pick(
      std::array{proposal_kind::update, proposal_kind::apply_plus, proposal_kind::apply_minus, proposal_kind::update},
      kind);
  p.id = kind;
  p.base_generation = state_.generation;
  p.base_revision = state_.revision;
  p.epoch = config_.epoch;
  p.values = values;
  p.source = "strategy";
  return p;
}

void governor_world::propose(const happening& h) {
  give(draft(near_base(h), h.c));
  if (h.b % 2 == 0) return;
  answer_audit({.a = 5}); // half of the time all goes well
  answer_plant({.a = 15});
}

void governor_world::propose_nonsense(const happening& h) {
  proposal p = draft(near_base(h), h.b);
  const std::size_t i = h.b % config_.knobs.size();
  switch (h.a % 12) {
  case 0: p.values[i] = nan; break;
  case 1: p.values[i] = inf; break;
  case 2: p.values[i] = -inf; break;
  case 3: p.values[i] = std::numeric_limits<double>::denorm_min(); break;
  case 4: p.values[i] = std::nextafter(config_.knobs[i].max, inf); break;
  case 5: p.values[i] = 1e308; break;
  case 6: p.values = {}; break;
  case 7: p.values.push_back(0.5); break;
  case 8: p.base_generation = h.c; break;
  case 9: p.epoch = h.c % 16; break;
  case 10: p.approved = false; break;
  default: p.classification = static_cast<change_class>(h.c % 5); break;
  }
  const int flood = h.c % 8 == 0 ? 30 : 1;
  for (int n = 0; n < flood; ++n) give(p);
}

// ---- telemetry and people
// ------------------------------------------------------------------------------------------------

void governor_world::sense(const happening& h) {
  objective_window w;
  w.generation = h.a % 8 == 0 ? state_.generation + h.b % 3 - 1 : state_.generation;
  w.digests = 5;
  w.mean = pick(std::array{100.0, 101.0, 99.0, 100.5, 120.0, 150.0, 80.0, 300.0, -50.0, nan, inf, 1e300}, h.b);
  if (h.a % 8 < 6 && !(std::abs(w.mean) < 1e3)) w.mean = 100 + static_cast<double>(h.c % 100) / 100;
  if (h.a % 5 == 0) w.constraint_margin = pick(std::array{1.0, -1.0, 0.0, nan}, h.c);
  const int count = h.c % 4 == 0 ? 5 : 1;
  for (int n = 0; n < count; ++n) give(w);
}

void governor_world::command(const happening& h) {
  using action = operator_action;
  constexpr std::array actions{action::pause,        action::resume,     action::rollback, action::reset_safe_mode,
                               action::set_baseline, action::set_values, action::resume,   action::reset_safe_mode};
  operator_command c{.action = pick(actions, h.a), .actor = "alice", .text = "why", .values = {}};
  if (c.action == operator_action::set_values) {
    c.values = near_base(h);
    c.override_bounds = h.b % 4 == 0;
    if (h.c % 4 == 0)
      c.values[h.b % c.values.size()] = pick(std::array{0.0, -3.0, 1e9, nan, inf, 1e308, 12.0}, h.c / 4);
    if (h.c % 32 == 1) c.values.push_back(1);
  }
  give(c);
}

void governor_world::happen(const happening& h) {
  constexpr std::array steps{duration(0us), duration(1us),   duration(10ms), duration(100ms), duration(500ms),
                             duration(1s),  duration(5s),    duration(10s),  duration(31s),   duration(60s),
                             duration(61s), duration(3600s), duration(-1us), duration(-1s),   duration(-7200s)};
  switch (h.what % 32) {
  case 0:
  case 1:
  case 2:
  case 3:
  case 4:
  case 5:
    if (h.b % 3 != 0) clock_ = std::max(clock_, state_.last_now); // the clock is put right again
    clock_ += pick(steps, h.a);
    return give(tick{});
  case 6:
  case 7:
  case 8:
  case 9:
  case 10:
  case 11:
  case 12: return propose(h);
  case 13:
  case 14: return propose_nonsense(h);
  case 15:
  case 16:
  case 17:
  case 18:
  case 19: return answer_audit(h);
  case 20:
  case 21:
  case 22:
  case 23:
  case 24: return answer_plant(h);
  case 25: return answer_late(h);
  case 26:
  case 27: return sense(h);
  case 28: return command(h);
  case 29: return crash(h);
  case 30:
    if (look_again_) clock_ = std::max(clock_, *look_again_);
    return give(tick{});
  default:
    if (h.a % 8 == 0) return give(give_up{.text = "restarts"});
    if (h.a % 8 == 1) return give(stop_request{.revert = h.b % 2 == 0});
    return answer_audit(h);
  }
}

} // namespace homeostat
