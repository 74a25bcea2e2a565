// Commands of the authority plane: knobs, proposals, recommendations, drift, plan, propose, apply.
#include "messages/authority.pb.h"
#include "messages/control.pb.h"
#include "policies/number_text.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/daemon_call.hpp"
#include "runtime/config/scalar_text.hpp"

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <ctime>
#include <memory>

namespace homeostat {

namespace {

using knob_changes = google::protobuf::RepeatedPtrField<v1::KnobChange>;

std::string time_text(std::int64_t us) {
  const std::time_t seconds = us / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts);
  return text;
}

/// @returns how long it is until then, in the largest unit that says enough.
std::string wait_text(std::int64_t us) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const double seconds = static_cast<double>(us) / 1e6 - std::chrono::duration<double>(now).count();
  if (seconds <= 0) return "now";
  if (seconds < 120) return fmt::format("in {:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("in {:.0f} min", seconds / 60);
  if (seconds < 172800) return fmt::format("in {:.0f} h", seconds / 3600);
  return fmt::format("in {:.0f} d", seconds / 86400);
}

void print_changes(const std::string& loop, const knob_changes& knobs) {
  for (const auto& k : knobs)
    fmt::print("    {}.{:<20} {} -> {} {}\n", loop, k.knob(), k.before_text(), k.after_text(), k.unit());
}

void print_proposal(const v1::ProposalView& p, bool details) {
  fmt::print("{:>4}  {:<6}  {:<12}  by {}{}", p.id(), p.risk(), p.state(), p.author(),
             p.source().empty() ? "" : " (" + p.source() + ")");
  if (p.has_next_us())
    fmt::print("  {} {}", p.next(), wait_text(p.next_us()));
  else if (!p.decided_by().empty())
    fmt::print("  decided by {}", p.decided_by());
  fmt::print("\n");
  for (const auto& change : p.changes()) print_changes(change.loop(), change.knobs());
  if (!p.decision().empty()) fmt::print("    decision: {}\n", p.decision());
  if (!details) return;
  fmt::print("    opened {}, version {}, classified {}\n", time_text(p.created_us()), p.version(), p.classification());
  for (const auto& term : p.risk_terms()) fmt::print("    risk: {} (+{})\n", term.text(), term.steps());
  if (!p.rationale().empty()) fmt::print("    rationale: {}\n", p.rationale());
  if (!p.evidence().empty()) fmt::print("    evidence: {}\n", p.evidence());
  fmt::print("    confidence {}", number_text(p.confidence()));
  if (p.has_expected_gain()) fmt::print(", expected gain {} %", number_text(100 * p.expected_gain()));
  fmt::print("\n");
  for (const auto& change : p.changes())
    fmt::print("    loop {}: made for revision {}, {} steps taken{}\n", change.loop(), change.base_revision(),
               change.steps_taken(), change.done() ? ", done" : "");
}

void print_recommendation(const v1::RecommendationView& r) {
  fmt::print("{}  {:<9}  from {}, seen {} times, confidence {}", r.id(), r.state(), r.source(), r.seen(),
             number_text(r.confidence()));
  if (r.has_until_us()) fmt::print("  until {}", time_text(r.until_us()));
  fmt::print("\n");
  print_changes(r.loop(), r.knobs());
  if (!r.evidence().empty()) fmt::print("    evidence: {}\n", r.evidence());
  if (!r.decided_by().empty()) fmt::print("    decided by {}: {}\n", r.decided_by(), r.decision());
}

// ---- lists --------------------------------------------------------------------------------------------------------

int list_knobs(const common_options& common) {
  v1::NodeStatus status;
  if (const auto code = get_from(common, "/api/v1/status", status)) return *code;
  fmt::print("{:<20} {:<24} {:>12} {:>12} {:>12} {:>12}  {}\n", "LOOP", "KNOB", "VALUE", "BASELINE", "MIN", "MAX",
             "UNIT");
  for (const auto& loop : status.loops())
    for (const auto& k : loop.knobs())
      fmt::print("{:<20} {:<24} {:>12} {:>12} {:>12} {:>12}  {}\n", loop.name(), k.name(), number_text(k.value()),
                 number_text(k.baseline()), number_text(k.min()), number_text(k.max()), k.unit());
  return exit_code::ok;
}

int list_proposals(const common_options& common, bool all) {
  v1::ProposalPage page;
  if (const auto code = get_from(common, all ? "/api/v1/proposals" : "/api/v1/proposals?state=open", page))
    return *code;
  int shown = 0;
  for (const auto& p : page.proposals()) {
    if (!all && p.state() != "pending" && p.state() != "acknowledged" && p.state() != "approved") continue;
    print_proposal(p, false);
    ++shown;
  }
  if (shown == 0)
    fmt::print("no proposal waits{}\n", all || page.proposals().empty() ? "" : "; --all shows decided ones");
  return exit_code::ok;
}

int show_proposal(const common_options& common, const std::string& id) {
  v1::ProposalView p;
  if (const auto code = get_from(common, "/api/v1/proposals/" + escaped(id), p)) return *code;
  print_proposal(p, true);
  return exit_code::ok;
}

int list_recommendations(const common_options& common) {
  v1::RecommendationPage page;
  if (const auto code = get_from(common, "/api/v1/recommendations", page)) return *code;
  for (const auto& r : page.recommendations()) print_recommendation(r);
  if (page.recommendations().empty()) fmt::print("no recommendations\n");
  return exit_code::ok;
}

int list_drift(const common_options& common) {
  v1::DriftPage page;
  if (const auto code = get_from(common, "/api/v1/drift", page)) return *code;
  for (const auto& d : page.drifts()) {
    fmt::print("loop {}  revision {}  found {}  break-glass, requires-review\n", d.loop(), d.revision(),
               time_text(d.found_us()));
    print_changes(d.loop(), d.knobs());
  }
  if (page.drifts().empty()) fmt::print("no drift waits for a review\n");
  return exit_code::ok;
}

// ---- decisions ----------------------------------------------------------------------------------------------------

v1::DecisionRequest decision_of(const common_options& common, const std::string& text) {
  v1::DecisionRequest body;
  body.set_text(text);
  body.set_actor(actor_name(common));
  return body;
}

int decide_proposal(const common_options& common, const std::string& id, const std::string& verb,
                    const std::string& text) {
  v1::ProposalView p;
  const auto code = answer_to(common, "/api/v1/proposals/" + escaped(id) + "/" + verb, decision_of(common, text), p);
  if (code) return *code;
  print_proposal(p, false);
  return exit_code::ok;
}

int decide_recommendation(const common_options& common, const std::string& id, const std::string& verb,
                          const std::string& text, std::optional<std::chrono::microseconds> snooze) {
  v1::DecisionRequest body = decision_of(common, text);
  if (snooze) body.set_snooze_seconds(std::chrono::duration<double>(*snooze).count());
  v1::RecommendationDecision done;
  const auto code = answer_to(common, "/api/v1/recommendations/" + escaped(id) + "/" + verb, body, done);
  if (code) return *code;
  print_recommendation(done.recommendation());
  if (done.has_proposal()) print_proposal(done.proposal(), false);
  return exit_code::ok;
}

int review_drift(const common_options& common, const std::string& loop, const std::string& revision,
                 const std::string& verb, const std::string& text) {
  v1::CommandResult done;
  const auto code = answer_to(common, "/api/v1/drift/" + escaped(loop) + "/" + escaped(revision) + "/" + verb,
                              decision_of(common, text), done);
  if (code) return *code;
  fmt::print("{}: {}\n", loop, done.text());
  return exit_code::ok;
}

// ---- changes ------------------------------------------------------------------------------------------------------

/// What `plan`, `propose` and `apply` take: LOOP KNOB=VALUE...
struct change_words {
  std::string loop;
  std::vector<std::string> knobs;
  std::string text;
  std::string evidence;
  std::string source;
  std::optional<std::uint64_t> revision;
  double confidence{1};
  bool override_bounds{false};
  bool advice{false};
};

/// Reads KNOB=VALUE; a number, true, false, or a category. @throws CLI::ValidationError
void read_knobs(const std::vector<std::string>& words,
                google::protobuf::Map<std::string, google::protobuf::Value>* out) {
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
      throw CLI::ValidationError("KNOB=VALUE", "is '" + word + "', expected for example pool_size=40");
    google::protobuf::Value value;
    const std::string text = word.substr(equals + 1);
    if (const auto number = yaml::parse_number(text))
      value.set_number_value(*number);
    else if (text == "true" || text == "false")
      value.set_bool_value(text == "true");
    else
      value.set_string_value(text);
    if (!out->insert({word.substr(0, equals), value}).second)
      throw CLI::ValidationError("KNOB=VALUE", "names knob '" + word.substr(0, equals) + "' twice");
  }
}

