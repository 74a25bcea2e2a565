// The durable states: what a governor and a proposer restart from.
#include "messages/codec.hpp"
#include "messages/codec_change.hpp"
#include "messages/codec_fields.hpp"
#include "messages/codec_online.hpp"

namespace homeostat {

namespace codec {

void put(v1::RateWindow* out, const rate_window& x) {
  out->set_count(x.count);
  out->set_span_us(x.span.count());
  for (instant at : x.accepted) out->add_accepted_us(to_us(at));
}

void get(const v1::RateWindow& in, rate_window& x) {
  x.count = in.count();
  x.span = codec::to_duration(in.span_us());
  for (auto us : in.accepted_us()) x.accepted.push_back(to_instant(us));
}

} // namespace codec

namespace {

using codec::enum_at, codec::get, codec::malformed, codec::put, codec::text, codec::to_instant, codec::to_us;

void put(v1::KnobMovement* out, const knob_movement& x) {
  for (const auto& total : x.totals) out->add_seconds(total.second), out->add_distances(total.distance);
  for (instant at : x.flips) out->add_flips_us(to_us(at));
  out->set_direction(x.direction);
}

void get(const v1::KnobMovement& in, knob_movement& x) {
  if (in.seconds_size() != in.distances_size()) throw malformed("movement has unequal lists");
  for (int i = 0; i < in.seconds_size(); ++i)
    x.totals.push_back({codec::near(in.seconds(i), codec::farthest_us / 1'000'000), in.distances(i)});
  for (auto us : in.flips_us()) x.flips.push_back(to_instant(us));
  x.direction = in.direction();
}

void put(v1::ObjectiveStats* out, const objective_stats& x) {
  out->set_windows(x.windows);
  out->set_mean(x.mean);
  out->set_sum_squares(x.sum_squares);
}

void get(const v1::ObjectiveStats& in, objective_stats& x) { x = {in.windows(), in.mean(), in.sum_squares()}; }

void put(v1::RegressionState* out, const regression_state& x) {
  put(out->mutable_current(), x.current);
  if (x.reference) put(out->mutable_reference(), *x.reference);
  out->set_noise_variance(x.noise_variance);
  out->set_noise_dof(x.noise_dof);
  out->set_noise_known(x.noise_known);
  out->set_consecutive(x.consecutive);
  out->set_since_improvement(x.since_improvement);
  out->set_calm(x.calm);
  out->set_violated_windows(x.violated_windows);
}

void get(const v1::RegressionState& in, regression_state& x) {
  get(in.current(), x.current);
  if (in.has_reference()) get(in.reference(), x.reference.emplace());
  x.noise_variance = in.noise_variance();
  x.noise_dof = in.noise_dof();
  x.noise_known = in.noise_known();
  x.consecutive = in.consecutive();
  x.since_improvement = in.since_improvement();
  x.calm = in.calm();
  x.violated_windows = in.violated_windows();
}

void put(v1::SafeModeState* out, const safe_mode_state& x) {
  for (const auto& hold : x.holds) {
    if (!hold) continue;
    v1::SafeModeHold* h = out->add_holds();
    h->set_reason(static_cast<std::uint32_t>(hold->reason));
    h->set_since_us(to_us(hold->since));
    if (hold->until) h->set_until_us(to_us(*hold->until));
  }
  if (x.objective_at_entry) out->set_objective_at_entry(*x.objective_at_entry);
  out->set_recovered_windows(x.recovered_windows);
  out->set_entries(x.entries);
}

void get(const v1::SafeModeState& in, safe_mode_state& x) {
  for (const auto& h : in.holds()) {
    const auto reason = enum_at<safe_mode_reason>(h.reason(), safe_mode_reason_count, "safe mode reason");
    x.holds[h.reason()] =
        safe_mode_state::hold{.reason = reason,
                              .since = to_instant(h.since_us()),
                              .until = h.has_until_us() ? std::optional(to_instant(h.until_us())) : std::nullopt};
  }
  if (in.has_objective_at_entry()) x.objective_at_entry = in.objective_at_entry();
  x.recovered_windows = in.recovered_windows();
  x.entries = in.entries();
}

void put(v1::PendingChange* out, const pending_change& x) {
  out->set_ticket(x.ticket);
  out->set_generation(x.generation);
  out->set_phase(static_cast<std::uint32_t>(x.phase));
  out->set_origin(static_cast<std::uint32_t>(x.origin));
  out->set_kind(static_cast<std::uint32_t>(x.kind));
  out->set_classification(static_cast<std::uint32_t>(x.classification));
  out->set_request(text(x.request));
  out->set_proposal_id(x.proposal_id);
  put(out->mutable_wanted(), x.wanted);
  out->set_actor(text(x.actor));
  out->set_reason(text(x.reason));
}

void get(const v1::PendingChange& in, pending_change& x) {
  x.ticket = in.ticket();
  x.generation = in.generation();
  x.phase = enum_at<change_phase>(in.phase(), 2, "phase");
  x.origin = enum_at<change_origin>(in.origin(), 5, "origin");
  x.kind = enum_at<proposal_kind>(in.kind(), 4, "kind");
  x.classification = enum_at<change_class>(in.classification(), codec::change_classes, "classification");
  x.request = in.request();
  x.proposal_id = in.proposal_id();
  get(in.wanted(), x.wanted);
  x.actor = in.actor();
  x.reason = in.reason();
}

void put(v1::GovernorState* out, const governor_state& x) {
  out->set_generation(x.generation);
  out->set_last_generation(x.last_generation);
  out->set_revision(x.revision);
  out->set_last_ticket(x.last_ticket);
  put(out->mutable_live(), x.live);
  put(out->mutable_base(), x.base);
  out->set_live_known(x.live_known);
  out->set_unread(x.unread);
  out->set_last_request(text(x.last_request));
  out->set_last_request_revision(x.last_request_revision);
  for (const captured_drift& d : x.drifts) put(out->add_drifts(), d);
  if (x.last_reading) out->set_last_reading_us(to_us(*x.last_reading));
  if (x.baseline) {
    out->mutable_baseline()->set_name(text(x.baseline->name));
    out->mutable_baseline()->set_revision(x.baseline->revision);
    put(out->mutable_baseline()->mutable_values(), x.baseline->values);
  }
  if (x.pending) put(out->mutable_pending(), *x.pending);
  out->set_restore(static_cast<std::uint32_t>(x.restore));
  out->set_restore_actor(text(x.restore_actor));
  out->set_restore_reason(text(x.restore_reason));
  put(out->mutable_updates(), x.updates);
  put(out->mutable_probes(), x.probes);
  if (x.last_change) out->set_last_change_us(to_us(*x.last_change));
  for (const knob_movement& m : x.movement) put(out->add_movement(), m);
  put(out->mutable_regression(), x.regression);
  out->set_base_judged(x.base_judged);
  put(out->mutable_rollbacks(), x.rollbacks);
  put(out->mutable_hostile(), x.hostile);
  put(out->mutable_cumulative(), x.cumulative);
  put(out->mutable_actuator_failures(), x.actuator_failures);
  put(out->mutable_recorded_refusals(), x.recorded_refusals);
  out->set_unrecorded_refusals(x.unrecorded_refusals);
  if (x.stable_until) out->set_stable_until_us(to_us(*x.stable_until));
  put(out->mutable_safe_mode(), x.safe_mode);
  if (x.last_window) out->set_last_window_us(to_us(*x.last_window));
  if (x.last_objective) out->set_last_objective(*x.last_objective);
  out->set_last_now_us(to_us(x.last_now));
  out->set_stopping(x.stopping);
  out->set_origin(text(x.origin));
  out->set_complete(true);
}

void get(const v1::GovernorState& in, governor_state& x) {
  if (!in.complete()) throw malformed("is cut short");
  x.generation = in.generation();
  x.last_generation = in.last_generation();
  x.revision = in.revision();
  x.last_ticket = in.last_ticket();
  get(in.live(), x.live);
  get(in.base(), x.base);
  x.live_known = in.live_known();
  x.unread = in.unread();
  x.last_request = in.last_request();
  x.last_request_revision = in.last_request_revision();
  if (in.drifts_size() > static_cast<int>(max_captured_drifts)) throw malformed("more drifts than are kept");
  for (const auto& d : in.drifts()) get(d, x.drifts.emplace_back());
  if (in.has_last_reading_us()) x.last_reading = to_instant(in.last_reading_us());
  if (in.has_baseline()) {
    x.baseline.emplace();
    x.baseline->name = in.baseline().name();
    x.baseline->revision = in.baseline().revision();
    get(in.baseline().values(), x.baseline->values);
  }
  if (in.has_pending()) get(in.pending(), x.pending.emplace());
  x.restore = enum_at<wanted_restore>(in.restore(), 3, "restore");
  x.restore_actor = in.restore_actor();
  x.restore_reason = in.restore_reason();
  get(in.updates(), x.updates);
  get(in.probes(), x.probes);
  if (in.has_last_change_us()) x.last_change = to_instant(in.last_change_us());
  if (in.movement_size() > static_cast<int>(max_knobs)) throw malformed("movement of more than 16 knobs");
  for (const auto& m : in.movement()) get(m, x.movement.emplace_back());
  get(in.regression(), x.regression);
  x.base_judged = in.base_judged();
  get(in.rollbacks(), x.rollbacks);
  get(in.hostile(), x.hostile);
  get(in.cumulative(), x.cumulative);
  get(in.actuator_failures(), x.actuator_failures);
  get(in.recorded_refusals(), x.recorded_refusals);
  x.unrecorded_refusals = in.unrecorded_refusals();
  if (in.has_stable_until_us()) x.stable_until = to_instant(in.stable_until_us());
  get(in.safe_mode(), x.safe_mode);
  if (in.has_last_window_us()) x.last_window = to_instant(in.last_window_us());
  if (in.has_last_objective()) x.last_objective = in.last_objective();
  x.last_now = to_instant(in.last_now_us());
  x.stopping = in.stopping();
  x.origin = in.origin();
}

void put(v1::EngineState* out, const engine_state& x) {
  out->set_strategy(std::string(name_of(x.strategy)));
  put(out->mutable_spsa(), x.spsa);
  out->set_live(x.live);
  out->set_frozen(x.frozen);
  out->set_generation(x.generation);
  out->set_revision(x.revision);
  out->set_epoch(x.epoch);
  put(out->mutable_online(), x.online);
  put(out->mutable_in_force(), x.in_force);
  put(out->mutable_base(), x.base);
  put(out->mutable_base_position(), x.base_position);
  put(out->mutable_baseline(), x.baseline);
  put(out->mutable_plus(), x.plus);
  put(out->mutable_minus(), x.minus);
  put(out->mutable_asked(), x.asked);
  out->set_asks(x.asks);
  out->set_expects(static_cast<std::uint32_t>(x.expects));
  if (x.held_until) out->set_held_until_us(to_us(*x.held_until));
  out->set_ask_again(x.ask_again);
  out->set_plus_error(x.plus_error);
  out->set_objective_size(x.objective_size);
  put(out->mutable_gradient(), x.gradient);
  for (const knob_movement& m : x.movement) put(out->add_movement(), m);
  out->set_updates(x.updates);
  out->set_held_back(x.held_back);
  out->set_complete(true);
}

void get(const v1::EngineState& in, engine_state& x) {
  if (!in.complete()) throw malformed("is cut short");
  if (!in.strategy().empty()) x.strategy = codec::enum_of<online_kind>(in.strategy(), 2, "strategy");
  get(in.spsa(), x.spsa);
  get(in.online(), x.online);
  get(in.in_force(), x.in_force);
  x.live = in.live();
  x.frozen = in.frozen();
  x.generation = in.generation();
  x.revision = in.revision();
  x.epoch = in.epoch();
  get(in.base(), x.base);
  get(in.base_position(), x.base_position);
  get(in.baseline(), x.baseline);
  get(in.plus(), x.plus);
  get(in.minus(), x.minus);
  get(in.asked(), x.asked);
  x.asks = in.asks();
  x.expects = enum_at<engine_expectation>(in.expects(), 3, "expectation");
  if (in.has_held_until_us()) x.held_until = to_instant(in.held_until_us());
  x.ask_again = in.ask_again();
  x.plus_error = in.plus_error();
  x.objective_size = in.objective_size();
  get(in.gradient(), x.gradient);
  if (in.movement_size() > static_cast<int>(max_knobs)) throw malformed("movement of more than 16 knobs");
  for (const auto& m : in.movement()) get(m, x.movement.emplace_back());
  x.updates = in.updates();
  x.held_back = in.held_back();
}

} // namespace

std::string encode(const governor_state& x) {
  v1::GovernorState message;
  put(&message, x);
  return message.SerializeAsString();
}

std::string encode(const engine_state& x) {
  v1::EngineState message;
  put(&message, x);
  return message.SerializeAsString();
}

template <> std::expected<governor_state, std::string> decode<governor_state>(std::string_view b) {
  return codec::from_bytes<v1::GovernorState, governor_state>(b, [](const auto& m, auto& x) { get(m, x); });
}

template <> std::expected<engine_state, std::string> decode<engine_state>(std::string_view b) {
  return codec::from_bytes<v1::EngineState, engine_state>(b, [](const auto& m, auto& x) { get(m, x); });
}

} // namespace homeostat
