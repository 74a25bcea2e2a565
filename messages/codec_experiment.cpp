// Experiments as they are kept.
#include "messages/codec.hpp"
#include "messages/codec_fields.hpp"
#include "messages/experiment_rules.hpp"

namespace homeostat {

void codec::put(v1::ExperimentRules* out, const experiment_settings& x) {
  out->set_traffic_split(x.traffic_split);
  out->set_false_positive_rate(x.false_positive_rate);
  out->set_min_samples(x.min_samples);
  out->set_min_cells(x.min_cells);
  out->set_max_samples(x.max_samples);
  out->set_max_duration_us(x.max_duration.count());
  out->set_expected_effect(x.expected_effect);
  out->set_guard_samples(x.guard_samples);
  out->set_guard_failure_rise(x.guard_failure_rise);
  out->set_guard_p99_ratio(x.guard_p99_ratio);
  out->set_guard_memory_ratio(x.guard_memory_ratio);
  out->set_guard_failures_in_a_row(x.guard_failures_in_a_row);
}

void codec::get(const v1::ExperimentRules& in, experiment_settings& x) {
  if (in.has_traffic_split()) x.traffic_split = in.traffic_split();
  if (in.has_false_positive_rate()) x.false_positive_rate = in.false_positive_rate();
  if (in.has_min_samples()) x.min_samples = in.min_samples();
  if (in.has_min_cells()) x.min_cells = in.min_cells();
  if (in.has_max_samples()) x.max_samples = in.max_samples();
  if (in.has_max_duration_us()) x.max_duration = to_duration(in.max_duration_us());
  if (in.has_expected_effect()) x.expected_effect = in.expected_effect();
  if (in.has_guard_samples()) x.guard_samples = in.guard_samples();
  if (in.has_guard_failure_rise()) x.guard_failure_rise = in.guard_failure_rise();
  if (in.has_guard_p99_ratio()) x.guard_p99_ratio = in.guard_p99_ratio();
  if (in.has_guard_memory_ratio()) x.guard_memory_ratio = in.guard_memory_ratio();
  if (in.has_guard_failures_in_a_row()) x.guard_failures_in_a_row = in.guard_failures_in_a_row();
}

namespace {

using codec::enum_of, codec::get, codec::malformed, codec::put, codec::text, codec::to_instant, codec::to_us;

using settings = google::protobuf::RepeatedPtrField<v1::StoredSetting>;

void put(settings* out, const std::map<std::string, std::string>& x) {
  for (const auto& [key, value] : x) {
    v1::StoredSetting* one = out->Add();
    one->set_key(text(key));
    one->set_value(text(value));
  }
}
void get(const settings& in, std::map<std::string, std::string>& x) {
  for (const auto& one : in) x[one.key()] = one.value();
}

void put(v1::StoredMoments* out, const running_moments& x) {
  out->set_count(x.count);
  out->set_mean(x.mean);
  out->set_squares(x.squares);
}
void get(const v1::StoredMoments& in, running_moments& x) { x = {in.count(), in.mean(), in.squares()}; }

void put(v1::StoredArm* out, const arm_record& x) {
  out->set_failed(x.failed);
  out->set_failures_in_a_row(x.failures_in_a_row);
  put(out->mutable_log_latency(), x.log_latency);
  put(out->mutable_memory(), x.memory_bytes);
  out->set_latency(x.latency.pack());
  for (const arm_record::cell& cell : x.groups) out->add_cell_counts(cell.count), out->add_cell_sums(cell.log_latency);
}

void get(const v1::StoredArm& in, arm_record& x) {
  x.failed = in.failed();
  x.failures_in_a_row = in.failures_in_a_row();
  get(in.log_latency(), x.log_latency);
  get(in.memory(), x.memory_bytes);
  auto latency = quantile_sketch::unpack(in.latency());
  if (!latency) throw malformed("latency " + latency.error());
  x.latency = std::move(*latency);
  constexpr int cells = arm_record::cells;
  if (in.cell_counts_size() != cells || in.cell_sums_size() != cells)
    throw malformed("has " + std::to_string(in.cell_counts_size()) + " cells, expected " + std::to_string(cells));
  for (int i = 0; i < cells; ++i) x.groups[static_cast<std::size_t>(i)] = {in.cell_counts(i), in.cell_sums(i)};
}

void put(v1::StoredExperiment* out, const experiment_state& x) {
  out->set_name(text(x.settings.name));
  out->set_pool(text(x.settings.pool));
  put(out->mutable_control(), x.settings.control);
  put(out->mutable_treatment(), x.settings.treatment);
  put(out->mutable_rules(), x.settings);
  out->set_phase(std::string(name_of(x.phase)));
  out->set_verdict(std::string(name_of(x.verdict)));
  out->set_created_us(to_us(x.created));
  out->set_started_us(to_us(x.started));
  out->set_ended_us(to_us(x.ended));
  put(out->mutable_control_arm(), x.control);
  put(out->mutable_treatment_arm(), x.treatment);
  out->set_least_p(x.least_p);
  out->set_reason(text(x.reason));
  out->set_decided_by(text(x.decided_by));
  out->set_proposal(text(x.proposal));
  out->set_refused(x.refused);
  out->set_complete(true);
}

void get(const v1::StoredExperiment& in, experiment_state& x) {
  if (!in.complete()) throw malformed("is cut short");
  x.settings.name = in.name();
  x.settings.pool = in.pool();
  get(in.control(), x.settings.control);
  get(in.treatment(), x.settings.treatment);
  get(in.rules(), x.settings);
  x.phase = enum_of<experiment_phase>(in.phase(), experiment_phase_count, "phase");
  x.verdict = enum_of<experiment_verdict>(in.verdict(), experiment_verdict_count, "verdict");
  x.created = to_instant(in.created_us());
  x.started = to_instant(in.started_us());
  x.ended = to_instant(in.ended_us());
  get(in.control_arm(), x.control);
  get(in.treatment_arm(), x.treatment);
  x.least_p = in.least_p();
  x.reason = in.reason();
  x.decided_by = in.decided_by();
  x.proposal = in.proposal();
  x.refused = in.refused();
}

} // namespace

std::string encode(const experiment_state& x) {
  v1::StoredExperiment message;
  put(&message, x);
  return message.SerializeAsString();
}

template <> std::expected<experiment_state, std::string> decode(std::string_view bytes) {
  return codec::from_bytes<v1::StoredExperiment, experiment_state>(
      bytes, [](const v1::StoredExperiment& in, experiment_state& x) { get(in, x); });
}

} // namespace homeostat