v1::ProposalRequest request_of(const common_options& common, const change_words& w) {
  v1::ProposalRequest request;
  v1::ChangeRequest* change = request.add_changes();
  change->set_loop(w.loop);
  read_knobs(w.knobs, change->mutable_knobs());
  if (w.revision) change->set_base_revision(*w.revision);
  request.set_rationale(w.text);
  request.set_evidence(w.evidence);
  request.set_source(w.source);
  request.set_confidence(w.confidence);
  request.set_actor(actor_name(common));
  return request;
}

int show_plan(const common_options& common, const change_words& w) {
  v1::PlanView plan;
  if (const auto code = answer_to(common, "/api/v1/plan", request_of(common, w), plan)) return *code;
  for (const auto& change : plan.changes()) print_changes(change.loop(), change.knobs());
  fmt::print("risk {}", plan.risk());
  for (const auto& term : plan.risk_terms()) fmt::print("; {} (+{})", term.text(), term.steps());
  fmt::print("\n{} {} of the guardrails; {}\n", plan.steps(), plan.steps() == 1 ? "step" : "steps", plan.next());
  for (const auto& guard : plan.guards())
    if (!guard.ok()) fmt::print("  refused now by {}\n", guard.text());
  if (plan.admissible()) fmt::print("  all {} guards would pass it now\n", plan.guards_size());
  return plan.admissible() ? exit_code::ok : exit_code::refused_or_failed;
}

