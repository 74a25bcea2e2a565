#include "runtime/gateway/transfer_message.hpp"

#include "messages/transfer_names.hpp"
#include "policies/number_text.hpp"

#include <cmath>
#include <optional>

namespace homeostat {

namespace {

constexpr std::size_t longest_session = 256; ///< it is hashed for each decision

/// @returns what a decision rested on, from the answer that told it.
std::expected<decision_basis, std::string> basis_from(const v1::TransferDecision& d) {
  if (d.reason().empty()) return std::unexpected(std::string("reason is missing, expected the answer of /decide"));
  const auto reason = named_or_first<decision_reason, decision_reason_count>(d.reason(), "reason");
  if (!reason) return std::unexpected(reason.error());
  const auto under = named_or_first<pressure, pressure_count>(d.pressure(), "pressure");
  if (!under) return std::unexpected(under.error());
  for (const auto& [name, value] : {std::pair{"grpcUs", d.grpc_us()}, {"zeroCopyUs", d.zero_copy_us()}})
    if (!std::isfinite(static_cast<float>(value)) || value < 0)
      return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected a number from 0 up");
  if (!(d.confidence() >= 0 && d.confidence() <= 1))
    return std::unexpected("confidence is " + number_text(d.confidence()) + ", expected a number from 0 to 1");
  if (d.has_rule() && d.rule() >= max_transfer_rules)
    return std::unexpected("rule is " + std::to_string(d.rule()) + ", expected 0 to " +
                           std::to_string(max_transfer_rules - 1));
  return decision_basis{.known = true,
                        .reason = *reason,
                        .under = *under,
                        .rule = static_cast<std::int8_t>(d.has_rule() ? static_cast<int>(d.rule()) : -1),
                        .confidence = static_cast<float>(d.confidence()),
                        .grpc_us = static_cast<float>(d.grpc_us()),
                        .zero_copy_us = static_cast<float>(d.zero_copy_us()),
                        .threshold = d.threshold()};
}

} // namespace

std::expected<transfer_characteristics, std::string> characteristics_from(const v1::TransferData& data) {
  const auto type = named_or_first<data_type, data_type_count>(data.type(), "type");
  if (!type) return std::unexpected(type.error());
  const auto format = named_or_first<data_format, data_format_count>(data.format(), "format");
  if (!format) return std::unexpected(format.error());
  if (data.session().size() > longest_session)
    return std::unexpected("session has " + std::to_string(data.session().size()) + " bytes, expected at most " +
                           std::to_string(longest_session));
  return transfer_characteristics{data.size(), *type, *format, data.compressed()};
}

std::expected<transfer_method, std::string> method_from(const std::string& name) {
  if (name.empty()) return std::unexpected(std::string("method is missing, expected grpc or zero_copy"));
  return named_or_first<transfer_method, transfer_method_count>(name, "method");
}

std::expected<transfer_metrics, std::string> metrics_from(const v1::TransferOutcome& outcome,
                                                          const system_conditions& now, instant at) {
  const auto data = characteristics_from(outcome.data());
  if (!data) return std::unexpected("data: " + data.error());
  const auto method = method_from(outcome.method());
  if (!method) return std::unexpected(method.error());
  const auto positive = [](double value) { return std::isfinite(value) && value > 0; };
  if (!positive(outcome.latency_us()))
    return std::unexpected("latencyUs is " + number_text(outcome.latency_us()) + ", expected a number above 0");
  if (!std::isfinite(outcome.cpu_us()) || outcome.cpu_us() < 0)
    return std::unexpected("cpuUs is " + number_text(outcome.cpu_us()) + ", expected a number from 0 up");
  transfer_metrics m;
  m.timestamp = at;
  m.method = *method;
  m.data = *data;
  m.conditions = now;
  m.latency_us = outcome.latency_us();
  m.cpu_time_us = outcome.cpu_us();
  m.memory_used = outcome.memory();
  m.predicted_latency_us = std::isfinite(outcome.predicted_us()) ? std::max(0.0, outcome.predicted_us()) : 0;
  m.explored = outcome.explored();
  m.failed = outcome.failed();
  m.generation = outcome.generation();
  if (!outcome.has_decision()) return m;
  const auto why = basis_from(outcome.decision());
  if (!why) return std::unexpected("decision: " + why.error());
  m.why = *why;
  const bool as_decided = outcome.decision().method() == outcome.method();
  if (m.predicted_latency_us <= 0)
    m.predicted_latency_us = static_cast<double>(*method == transfer_method::grpc ? m.why.grpc_us : m.why.zero_copy_us);
  m.explored = m.explored || (as_decided && m.why.reason == decision_reason::exploration);
  if (m.generation == 0) m.generation = outcome.decision().generation();
  return m;
}

std::expected<experiment_place, std::string>
place_from(const v1::TransferOutcome& outcome, const transfer_pool& pool,
           const std::optional<pool_experiments::running_experiment>& running) {
  const std::string& session = outcome.data().session();
  const std::string& experiment = outcome.experiment().empty() ? outcome.decision().experiment() : outcome.experiment();
  const std::string& named_arm = outcome.arm().empty() ? outcome.decision().arm() : outcome.arm();
  if (experiment.empty() && named_arm.empty()) return experiment_place{};
  if (experiment.empty() || named_arm.empty() || session.empty())
    return std::unexpected(std::string("experiment, arm and data.session belong together, as the decision said them"));
  const auto arm = named_or_first<experiment_arm, experiment_arm_count>(named_arm, "arm");
  if (!arm) return std::unexpected(arm.error());
  if (!running || running->name != experiment) return experiment_place{};
  const experiment_place place = pool.place_of(session);
  if (place.experiment != running->number) return experiment_place{}; // it has ended since
  if (place.arm != *arm)
    return std::unexpected("arm is '" + named_arm + "', but session '" + session + "' was assigned " +
                           std::string(name_of(place.arm)));
  return place;
}

v1::TransferDecision message_of(const transfer_decision& decision, const std::string& rationale) {
  v1::TransferDecision message;
  message.set_method(std::string(name_of(decision.method)));
  message.set_reason(std::string(name_of(decision.reason)));
  message.set_rationale(rationale);
  message.set_grpc_us(decision.grpc_us);
  message.set_zero_copy_us(decision.zero_copy_us);
  message.set_confidence(static_cast<double>(decision.confidence));
  message.set_threshold(decision.threshold);
  message.set_pressure(std::string(name_of(decision.under)));
  message.set_generation(decision.generation);
  if (decision.rule >= 0) message.set_rule(static_cast<std::uint32_t>(decision.rule));
  return message;
}

namespace {

v1::TransferPoint point_of(const metrics_summary& s) {
  v1::TransferPoint p;
  p.set_delivered(s.delivered);
  p.set_failed(s.failed);
  p.set_mean_us(s.latency_mean_us);
  p.set_p50_us(s.latency_p50_us);
  p.set_p95_us(s.latency_p95_us);
  p.set_p99_us(s.latency_p99_us);
  p.set_p999_us(s.latency_p999_us);
  p.set_goodput_mbps(s.goodput_mbps);
  p.set_cpu_us(s.cpu_mean_us);
  p.set_memory(s.memory_mean_bytes);
  p.set_prediction_error(s.prediction_error);
  return p;
}

} // namespace

v1::TransferSeries message_of(const metrics_answer& answer) {
  v1::TransferSeries series;
  for (const metrics_point& point : answer.points) {
    v1::TransferPoint& one = *series.add_points();
    one = point_of(point.of);
    one.set_time_us(point.at.time_since_epoch().count());
  }
  *series.mutable_total() = point_of(answer.total);
  series.set_complete(answer.complete);
  return series;
}

v1::RegressionReport message_of(const regression_report& report) {
  v1::RegressionReport message;
  message.set_tests(report.tests);
  message.set_unjudged(report.unjudged);
  for (const regression_finding& finding : report.findings) {
    v1::RegressionFinding& one = *message.add_findings();
    one.set_series(text_of(finding.series));
    one.set_text(describe(finding));
    one.set_ratio(finding.ratio);
    one.set_ratio_low(finding.ratio_low);
    one.set_ratio_high(finding.ratio_high);
    one.set_p_adjusted(finding.p_adjusted);
    one.set_cause(std::string(name_of(finding.cause.cause)));
    one.set_evidence(finding.cause.evidence);
    one.set_began_us(finding.began.time_since_epoch().count());
    if (finding.generation) one.set_generation(*finding.generation);
  }
  return message;
}

v1::PoolView message_of(const transfer_pool& pool, const transfer_pools& all) {
  const pool_stats state = pool.stats();
  const transfer_policy& p = state.policy;
  v1::PoolView view;
  view.set_name(pool.name());
  *view.mutable_policy() = message_of(p);
  for (std::size_t i = 0; i < data_type_count; ++i) {
    const auto type = static_cast<data_type>(i);
    const std::string name(name_of(type));
    v1::TypeThreshold& one = *view.add_thresholds();
    one.set_type(name);
    one.set_base(p.threshold_overrides[i].value_or(p.zero_copy_threshold));
    one.set_threshold(state.thresholds.threshold(type));
    one.set_performance_factor(state.thresholds.performance_factor(type));
  }
  for (const threshold_change& change : state.thresholds.changes()) {
    v1::ThresholdChange& one = *view.add_changes();
    one.set_time_us(change.at.time_since_epoch().count());
    one.set_type(std::string(name_of(change.type)));
    one.set_from(change.from);
    one.set_to(change.to);
    one.set_performance_factor(change.performance_factor);
    one.set_resource_factor(change.resource_factor);
    one.set_rationale(change.rationale);
  }
  const transfer_totals& t = state.totals;
  view.set_pressure(std::string(name_of(state.under)));
  view.set_decisions(pool.decisions());
  view.set_transfers(t.transfers);
  view.set_grpc(t.by_method[0]);
  view.set_zero_copy(t.by_method[1]);
  view.set_explored(t.explored);
  view.set_failed(t.failed);
  view.set_lost(pool.lost());
  view.set_predicted(t.predicted);
  view.set_within_15(t.predicted > 0 ? static_cast<double>(t.within_15) / static_cast<double>(t.predicted) : 0);
  view.set_time_us(t.time_us);
  view.set_exploration_loss_us(t.exploration_loss_us);
  const system_conditions now = pool.conditions();
  view.set_cpu_load(now.cpu_load);
  view.set_memory_used(now.memory_used);
  if (const auto learned = all.learning().status(pool.name())) {
    v1::PoolModel& model = *view.mutable_model();
    model.set_step(learned->step);
    model.set_model(learned->model);
    model.set_parent(learned->parent);
    model.set_samples(learned->samples);
    model.set_drifts(learned->drifts);
    model.set_gate(learned->gate);
    model.set_failure(learned->failure);
    model.set_training(learned->training);
  }
  const metrics_writer_stats written = all.metrics().written();
  view.set_metrics_refused(written.refused_samples);
  view.set_metrics_error(written.last_error);
  view.set_metrics_waiting(written.pending_rows);
  return view;
}

} // namespace homeostat
