#include "runtime/gateway/transfer_message.hpp"

#include "policies/enum_names.hpp"
#include "policies/number_text.hpp"

#include <cmath>
#include <optional>

namespace homeostat {

namespace {

/// @returns the value of an enum by its name; the first one for an empty name.
template <class Enum, std::size_t count>
std::expected<Enum, std::string> named_or_first(const std::string& name, const char* what) {
  if (name.empty()) return Enum{};
  auto found = named<Enum, count>(name);
  if (!found) return std::unexpected(std::string(what) + " " + found.error());
  return found;
}

} // namespace

std::expected<transfer_characteristics, std::string> characteristics_from(const v1::TransferData& data) {
  const auto type = named_or_first<data_type, data_type_count>(data.type(), "type");
  if (!type) return std::unexpected(type.error());
  const auto format = named_or_first<data_format, data_format_count>(data.format(), "format");
  if (!format) return std::unexpected(format.error());
  return transfer_characteristics{data.size(), *type, *format, data.compressed()};
}

std::expected<transfer_metrics, std::string> metrics_from(const v1::TransferOutcome& outcome,
                                                          const system_conditions& now, instant at) {
  const auto data = characteristics_from(outcome.data());
  if (!data) return std::unexpected("data: " + data.error());
  if (outcome.method().empty()) return std::unexpected(std::string("method is missing, expected grpc or zero_copy"));
  const auto method = named_or_first<transfer_method, transfer_method_count>(outcome.method(), "method");
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
  return m;
}

std::expected<transfer_policy, std::string> policy_from(const v1::TransferPolicy& change, transfer_policy policy) {
  if (change.has_goal()) {
    const auto goal = transfer_goal_from(change.goal());
    if (!goal)
      return std::unexpected("goal is '" + change.goal() +
                             "', expected balanced, minimize_latency, maximize_throughput or minimize_memory");
    policy.goal = *goal;
  }
  if (change.has_zero_copy_threshold()) policy.zero_copy_threshold = change.zero_copy_threshold();
  if (change.has_minimum_threshold()) policy.minimum_threshold = change.minimum_threshold();
  if (change.has_maximum_threshold()) policy.maximum_threshold = change.maximum_threshold();
  if (change.has_learning_enabled()) policy.learning_enabled = change.learning_enabled();
  if (change.has_exploration_rate()) policy.exploration_rate = change.exploration_rate();
  if (change.has_exploration_budget()) policy.exploration_budget = change.exploration_budget();
  if (change.has_marginal_benefit()) policy.marginal_benefit = change.marginal_benefit();
  if (change.has_memory_pressure_threshold()) policy.memory_pressure_threshold = change.memory_pressure_threshold();
  if (change.has_cpu_pressure_threshold()) policy.cpu_pressure_threshold = change.cpu_pressure_threshold();
  for (const auto& [name, bytes] : change.threshold_overrides()) {
    const auto type = named_or_first<data_type, data_type_count>(name, "thresholdOverrides");
    if (!type || name.empty())
      return std::unexpected(type ? "thresholdOverrides has an empty name, expected a data type" : type.error());
    policy.threshold_overrides[static_cast<std::size_t>(*type)] = bytes;
  }
  if (change.rules_size() > 0) policy.rules.clear();
  for (const auto& rule : change.rules()) {
    const auto method = named_or_first<transfer_method, transfer_method_count>(rule.use(), "use");
    if (!method || rule.use().empty())
      return std::unexpected("rule '" + rule.name() + "': use is '" + rule.use() + "', expected grpc or zero_copy");
    policy.rules.push_back({rule.name(), rule.priority(), *method, rule.when()});
  }
  if (auto ok = check(policy); !ok) return std::unexpected(ok.error());
  return policy;
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

v1::TransferAdviceList message_of(const std::vector<transfer_recommendation>& advice) {
  v1::TransferAdviceList list;
  for (const transfer_recommendation& r : advice) {
    v1::TransferAdvice& one = *list.add_advice();
    one.set_id(r.id);
    one.set_state(std::string(name_of(r.state)));
    one.set_key(r.key);
    one.set_value(r.value);
    one.set_before(r.before);
    one.set_snippet(r.snippet);
    one.set_evidence(r.evidence);
    if (r.gain) {
      one.set_gain(r.gain->share);
      one.set_gain_low(r.gain->low);
      one.set_gain_high(r.gain->high);
    }
    one.set_effort(r.effort);
    one.set_score(r.score);
  }
  return list;
}

v1::PoolView message_of(const transfer_pool& pool, const transfer_pools& all) {
  const transfer_learner state = pool.state();
  const transfer_policy& p = state.policy();
  v1::PoolView view;
  view.set_name(pool.name());
  v1::TransferPolicy& policy = *view.mutable_policy();
  policy.set_goal(std::string(name_of(p.goal)));
  policy.set_zero_copy_threshold(p.zero_copy_threshold);
  policy.set_minimum_threshold(p.minimum_threshold);
  policy.set_maximum_threshold(p.maximum_threshold);
  policy.set_learning_enabled(p.learning_enabled);
  policy.set_exploration_rate(p.exploration_rate);
  policy.set_exploration_budget(p.exploration_budget);
  policy.set_marginal_benefit(p.marginal_benefit);
  policy.set_memory_pressure_threshold(p.memory_pressure_threshold);
  policy.set_cpu_pressure_threshold(p.cpu_pressure_threshold);
  for (const transfer_rule& rule : p.rules) {
    v1::TransferRule& one = *policy.add_rules();
    one.set_name(rule.name);
    one.set_when(rule.when);
    one.set_use(std::string(name_of(rule.method)));
    one.set_priority(rule.priority);
  }
  for (std::size_t i = 0; i < data_type_count; ++i) {
    const auto type = static_cast<data_type>(i);
    const std::string name(name_of(type));
    if (p.threshold_overrides[i]) (*policy.mutable_threshold_overrides())[name] = *p.threshold_overrides[i];
    v1::TypeThreshold& one = *view.add_thresholds();
    one.set_type(name);
    one.set_base(p.threshold_overrides[i].value_or(p.zero_copy_threshold));
    one.set_threshold(state.thresholds().threshold(type));
    one.set_performance_factor(state.thresholds().performance_factor(type));
  }
  for (const threshold_change& change : state.thresholds().changes()) {
    v1::ThresholdChange& one = *view.add_changes();
    one.set_time_us(change.at.time_since_epoch().count());
    one.set_type(std::string(name_of(change.type)));
    one.set_from(change.from);
    one.set_to(change.to);
    one.set_performance_factor(change.performance_factor);
    one.set_resource_factor(change.resource_factor);
    one.set_rationale(change.rationale);
  }
  const transfer_totals& t = state.totals();
  view.set_pressure(std::string(name_of(state.under())));
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