int propose(const common_options& common, const change_words& w) {
  if (w.advice) {
    v1::RecommendationView r;
    if (const auto code = answer_to(common, "/api/v1/recommendations", request_of(common, w), r)) return *code;
    print_recommendation(r);
    return exit_code::ok;
  }
  v1::ProposalView p;
  if (const auto code = answer_to(common, "/api/v1/proposals", request_of(common, w), p)) return *code;
  print_proposal(p, true);
  return exit_code::ok;
}

int apply(const common_options& common, const change_words& w) {
  v1::OverrideRequest body;
  read_knobs(w.knobs, body.mutable_knobs());
  body.set_override_bounds(w.override_bounds);
  body.set_text(w.text);
  body.set_actor(actor_name(common));
  v1::CommandResult done;
  if (const auto code = answer_to(common, "/api/v1/loops/" + escaped(w.loop) + "/values", body, done)) return *code;
  fmt::print("{}: {}\n", w.loop, done.text());
  return exit_code::ok;
}

// ---- the command line ---------------------------------------------------------------------------------------------

CLI::App* add_list(CLI::App& parent, const char* name, const char* help, common_options& common, int& result,
                   std::function<int()> run) {
  CLI::App* command = parent.add_subcommand(name, help);
  add_api(*command, common);
  add_output(*command, common);
  command->callback([run = std::move(run), &result] { result = run(); });
  return command;
}

struct decision_words {
  std::string id, revision, text;
  std::optional<std::chrono::microseconds> snooze;
};

void add_proposals(CLI::App& app, common_options& common, int& result) {
  CLI::App* proposals = app.add_subcommand("proposals", "wishes to change values, and who has to agree");
  proposals->require_subcommand(1);
  const auto all = std::make_shared<bool>(false);
  add_list(*proposals, "list", "those that wait, the newest first", common, result, [&common, all] {
    return list_proposals(common, *all);
  })->add_flag("--all", *all, "decided ones too");
  const auto shown = std::make_shared<std::string>();
  add_list(*proposals, "show", "one of them with its evidence and risk", common, result,
           [&common, shown] { return show_proposal(common, *shown); })
      ->add_option("ID", *shown, "its number")
      ->required();
  for (const auto& [verb, help] :
       {std::pair("ack", "let one of MEDIUM risk go on"), std::pair("approve", "approve one: it is applied now"),
        std::pair("reject", "reject one"), std::pair("withdraw", "take your own one back")}) {
    const auto w = std::make_shared<decision_words>();
    CLI::App* command = add_list(*proposals, verb, help, common, result, [&common, w, verb = std::string(verb)] {
      return decide_proposal(common, w->id, verb, w->text);
    });
    command->add_option("ID", w->id, "its number")->required();
    command->add_option("--reason", w->text, "recorded in the audit");
  }
}

