// What an online strategy goes on from.
#include "messages/codec_online.hpp"

#include "messages/codec_fields.hpp"

namespace homeostat::codec {

namespace {

using codec::get, codec::put;

// No state is larger: 20 hypotheses (model_bank.hpp), 64 regimes (memory_tuning), 100 first looks (adaptive_tuning).
constexpr int most_members = 20;
constexpr int most_regimes = 64;
constexpr int most_values = 100;
// A level, slopes, curvatures, couplings and velocities of 16 knobs.
constexpr int most_coefficients = 1 + 3 * static_cast<int>(max_knobs) + 16 * 15 / 2;

void limit(int count, int most, const char* what) {
  if (count > most)
    throw malformed(std::string(what) + " has " + std::to_string(count) + " entries, expected at most " +
                    std::to_string(most));
}

void get_some(const doubles& in, std::vector<double>& out, const char* what, int most = max_knobs) {
  limit(in.size(), most, what);
  get(in, out);
}

void put(v1::OnlineStep* out, const online_step& x) {
  put(out->mutable_point(), x.point);
  out->set_reason(static_cast<std::uint32_t>(x.reason));
}

void get(const v1::OnlineStep& in, online_step& x) {
  get_some(in.point(), x.point, "point");
  x.reason = enum_at<online_reason>(in.reason(), 12, "reason");
}

void put(v1::BankMember* out, const bank_member& x) {
  v1::QuadraticFilter* f = out->mutable_filter();
  f->set_dimensions(x.filter.dimensions);
  f->set_cross(x.filter.cross);
  f->set_moving(x.filter.moving);
  put(f->mutable_mean(), x.filter.mean);
  put(f->mutable_covariance(), x.filter.covariance);
  out->set_logarithmic(x.logarithmic);
  out->set_speed(x.speed);
  out->set_turn(x.turn);
  out->set_noise(x.noise);
  out->set_record(x.record);
}

void get(const v1::BankMember& in, bank_member& x) {
  const v1::QuadraticFilter& f = in.filter();
  x.filter.dimensions = f.dimensions();
  x.filter.cross = f.cross();
  x.filter.moving = f.moving();
  get_some(f.mean(), x.filter.mean, "mean", most_coefficients);
  get_some(f.covariance(), x.filter.covariance, "covariance", most_coefficients * most_coefficients);
  x.logarithmic = in.logarithmic();
  x.speed = in.speed();
  x.turn = in.turn();
  x.noise = in.noise();
  x.record = in.record();
}

void put(v1::ModelBank* out, const model_bank& x) {
  for (const bank_member& m : x.members) put(out->add_members(), m);
  out->set_best(x.best);
  out->set_scale(x.scale);
}

void get(const v1::ModelBank& in, model_bank& x) {
  limit(in.members_size(), most_members, "members");
  for (const auto& m : in.members()) get(m, x.members.emplace_back());
  x.best = in.best();
  x.scale = in.scale();
}

void put(v1::ChangeEvidence* out, const evidence& x) {
  out->set_sum(x.sum);
  out->set_fresh(x.fresh);
  out->set_weight(x.weight);
  out->set_values(x.values);
}

void get(const v1::ChangeEvidence& in, evidence& x) { x = {in.sum(), in.fresh(), in.weight(), in.values()}; }

void put(v1::ChangeDetector* out, const change_detector& x) {
  put(out->mutable_worse(), x.worse);
  put(out->mutable_better(), x.better);
  out->set_since_change(x.since_change);
}

void get(const v1::ChangeDetector& in, change_detector& x) {
  get(in.worse(), x.worse);
  get(in.better(), x.better);
  x.since_change = in.since_change();
}

template <class Looks> void put_looks(Looks* out, const std::vector<planned_look>& looks) {
  for (const planned_look& look : looks) {
    v1::PlannedLook* l = out->Add();
    put(l->mutable_place(), look.place);
    l->set_regime(look.regime);
  }
}

template <class Looks> void get_looks(const Looks& in, std::vector<planned_look>& looks) {
  limit(in.size(), most_regimes + 1, "looks");
  for (const v1::PlannedLook& l : in) {
    planned_look& look = looks.emplace_back();
    get_some(l.place(), look.place, "place");
    look.regime = l.regime();
  }
}

void put(v1::RegimeMemory* out, const regime_memory& x) {
  out->set_written(x.written);
  for (const regime& r : x.regimes) {
    v1::Regime* m = out->add_regimes();
    m->set_id(r.id);
    m->set_version(r.version);
    put(m->mutable_centre(), r.centre);
    put(m->mutable_model(), r.model);
    m->set_used_at(r.used_at);
    m->set_useless_looks(r.useless_looks);
    m->set_passed_over(r.passed_over);
  }
}

void get(const v1::RegimeMemory& in, regime_memory& x) {
  limit(in.regimes_size(), most_regimes, "regimes");
  x.written = in.written();
  for (const v1::Regime& m : in.regimes()) {
    regime& r = x.regimes.emplace_back();
    r.id = m.id();
    r.version = m.version();
    get_some(m.centre(), r.centre, "centre");
    get(m.model(), r.model);
    r.used_at = m.used_at();
    r.useless_looks = m.useless_looks();
    r.passed_over = m.passed_over();
  }
}

void put(v1::SwitchTrial* out, const switch_trial& x) {
  out->set_running(x.running);
  out->set_on(x.on);
  out->set_knob(x.knob);
  out->set_position(x.position);
  out->set_value_on(x.value_on);
  out->set_pairs(x.pairs);
  out->set_sum(x.sum);
  out->set_squares(x.squares);
  out->set_turn(x.turn);
  out->set_fruitless(x.fruitless);
  out->set_waited(x.waited);
}

void get(const v1::SwitchTrial& in, switch_trial& x) {
  x.running = in.running();
  x.on = in.on();
  x.knob = in.knob();
  x.position = in.position();
  x.value_on = in.value_on();
  x.pairs = in.pairs();
  x.sum = in.sum();
  x.squares = in.squares();
  x.turn = in.turn();
  x.fruitless = in.fruitless();
  x.waited = in.waited();
}

void put(v1::AdaptiveState* out, const adaptive_state& x) {
  out->set_rng_seed(x.rng.seed());
  out->set_rng_stream(x.rng.stream());
  out->set_rng_counter(x.rng.counter());
  out->set_step(x.step);
  put(out->mutable_first(), x.first);
  put(out->mutable_bank(), x.bank);
  put(out->mutable_centre(), x.centre);
  put(out->mutable_quiet_centre(), x.quiet_centre);
  put(out->mutable_quiet_model(), x.quiet_model);
  put(out->mutable_settled_centre(), x.settled_centre);
  out->set_settled(x.settled);
  for (std::uint32_t steps : x.still) out->add_still(steps);
  put(out->mutable_detector(), x.detector);
  put_looks(out->mutable_looks(), x.looks);
  put_looks(out->mutable_taken(), x.taken);
  if (x.best_look) out->set_best_look(*x.best_look);
  out->set_best_look_value(x.best_look_value);
  out->set_level(x.level);
  out->set_comparing(x.comparing);
  out->set_default_wins(x.default_wins);
  out->set_default_useless(x.default_useless);
  out->set_default_passed_over(x.default_passed_over);
  out->set_since_default(x.since_default);
  out->set_default_interval(x.default_interval);
  out->set_averaged(x.averaged);
  out->set_recent(x.recent);
  out->set_default_level(x.default_level);
  out->set_boldness(x.boldness);
  out->set_retreating(x.retreating);
  put(out->mutable_memory(), x.memory);
  put(out->mutable_trial(), x.trial);
}

void get(const v1::AdaptiveState& in, adaptive_state& x) {
  x.rng = chacha8_rng(in.rng_seed(), in.rng_stream(), in.rng_counter());
  x.step = in.step();
  get_some(in.first(), x.first, "first", most_values);
  get(in.bank(), x.bank);
  get_some(in.centre(), x.centre, "centre");
  get_some(in.quiet_centre(), x.quiet_centre, "quiet_centre");
  get(in.quiet_model(), x.quiet_model);
  get_some(in.settled_centre(), x.settled_centre, "settled_centre");
  x.settled = in.settled();
  limit(in.still_size(), max_knobs, "still");
  x.still.assign(in.still().begin(), in.still().end());
  get(in.detector(), x.detector);
  get_looks(in.looks(), x.looks);
  get_looks(in.taken(), x.taken);
  if (in.has_best_look()) x.best_look = in.best_look();
  x.best_look_value = in.best_look_value();
  x.level = in.level();
  x.comparing = in.comparing();
  x.default_wins = in.default_wins();
  x.default_useless = in.default_useless();
  x.default_passed_over = in.default_passed_over();
  x.since_default = in.since_default();
  x.default_interval = in.default_interval();
  x.averaged = in.averaged();
  x.recent = in.recent();
  x.default_level = in.default_level();
  x.boldness = in.boldness();
  x.retreating = in.retreating();
  get(in.memory(), x.memory);
  get(in.trial(), x.trial);
}

} // namespace

void put(v1::SpsaState* out, const spsa_state& x) {
  out->set_phase(static_cast<std::uint32_t>(x.phase));
  out->set_iteration(x.iteration);
  out->set_rng_seed(x.rng.seed());
  out->set_rng_stream(x.rng.stream());
  out->set_rng_counter(x.rng.counter());
  put(out->mutable_direction(), x.direction);
  out->set_y_plus(x.y_plus);
  out->set_accumulated(x.accumulated);
  out->set_recorded(x.recorded);
  out->set_dimensions(static_cast<std::uint32_t>(x.dimensions));
}

void get(const v1::SpsaState& in, spsa_state& x) {
  x.phase = enum_at<spsa_phase>(in.phase(), 3, "spsa phase");
  x.iteration = in.iteration();
  x.rng = chacha8_rng(in.rng_seed(), in.rng_stream(), in.rng_counter());
  get(in.direction(), x.direction);
  x.y_plus = in.y_plus();
  x.accumulated = in.accumulated();
  x.recorded = in.recorded();
  if (in.dimensions() > max_knobs)
    throw malformed("spsa has " + std::to_string(in.dimensions()) + " dimensions, expected at most " +
                    std::to_string(max_knobs));
  x.dimensions = in.dimensions();
}

void put(v1::OnlineState* out, const online_state& x) {
  put(out->mutable_applied(), x.applied);
  if (x.asked) put(out->mutable_asked(), *x.asked);
  put(out->mutable_adaptive(), x.adaptive);
  put(out->mutable_spsa()->mutable_spsa(), x.spsa.spsa);
  put(out->mutable_spsa()->mutable_base(), x.spsa.base);
  out->mutable_spsa()->set_size(x.spsa.size);
  out->set_recorded(x.recorded);
  out->set_refused(x.refused);
  out->set_changes(x.changes);
  out->set_recalls(x.recalls);
  out->set_returns(x.returns);
}

void get(const v1::OnlineState& in, online_state& x) {
  get_some(in.applied(), x.applied, "applied");
  if (in.has_asked()) get(in.asked(), x.asked.emplace());
  get(in.adaptive(), x.adaptive);
  get(in.spsa().spsa(), x.spsa.spsa);
  get_some(in.spsa().base(), x.spsa.base, "base");
  x.spsa.size = in.spsa().size();
  x.recorded = in.recorded();
  x.refused = in.refused();
  x.changes = in.changes();
  x.recalls = in.recalls();
  x.returns = in.returns();
}

} // namespace homeostat::codec
