#include "messages/codec.hpp"

#include "messages/audit.pb.h"
#include "messages/authority.pb.h"
#include "messages/codec_change.hpp"
#include "messages/codec_fields.hpp"
#include "messages/control.pb.h"
#include "messages/telemetry.pb.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <array>

namespace homeostat {

namespace codec {

constexpr std::size_t proposal_kinds = 4;

void put(v1::Violation* out, const violation& x) {
  out->set_code(std::string(name_of(x.code)));
  out->set_knob(text(x.knob));
  out->set_value(x.value);
  out->set_limit(x.limit);
  if (x.retry_at) out->set_retry_at_us(to_us(*x.retry_at));
}

void get(const v1::Violation& in, violation& x) {
  x.code = enum_of<violation_code>(in.code(), violation_code_count, "violation code");
  x.knob = in.knob();
  x.value = in.value();
  x.limit = in.limit();
  x.retry_at = in.has_retry_at_us() ? std::optional(to_instant(in.retry_at_us())) : std::nullopt;
}

void put(v1::CapturedDrift* out, const captured_drift& x) {
  out->set_revision(x.revision);
  out->set_found_us(to_us(x.found_at));
  put(out->mutable_desired(), x.desired);
  put(out->mutable_found(), x.found);
}

void get(const v1::CapturedDrift& in, captured_drift& x) {
  x.revision = in.revision();
  x.found_at = to_instant(in.found_us());
  get(in.desired(), x.desired);
  get(in.found(), x.found);
}

void put(v1::Proposal* out, const proposal& x) {
  out->set_kind(std::string(name_of(x.kind)));
  out->set_classification(std::string(name_of(x.classification)));
  out->set_approved(x.approved);
  out->set_id(x.id);
  out->set_base_generation(x.base_generation);
  out->set_base_revision(x.base_revision);
  out->set_epoch(x.epoch);
  put(out->mutable_values(), x.values);
  put(out->mutable_gradient(), x.gradient);
  out->set_source(text(x.source));
  out->set_evidence(text(x.evidence));
  out->set_approver(text(x.approver));
  out->set_request(text(x.request));
  out->set_rehearsal(x.rehearsal);
}

void get(const v1::Proposal& in, proposal& x) {
  x.kind = enum_of<proposal_kind>(in.kind(), proposal_kinds, "proposal kind");
  x.classification = enum_of<change_class>(in.classification(), change_classes, "classification");
  x.approved = in.approved();
  x.id = in.id();
  x.base_generation = in.base_generation();
  x.base_revision = in.base_revision();
  x.epoch = in.epoch();
  get(in.values(), x.values);
  get(in.gradient(), x.gradient);
  x.source = in.source();
  x.evidence = in.evidence();
  x.approver = in.approver();
  x.request = in.request();
  x.rehearsal = in.rehearsal();
}

} // namespace codec

namespace {

using codec::enum_of, codec::get, codec::malformed, codec::put, codec::text, codec::to_instant, codec::to_us;

void put(v1::Receipt* out, const receipt& x) {
  out->set_generation(x.generation);
  out->set_revision(x.revision);
  out->set_applied_at_us(to_us(x.applied_at));
  put(out->mutable_values(), x.values);
}

void get(const v1::Receipt& in, receipt& x) {
  x.generation = in.generation();
  x.revision = in.revision();
  x.applied_at = to_instant(in.applied_at_us());
  get(in.values(), x.values);
}

void put(v1::Verdict* out, const proposal_verdict& x) {
  out->set_proposal_id(x.proposal_id);
  if (x.accepted) put(out->mutable_accepted(), *x.accepted);
  if (x.refused) put(out->mutable_refused(), *x.refused);
  for (const violation& v : x.findings) put(out->add_findings(), v);
}

void get(const v1::Verdict& in, proposal_verdict& x) {
  if (in.has_accepted() == in.has_refused()) throw malformed("a verdict is either accepted or refused");
  x.proposal_id = in.proposal_id();
  if (in.has_accepted()) get(in.accepted(), x.accepted.emplace());
  if (in.has_refused()) get(in.refused(), x.refused.emplace());
  for (const auto& v : in.findings()) get(v, x.findings.emplace_back());
}

void put(v1::LiveConfiguration* out, const live_configuration& x) {
  out->set_generation(x.generation);
  out->set_revision(x.revision);
  out->set_applied_at_us(to_us(x.applied_at));
  put(out->mutable_values(), x.values);
  put(out->mutable_base(), x.base);
  out->set_frozen(x.frozen);
  put(out->mutable_baseline(), x.baseline);
}

void get(const v1::LiveConfiguration& in, live_configuration& x) {
  x.generation = in.generation();
  x.revision = in.revision();
  x.applied_at = to_instant(in.applied_at_us());
  get(in.values(), x.values);
  get(in.base(), x.base);
  x.frozen = in.frozen();
  get(in.baseline(), x.baseline);
}

void put(v1::Actuation* out, const actuation& x) {
  out->set_ticket(x.ticket);
  out->set_generation(x.generation);
  put(out->mutable_values(), x.values);
}

void get(const v1::Actuation& in, actuation& x) {
  x.ticket = in.ticket();
  x.generation = in.generation();
  get(in.values(), x.values);
}

void put(v1::ActuationAnswer* out, const actuation_answer& x) {
  out->set_ticket(x.ticket);
  out->set_ok(x.ok);
  put(out->mutable_read_back(), x.read_back);
  out->set_text(text(x.text));
}

void get(const v1::ActuationAnswer& in, actuation_answer& x) {
  x.ticket = in.ticket();
  x.ok = in.ok();
  get(in.read_back(), x.read_back);
  x.text = in.text();
}

void put(v1::Window* out, const objective_window& x) {
  out->set_generation(x.generation);
  out->set_begin_us(to_us(x.begin));
  out->set_end_us(to_us(x.end));
  out->set_digests(x.digests);
  out->set_samples(x.samples);
  out->set_mean(x.mean);
  out->set_variance(x.variance);
  if (x.latency_p99_ms) out->set_latency_p99_ms(*x.latency_p99_ms);
  if (x.throughput_per_s) out->set_throughput_per_s(*x.throughput_per_s);
  if (x.error_rate) out->set_error_rate(*x.error_rate);
  if (x.constraint_margin) out->set_constraint_margin(*x.constraint_margin);
}

void get(const v1::Window& in, objective_window& x) {
  x.generation = in.generation();
  x.begin = to_instant(in.begin_us());
  x.end = to_instant(in.end_us());
  x.digests = in.digests();
  x.samples = in.samples();
  x.mean = in.mean();
  x.variance = in.variance();
  if (in.has_latency_p99_ms()) x.latency_p99_ms = in.latency_p99_ms();
  if (in.has_throughput_per_s()) x.throughput_per_s = in.throughput_per_s();
  if (in.has_error_rate()) x.error_rate = in.error_rate();
  if (in.has_constraint_margin()) x.constraint_margin = in.constraint_margin();
}

void put(v1::AuditRecord* out, const audit_record& x) {
  out->set_time_us(to_us(x.time));
  out->set_kind(std::string(name_of(x.kind)));
  out->set_generation(x.generation);
  out->set_revision(x.revision);
  out->set_change(std::string(name_of(x.change)));
  out->set_classification(std::string(name_of(x.classification)));
  out->set_source(text(x.source));
  out->set_actor(text(x.actor));
  out->set_evidence(text(x.evidence));
  // A refused proposal may have had more values than any loop has knobs; how many is in its violation.
  put(out->mutable_before(), std::span(x.before.begin(), std::min(x.before.size(), max_knobs)));
  put(out->mutable_after(), std::span(x.after.begin(), std::min(x.after.size(), max_knobs)));
  if (x.reason) put(out->mutable_reason(), *x.reason);
  out->set_text(text(x.text));
}

void get(const v1::AuditRecord& in, audit_record& x) {
  x.time = to_instant(in.time_us());
  x.kind = enum_of<audit_kind>(in.kind(), audit_kind_count, "audit kind");
  x.generation = in.generation();
  x.revision = in.revision();
  x.change = enum_of<proposal_kind>(in.change(), codec::proposal_kinds, "change");
  x.classification = enum_of<change_class>(in.classification(), codec::change_classes, "classification");
  x.source = in.source();
  x.actor = in.actor();
  x.evidence = in.evidence();
  get(in.before(), x.before);
  get(in.after(), x.after);
  if (in.has_reason()) get(in.reason(), x.reason.emplace());
  x.text = in.text();
}

constexpr std::array<std::string_view, 3> audit_status_names{"durable", "full", "failed"};

void put(v1::AuditAnswer* out, const audit_answer& x) {
  out->set_ticket(x.ticket);
  out->set_status(std::string(audit_status_names.at(static_cast<std::size_t>(x.status))));
  out->set_text(text(x.text));
}

void get(const v1::AuditAnswer& in, audit_answer& x) {
  const auto found = std::ranges::find(audit_status_names, in.status());
  if (found == audit_status_names.end())
    throw malformed("status is '" + in.status() + "', expected durable, full or failed");
  x.ticket = in.ticket();
  x.status = static_cast<audit_status>(found - audit_status_names.begin());
  x.text = in.text();
}

void put(v1::AuditBatch* out, const audit_batch& x) {
  out->set_loop(text(x.loop));
  for (const audit_record& record : x.records) {
    put(out->add_records(), record);
    out->mutable_records(out->records_size() - 1)->set_loop(text(x.loop));
  }
  out->set_state(x.state);
  for (const kept_state& kept : x.kept) {
    v1::KeptState* k = out->add_kept();
    k->set_key(text(kept.key));
    k->set_value(kept.value);
  }
  out->set_durable(x.durable);
}

void get(const v1::AuditBatch& in, audit_batch& x) {
  x.loop = in.loop();
  for (const auto& record : in.records()) get(record, x.records.emplace_back());
  x.state = in.state();
  for (const auto& k : in.kept()) x.kept.push_back({k.key(), k.value()});
  x.durable = in.durable();
}

constexpr std::array<std::string_view, 8> action_names{"pause",        "resume",     "rollback",     "reset_safe_mode",
                                                       "set_baseline", "set_values", "accept_drift", "revert_drift"};

void put(v1::OperatorCommand* out, const operator_command& x) {
  out->set_action(std::string(action_names.at(static_cast<std::size_t>(x.action))));
  out->set_actor(text(x.actor));
  out->set_text(text(x.text));
  put(out->mutable_values(), x.values);
  out->set_override_bounds(x.override_bounds);
  out->set_revision(x.revision);
}

void get(const v1::OperatorCommand& in, operator_command& x) {
  const auto found = std::ranges::find(action_names, in.action());
  if (found == action_names.end()) throw malformed("action is '" + in.action() + "', expected a known action");
  x.action = static_cast<operator_action>(found - action_names.begin());
  x.actor = in.actor();
  x.text = in.text();
  get(in.values(), x.values);
  x.override_bounds = in.override_bounds();
  x.revision = in.revision();
}

void put(v1::CommandResult* out, const command_result& x) {
  out->set_ok(x.ok);
  out->set_text(text(x.text));
  out->set_later(x.later);
}

void get(const v1::CommandResult& in, command_result& x) {
  x.ok = in.ok();
  x.text = in.text();
  x.later = in.later();
}

void put(v1::LoopStatus* out, const loop_status& x) {
  out->set_name(text(x.name));
  out->set_pool(text(x.pool));
  out->set_state(text(x.state));
  out->set_generation(x.generation);
  out->set_revision(x.revision);
  for (const knob_status& knob : x.knobs) {
    v1::KnobStatus* k = out->add_knobs();
    k->set_name(text(knob.name));
    k->set_unit(text(knob.unit));
    k->set_value(knob.value);
    k->set_base(knob.base);
    k->set_baseline(knob.baseline);
    k->set_min(knob.min);
    k->set_max(knob.max);
  }
  for (const std::string& reason : x.safe_mode_reasons) out->add_safe_mode_reasons(text(reason));
  if (x.objective) out->set_objective(*x.objective);
  out->set_applied(x.applied);
  out->mutable_rejected()->insert(x.rejected.begin(), x.rejected.end());
  out->set_rollbacks(x.rollbacks);
  out->set_safe_mode_entries(x.safe_mode_entries);
  out->set_windows(x.windows);
  out->set_digests(x.digests);
  out->mutable_digest_faults()->insert(x.digest_faults.begin(), x.digest_faults.end());
  out->set_text(text(x.text));
  out->set_restarts(x.restarts);
  out->set_last_request(text(x.last_request));
  out->set_last_request_revision(x.last_request_revision);
  out->set_request_in_flight(x.request_in_flight);
  for (const captured_drift& d : x.drifts) put(out->add_drifts(), d);
}

void get(const v1::LoopStatus& in, loop_status& x) {
  x.name = in.name();
  x.pool = in.pool();
  x.state = in.state();
  x.generation = in.generation();
  x.revision = in.revision();
  for (const auto& k : in.knobs())
    x.knobs.push_back({k.name(), k.unit(), k.value(), k.base(), k.baseline(), k.min(), k.max()});
  x.safe_mode_reasons.assign(in.safe_mode_reasons().begin(), in.safe_mode_reasons().end());
  if (in.has_objective()) x.objective = in.objective();
  x.applied = in.applied();
  x.rejected.insert(in.rejected().begin(), in.rejected().end());
  x.rollbacks = in.rollbacks();
  x.safe_mode_entries = in.safe_mode_entries();
  x.windows = in.windows();
  x.digests = in.digests();
  x.digest_faults.insert(in.digest_faults().begin(), in.digest_faults().end());
  x.text = in.text();
  x.restarts = in.restarts();
  x.last_request = in.last_request();
  x.last_request_revision = in.last_request_revision();
  x.request_in_flight = in.request_in_flight();
  for (const auto& d : in.drifts()) get(d, x.drifts.emplace_back());
}

// The sensor's part of a loop's status has no message of its own: it only ever travels as part of one.
void put(v1::LoopStatus* out, const sensor_status& x) {
  out->set_windows(x.windows);
  out->set_digests(x.digests);
  out->mutable_digest_faults()->insert(x.faults.begin(), x.faults.end());
}

void get(const v1::LoopStatus& in, sensor_status& x) {
  x.windows = in.windows();
  x.digests = in.digests();
  x.faults.insert(in.digest_faults().begin(), in.digest_faults().end());
}

void put(v1::AuthorityCall* out, const authority_call& x) {
  out->set_verb(text(x.verb));
  out->set_id(text(x.id));
  out->set_actor(text(x.actor));
  out->set_automation(x.automation);
  out->set_may_approve(x.may_approve);
  out->set_version(x.version);
  out->set_body(x.body);
}

void get(const v1::AuthorityCall& in, authority_call& x) {
  x = {in.verb(), in.id(), in.actor(), in.automation(), in.may_approve(), in.version(), in.body()};
}

void put(v1::AuthorityReply* out, const authority_reply& x) {
  out->set_status(x.status);
  out->set_body(x.body);
  out->set_problem(text(x.problem));
}

void get(const v1::AuthorityReply& in, authority_reply& x) { x = {in.status(), in.body(), in.problem()}; }

template <class Message, class T> std::string to_bytes(const T& x) {
  Message message;
  put(&message, x);
  return message.SerializeAsString();
}

} // namespace

std::string encode(const proposal& x) { return to_bytes<v1::Proposal>(x); }
std::string encode(const proposal_verdict& x) { return to_bytes<v1::Verdict>(x); }
std::string encode(const live_configuration& x) { return to_bytes<v1::LiveConfiguration>(x); }
std::string encode(const actuation& x) { return to_bytes<v1::Actuation>(x); }
std::string encode(const actuation_answer& x) { return to_bytes<v1::ActuationAnswer>(x); }
std::string encode(const objective_window& x) { return to_bytes<v1::Window>(x); }
std::string encode(const audit_answer& x) { return to_bytes<v1::AuditAnswer>(x); }
std::string encode(const audit_batch& x) { return to_bytes<v1::AuditBatch>(x); }
std::string encode(const operator_command& x) { return to_bytes<v1::OperatorCommand>(x); }
std::string encode(const command_result& x) { return to_bytes<v1::CommandResult>(x); }
std::string encode(const loop_status& x) { return to_bytes<v1::LoopStatus>(x); }
std::string encode(const authority_call& x) { return to_bytes<v1::AuthorityCall>(x); }
std::string encode(const authority_reply& x) { return to_bytes<v1::AuthorityReply>(x); }
std::string encode(const sensor_status& x) { return to_bytes<v1::LoopStatus>(x); }

std::string encode(const audit_record& x, std::string_view loop) {
  thread_local v1::AuditRecord message; // keeps its memory: records are what a node encodes most
  message.Clear();
  put(&message, x);
  message.set_loop(text(loop));
  return message.SerializeAsString();
}

// clang-format off
template <> std::expected<proposal, std::string> decode<proposal>(std::string_view b) { return codec::from_bytes<v1::Proposal, proposal>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<proposal_verdict, std::string> decode<proposal_verdict>(std::string_view b) { return codec::from_bytes<v1::Verdict, proposal_verdict>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<live_configuration, std::string> decode<live_configuration>(std::string_view b) { return codec::from_bytes<v1::LiveConfiguration, live_configuration>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<actuation, std::string> decode<actuation>(std::string_view b) { return codec::from_bytes<v1::Actuation, actuation>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<actuation_answer, std::string> decode<actuation_answer>(std::string_view b) { return codec::from_bytes<v1::ActuationAnswer, actuation_answer>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<objective_window, std::string> decode<objective_window>(std::string_view b) { return codec::from_bytes<v1::Window, objective_window>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<audit_answer, std::string> decode<audit_answer>(std::string_view b) { return codec::from_bytes<v1::AuditAnswer, audit_answer>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<audit_batch, std::string> decode<audit_batch>(std::string_view b) { return codec::from_bytes<v1::AuditBatch, audit_batch>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<operator_command, std::string> decode<operator_command>(std::string_view b) { return codec::from_bytes<v1::OperatorCommand, operator_command>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<command_result, std::string> decode<command_result>(std::string_view b) { return codec::from_bytes<v1::CommandResult, command_result>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<loop_status, std::string> decode<loop_status>(std::string_view b) { return codec::from_bytes<v1::LoopStatus, loop_status>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<sensor_status, std::string> decode<sensor_status>(std::string_view b) { return codec::from_bytes<v1::LoopStatus, sensor_status>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<authority_call, std::string> decode<authority_call>(std::string_view b) { return codec::from_bytes<v1::AuthorityCall, authority_call>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<authority_reply, std::string> decode<authority_reply>(std::string_view b) { return codec::from_bytes<v1::AuthorityReply, authority_reply>(b, [](const auto& m, auto& x) { get(m, x); }); }
template <> std::expected<audit_record, std::string> decode<audit_record>(std::string_view b) { return codec::from_bytes<v1::AuditRecord, audit_record>(b, [](const auto& m, auto& x) { get(m, x); }); }
// clang-format on

std::string audit_json(std::string_view bytes) {
  v1::AuditRecord message;
  if (!codec::parse(message, bytes)) return R"({"error":"not an audit record"})";
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return R"({"error":"not printable"})";
  return json;
}

} // namespace homeostat
