#include "runtime/demo/audit_count.hpp"

#include "messages/codec.hpp"
#include "policies/number_text.hpp"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

namespace homeostat {

namespace {

bool out_of_bounds(const audit_record& record, std::span<const knob_spec> knobs) {
  for (std::size_t i = 0; i < std::min(record.after.size(), knobs.size()); ++i)
    if (!(record.after[i] >= knobs[i].min && record.after[i] <= knobs[i].max)) return true;
  return false;
}

void count_one(const audit_record& record, std::span<const knob_spec> knobs, v1::DemoSummary& summary) {
  if (record.kind == audit_kind::intent && out_of_bounds(record, knobs))
    summary.set_bound_breaches(summary.bound_breaches() + 1);
  if (record.kind == audit_kind::committed) {
    if (out_of_bounds(record, knobs)) summary.set_bound_breaches(summary.bound_breaches() + 1);
    if (record.classification != change_class::rollback)
      summary.set_applied(summary.applied() + 1);
    else if (record.source == "rollback to baseline")
      summary.set_rollbacks(summary.rollbacks() + 1);
  }
  if (record.kind == audit_kind::rejected && record.reason)
    ++(*summary.mutable_rejected())[std::string(name_of(record.reason->code))];
  if (record.kind == audit_kind::safe_mode_entered) summary.set_safe_mode_entries(summary.safe_mode_entries() + 1);
}

} // namespace

std::expected<void, std::string> count_audit(store& audit, std::span<const knob_spec> knobs, v1::DemoSummary& summary) {
  for (std::uint64_t next = 1;;) {
    const auto records = audit.range(next, max_read_count, std::nullopt);
    if (!records) return std::unexpected(records.error().what);
    if (records->empty()) break;
    for (const stored_record& stored : *records) {
      const auto record = decode<audit_record>(stored.payload);
      if (!record) return std::unexpected("record " + std::to_string(stored.sequence) + ": " + record.error());
      count_one(*record, knobs, summary);
    }
    summary.set_audit_records(summary.audit_records() + static_cast<std::uint32_t>(records->size()));
    next = records->back().sequence + 1;
  }
  const auto report = audit.verify({}, {});
  if (!report) return std::unexpected(report.error().what);
  summary.set_chain_verified(report->intact());
  return {};
}

std::string record_line(const stored_record& stored) {
  const auto record = decode<audit_record>(stored.payload);
  if (!record) return "record " + std::to_string(stored.sequence) + " cannot be read";
  const auto at = std::chrono::floor<std::chrono::seconds>(record->time);
  std::string line = fmt::format("{:%H:%M:%S} #{:<5} {:<17}", fmt::gmtime(std::chrono::system_clock::to_time_t(at)),
                                 stored.sequence, name_of(record->kind));
  if (record->generation > 0) line += fmt::format(" gen {:<5}", record->generation);
  if (record->change != proposal_kind::no_change) line += " " + std::string(name_of(record->change));
  if (!record->after.empty()) {
    line += " ->";
    for (double value : record->after) line += " " + number_text(value);
  }
  if (record->classification != change_class::proposal)
    line += " (" + std::string(name_of(record->classification)) + ")";
  if (record->reason) line += "  " + describe(*record->reason);
  if (!record->text.empty()) line += "  " + record->text;
  return line;
}

} // namespace homeostat
