#include "runtime/gateway/chain_check.hpp"

namespace homeostat {

namespace {

constexpr std::size_t findings_told = 20;

} // namespace

v1::AuditVerdict verdict_of(const chain_report& report) {
  v1::AuditVerdict verdict;
  verdict.set_intact(report.intact());
  verdict.set_checked(report.checked);
  verdict.set_head_sequence(report.head.sequence);
  verdict.set_head_hash(to_hex(report.head.hash));
  verdict.set_store_id(report.head.store_id);
  verdict.set_findings_total(report.findings_total);
  for (const chain_finding& finding : report.findings) {
    auto* f = verdict.add_findings();
    f->set_fault(std::string(to_string(finding.fault)));
    f->set_sequence(finding.sequence);
    f->set_expected(finding.expected);
    f->set_found(finding.found);
  }
  return verdict;
}

std::optional<chain_check::answer> chain_check::latest(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  const auto fresh = [&] { return answer_ && std::chrono::steady_clock::now() - ended_at_ < good_for_; };
  if (!running_ && !fresh()) {
    running_ = true;
    answer_.reset();
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ended_.wait_for(lock, patience, [&] { return !running_; });
  return running_ ? std::nullopt : answer_;
}

void chain_check::run(const std::stop_token& stop) {
  // One thread: the loops of this machine go first.
  const auto report = audit_.verify({.threads = 1, .max_findings = findings_told},
                                    [&](const verify_progress&) { return !stop.stop_requested(); });
  const std::scoped_lock lock(mutex_);
  answer_ = report ? answer(verdict_of(*report)) : std::unexpected(report.error().what);
  ended_at_ = std::chrono::steady_clock::now();
  running_ = false;
  ended_.notify_all();
}

} // namespace homeostat
