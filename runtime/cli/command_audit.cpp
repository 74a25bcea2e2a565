// Reads the audit trail straight from the store, also while a daemon writes to it: an auditor need not trust the
// daemon.
#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/config/config.hpp"
#include "runtime/demo/audit_count.hpp"
#include "runtime/gateway/audit_message.hpp"
#include "runtime/gateway/chain_check.hpp"
#include "runtime/store/sqlite_store.hpp"

#include <spdlog/fmt/fmt.h>

#include <memory>

#include <unistd.h>

namespace homeostat {

namespace {

struct audit_options {
  std::string store{"homeostat.db"};
  std::string config;
  std::size_t count{20};
  std::string loop;
  std::string expected_head;
};

std::expected<std::unique_ptr<store>, std::string> open(const audit_options& options) {
  std::string path = options.store;
  if (!options.config.empty()) {
    const auto config = load_config(options.config);
    if (!config) return std::unexpected(to_string(config.error().front()));
    path = config->store_path;
  }
  auto opened = open_sqlite_store_read_only(path);
  if (!opened) return std::unexpected(opened.error().what);
  return std::move(*opened);
}

int tail(const audit_options& options, bool json) {
  auto audit = open(options);
  if (!audit) return failed(audit.error());
  const auto records = (*audit)->tail(
      options.count, options.loop.empty() ? std::nullopt : std::optional<std::string_view>(options.loop));
  if (!records) return failed(records.error().what);
  v1::AuditPage page;
  for (const stored_record& record : *records) {
    if (!json) {
      fmt::print("{} {}\n", record.loop, record_line(record));
      continue;
    }
    *page.add_entries() = audit_message(record);
  }
  if (json) fmt::print("{}\n", to_json(page));
  return exit_code::ok;
}

int verify(const audit_options& options, bool json) {
  auto audit = open(options);
  if (!audit) return failed(audit.error());
  verify_request request;
  if (!options.expected_head.empty()) {
    request.expected_head = parse_chain_hash(options.expected_head);
    if (!request.expected_head) {
      fmt::print(stderr, "--expect-head is '{}', expected 64 hexadecimal digits\n", options.expected_head);
      return exit_code::usage;
    }
  }
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const auto report = (*audit)->verify(request, [terminal](const verify_progress& p) {
    if (terminal && p.total > 0) fmt::print(stderr, "\r{} of {} records", p.checked, p.total);
    return true;
  });
  if (terminal) fmt::print(stderr, "\r\x1b[K");
  if (!report) return failed(report.error().what);
  const v1::AuditVerdict verdict = verdict_of(*report);
  if (json) {
    fmt::print("{}\n", to_json(verdict));
  } else {
    for (const auto& f : verdict.findings())
      fmt::print("record {}: {}: expected {}, found {}\n", f.sequence(), f.fault(), f.expected(), f.found());
    fmt::print("{}: {} records, head {} {}\n", verdict.intact() ? "intact" : "BROKEN", verdict.checked(),
               verdict.head_sequence(), verdict.head_hash());
  }
  return verdict.intact() ? exit_code::ok : exit_code::refused_or_failed;
}

} // namespace

void add_audit(CLI::App& app, common_options& common, int& result) {
  CLI::App* audit = app.add_subcommand("audit", "the audit trail, read from the store itself");
  audit->require_subcommand(1);
  auto options = std::make_shared<audit_options>();
  const auto add_place = [&](CLI::App& command) {
    auto* path = command.add_option("--store", options->store, "the store's file")->capture_default_str();
    command.add_option("--config", options->config, "take the store's path from this configuration")->excludes(path);
    add_output(command, common);
  };
  CLI::App* tail_command = audit->add_subcommand("tail", "the latest records");
  add_place(*tail_command);
  tail_command->add_option("-n,--count", options->count, "how many")
      ->check(CLI::Range(std::size_t{1}, max_read_count))
      ->capture_default_str();
  tail_command->add_option("--loop", options->loop, "of this loop only");
  tail_command->callback([options, &common, &result] { result = tail(*options, common.json); });
  CLI::App* verify_command =
      audit->add_subcommand("verify", "check the hash chain: any change, gap or reordering is found");
  add_place(*verify_command);
  verify_command->add_option("--expect-head", options->expected_head,
                             "hash of the head noted elsewhere: finds a replaced store");
  verify_command->callback([options, &common, &result] { result = verify(*options, common.json); });
}

} // namespace homeostat