void add_recommendations(CLI::App& app, common_options& common, int& result) {
  CLI::App* parent = app.add_subcommand("recommendations", "advice beside the configuration");
  parent->require_subcommand(1);
  add_list(*parent, "list", "all of it", common, result, [&common] { return list_recommendations(common); });
  for (const auto& [verb, help] :
       {std::pair("accept", "make it a proposal, approved if you may approve"),
        std::pair("dismiss", "do not want it, also when it is seen again"), std::pair("snooze", "put it aside")}) {
    const auto w = std::make_shared<decision_words>();
    CLI::App* command = add_list(*parent, verb, help, common, result, [&common, w, verb = std::string(verb)] {
      return decide_recommendation(common, w->id, verb, w->text, w->snooze);
    });
    command->add_option("ID", w->id, "as listed")->required();
    command->add_option("--reason", w->text, "recorded in the audit");
    if (std::string_view(verb) == "snooze")
      add_duration(*command, "--for", [w](std::chrono::microseconds d) { w->snooze = d; }, "for how long")->required();
  }
}

void add_drift(CLI::App& app, common_options& common, int& result) {
  CLI::App* parent = app.add_subcommand("drift", "values that were changed outside, captured and waiting for a review");
  parent->require_subcommand(1);
  add_list(*parent, "list", "those that wait", common, result, [&common] { return list_drift(common); });
  for (const auto& [verb, help] : {std::pair("accept", "the values found are the desired ones"),
                                   std::pair("revert", "set the values back to what was desired")}) {
    const auto w = std::make_shared<decision_words>();
    CLI::App* command = add_list(*parent, verb, help, common, result, [&common, w, verb = std::string(verb)] {
      return review_drift(common, w->id, w->revision, verb, w->text);
    });
    command->add_option("LOOP", w->id, "name of the loop")->required();
    command->add_option("REVISION", w->revision, "as listed")->required();
    command->add_option("--reason", w->text, "recorded in the audit");
  }
}

std::shared_ptr<change_words> add_change(CLI::App& app, const char* name, const char* help, common_options& common,
                                         int& result, int (*run)(const common_options&, const change_words&),
                                         CLI::App** command) {
  const auto w = std::make_shared<change_words>();
  *command = add_list(app, name, help, common, result, [&common, w, run] { return run(common, *w); });
  (*command)->add_option("LOOP", w->loop, "name of the loop")->required();
  (*command)->add_option("KNOB=VALUE", w->knobs, "wanted values; the other knobs keep theirs")->required();
  (*command)->add_option("--reason", w->text, "why, for those who decide and for the audit");
  return w;
}

void add_changes(CLI::App& app, common_options& common, int& result) {
  CLI::App* command = nullptr;
  const auto with_evidence = [&](const std::shared_ptr<change_words>& w) {
    command->add_option("--revision", w->revision, "the revision the values were chosen for; default: the present one");
    command->add_option("--source", w->source, "registered feedback source; default: you");
    command->add_option("--evidence", w->evidence, "the data behind it, one line");
    command->add_option("--confidence", w->confidence, "0 to 1")->capture_default_str();
  };
  with_evidence(add_change(app, "plan", "what would be applied and what each guard would say; changes nothing", common,
                           result, show_plan, &command));
  const auto w = add_change(app, "propose", "propose values: who has to agree depends on the risk", common, result,
                            propose, &command);
  with_evidence(w);
  command->add_flag("--recommend", w->advice, "as advice that nothing applies by itself");
  const auto forced = add_change(app, "apply", "set values by hand, at once, past the strategy's guards", common,
                                 result, apply, &command);
  command->add_flag("--override-bounds", forced->override_bounds, "also beyond the bounds; the audit says so");
}

} // namespace

void add_authority(CLI::App& app, common_options& common, int& result) {
  add_list(app, "knobs", "every knob with value, baseline and bounds", common, result,
           [&common] { return list_knobs(common); });
  add_proposals(app, common, result);
  add_recommendations(app, common, result);
  add_drift(app, common, result);
  add_changes(app, common, result);
}

} // namespace homeostat
