#include "runtime/node/pool_commands.hpp"

#include "policies/find_named.hpp"
#include "policies/transfer/policy_knobs.hpp"
#include "runtime/node/node.hpp"

#include <thread>

namespace homeostat {

namespace {

/// A change of a pool takes a few milliseconds; one step of another change may be before it.
constexpr auto patience = std::chrono::seconds(4);
constexpr auto between_looks = std::chrono::milliseconds(5);

using outcome = std::expected<void, authority_problem>;

outcome refused(unsigned status, std::string text) {
  return std::unexpected(authority_problem{status, std::move(text)});
}

std::map<std::string, double> governed_knobs(const loop_config& loop, const transfer_policy& policy) {
  std::map<std::string, double> values = knobs_of(policy);
  std::erase_if(values, [&](const auto& entry) { return !find_named(loop.governor.knobs, entry.first); });
  return values;
}

/// Sets knobs of the loop through its governor and waits until they are in force.
outcome set_knobs(node& n, const loop_config& loop, const std::map<std::string, double>& wanted,
                  const std::string& actor, const std::string& text) {
  const auto until = std::chrono::steady_clock::now() + patience;
  std::string last = "loop " + loop.name + " does not report its values";
  for (bool asked = false; std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(between_looks)) {
    const auto status = n.status(loop.name);
    if (!status) return refused(503, status.error());
    if (status->knobs.size() != loop.governor.knobs.size()) continue;
    operator_command command{.action = operator_action::set_values,
                             .actor = actor,
                             .text = text,
                             .values = {},
                             .override_bounds = false,
                             .revision = status->revision};
    bool in_force = true;
    for (const knob_status& knob : status->knobs) {
      const auto found = wanted.find(knob.name);
      command.values.push_back(found == wanted.end() ? knob.base : found->second);
      in_force = in_force && (found == wanted.end() || (knob.base == found->second && knob.value == found->second));
    }
    if (in_force) return {};
    if (asked) continue;
    const auto answer = n.command(loop.name, command);
    if (!answer) return refused(503, answer.error());
    asked = answer->ok;
    last = "loop " + loop.name + (asked ? " has not brought it into force, see its status" : ": " + answer->text);
    if (!asked && !answer->later) return refused(422, last);
  }
  return refused(503, last);
}

/// Changes what the loop does not govern.
outcome change_the_rest(governed_pool& pool, const loop_config& loop, const transfer_policy& wanted) {
  const auto done =
      pool.change([&](const transfer_policy& now) { return with_knobs(wanted, governed_knobs(loop, now)); });
  return done ? outcome{} : refused(503, done.error());
}

} // namespace

outcome change_policy(node& n, const std::string& name, const transfer_policy& wanted, const std::string& actor,
                      const std::string& text) {
  const auto pool = n.transfers().governed(name);
  const loop_config* loop = loop_over_pool(n.config(), name);
  if (!pool || !loop) return refused(404, "no pool '" + name + "' with a transfer section is configured here");
  if (const auto ok = pool->check(wanted); !ok) return refused(422, ok.error());
  const transfer_policy now = pool->pool().policy();
  const auto knobs = governed_knobs(*loop, wanted);
  const auto half = with_knobs(now, knobs);                         // the knobs alone
  const auto rest = with_knobs(wanted, governed_knobs(*loop, now)); // everything else alone
  if (!half || !rest) return refused(422, half ? rest.error() : half.error());
  if (pool->check(*half)) {
    if (const auto set = set_knobs(n, *loop, knobs, actor, text); !set) return set;
    return change_the_rest(*pool, *loop, wanted);
  }
  // Thresholds of single types have to lie between the limits, whichever of them moves first.
  if (const auto ok = pool->check(*rest); !ok)
    return refused(422, "cannot be changed in one step, change the limits apart from the rest: " + ok.error());
  if (const auto changed = change_the_rest(*pool, *loop, wanted); !changed) return changed;
  const auto set = set_knobs(n, *loop, knobs, actor, text);
  if (!set) (void)change_the_rest(*pool, *loop, now);
  return set;
}

outcome back_to_rules(node& n, const std::string& name, const std::string& actor, const std::string& text) {
  const auto pool = n.transfers().governed(name);
  const loop_config* loop = loop_over_pool(n.config(), name);
  if (!pool || !loop) return refused(404, "no pool '" + name + "' with a transfer section is configured here");
  const std::string why = "rollback to rules by " + actor;
  n.transfers().learning().withdraw(name, why, n.now());
  const auto forgotten = pool->forget_learned(why);
  const auto off = [](transfer_policy policy) -> std::expected<transfer_policy, std::string> {
    policy.learning_enabled = false;
    return policy;
  };
  outcome result = forgotten ? outcome{} : refused(503, "what was learned may come back: " + forgotten.error());
  if (find_named(loop->governor.knobs, "learning_enabled")) {
    const std::string reason = why + (text.empty() ? "" : ": " + text);
    if (const auto set = set_knobs(n, *loop, {{"learning_enabled", 0}}, actor, reason); !set)
      result = refused(503, "learning is off, but not by its loop, which will call it drift: " + set.error().text);
    else if (const auto based = n.command(loop->name, {.action = operator_action::set_baseline,
                                                       .actor = actor,
                                                       .text = "rules",
                                                       .values = {},
                                                       .override_bounds = false});
             !based || !based->ok)
      result = refused(503, "learning is off, but a rollback of loop " + loop->name +
                                " may begin it again: " + (based ? based->text : based.error()));
  }
  // Also where the loop has not: what an operator stops in an incident has to stop.
  if (const auto stopped = pool->change(off); !stopped)
    result = refused(503, "learning is not off: " + stopped.error());
  return result;
}

} // namespace homeostat
