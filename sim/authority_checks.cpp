#include "sim/authority_checks.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace homeostat::sim {

namespace {

constexpr duration slack = 3s;

std::string named(std::uint64_t id) { return "proposal " + std::to_string(id); }

/// @returns the number after "proposal " (or another prefix), 0 if there is none.
std::uint64_t number_after(std::string_view text, std::string_view prefix) {
  const auto at = text.find(prefix);
  if (at == std::string_view::npos) return 0;
  std::uint64_t id = 0;
  const std::string_view rest = text.substr(at + prefix.size());
  std::from_chars(rest.data(), rest.data() + rest.size(), id);
  return id;
}

bool waits(const config_proposal& p) {
  return p.state == review_state::pending || p.state == review_state::acknowledged;
}
bool over(const config_proposal& p) { return !waits(p) && p.state != review_state::approved; }

} // namespace

const governed_loop& authority_checks::loop_named(const std::string& name) const {
  return *std::ranges::find(scenario_.authority->config.loops, name, &governed_loop::name);
}

// ---- what the disk holds
// -------------------------------------------------------------------------------------------------

void authority_checks::kept(std::uint64_t id, const config_proposal* p) {
  if (p == nullptr) {
    if (const auto old = disk_.find(id); old != disk_.end() && !over(old->second) && !end_recorded_.contains(id))
      fail_("I9", named(id) + " is forgotten, and it is " + std::string(name_of(old->second.state)));
    disk_.erase(id);
    forgotten_.insert(id);
    return;
  }
  const auto [old, fresh] = disk_.try_emplace(id, *p);
  if (fresh) {
    if (!opened_.try_emplace(id, *p).second || forgotten_.contains(id))
      fail_("I9", named(id) + " is written as if it were new, and the number was used before");
    return;
  }
  const config_proposal& before = old->second;
  if (over(before) && before.state != p->state)
    fail_("I9",
          named(id) + " was " + std::string(name_of(before.state)) + " and becomes " + std::string(name_of(p->state)));
  if (before.state == review_state::approved && waits(*p)) fail_("I9", named(id) + " was approved and waits again");
  if (before.risk.result > p->risk.result) fail_("I11", named(id) + " has become less risky by itself");
  old->second = *p;
}

void authority_checks::recorded(const audit_record& r) {
  if (r.kind == audit_kind::proposal_opened || r.kind == audit_kind::proposal_decided) {
    const std::uint64_t id = number_after(r.text, "proposal ");
    if (id == 0 || r.actor.empty() || r.revision == 0)
      return fail_("I2", "a record of a proposal does not say which, who, or at which revision: " + r.text);
    if (r.kind == audit_kind::proposal_opened && !opening_recorded_.insert(id).second)
      return fail_("I2", named(id) + " is opened twice in the audit");
    if (r.text.find(", approved") != std::string::npos) approval_recorded_.insert(id);
    for (const char* end : {", applied", ", stale", ", rejected", ", expired", ", withdrawn"})
      if (r.text.find(end) != std::string::npos) end_recorded_.insert(id);
    return;
  }
  if (r.kind == audit_kind::intent && r.evidence.starts_with("proposal ")) intents_[r.generation] = r;
  const auto intent = intents_.find(r.generation);
  if (r.kind != audit_kind::committed || intent == intents_.end()) return;
  const std::uint64_t id = number_after(intent->second.evidence, "proposal ");
  const auto p = opened_.find(id);
  if (p == opened_.end() || !approval_recorded_.contains(id))
    return fail_("I2", "generation " + std::to_string(r.generation) + " is " + named(id) +
                           ", whose approval the audit does not hold");
  if (r.revision == 0 || r.classification != p->second.classification ||
      intent->second.classification != p->second.classification)
    fail_("I2", "generation " + std::to_string(r.generation) + " of " + named(id) +
                    " has no revision, or another classification than the proposal");
  if (intent->second.evidence.find(p->second.evidence) == std::string::npos)
    fail_("I2", "generation " + std::to_string(r.generation) + " does not hold the evidence of " + named(id));
}

// ---- what people did
// -----------------------------------------------------------------------------------------------------

void authority_checks::called(const authority_input& input) {
  if (const auto* d = std::get_if<proposal_decision>(&input))
    said_[d->id].insert({d->decision.actor, d->decision.verb});
  if (const auto* d = std::get_if<advice_decision>(&input))
    if (d->verb == advice_verb::accept && d->may_approve) accepted_advice_.emplace(d->id, d->actor);
}

void authority_checks::answered(const authority_input& input, std::optional<std::uint64_t> proposal) {
  if (std::holds_alternative<new_proposal>(input) && proposal) {
    promised_openings_.insert(*proposal);
    if (!disk_.contains(*proposal) && !forgotten_.contains(*proposal))
      fail_("I9", "somebody was told of " + named(*proposal) + ", which no disk holds");
  }
  const auto* d = std::get_if<proposal_decision>(&input);
  if (d == nullptr) return;
  const decision what{d->decision.actor, d->decision.verb};
  promised_[d->id].insert(what);
  const auto p = disk_.find(d->id);
  check_kept_promise(d->id, what, p == disk_.end() ? nullptr : &p->second);
  const auto opened = opened_.find(d->id);
  const bool gives_way = what.verb == review_verb::approve || what.verb == review_verb::acknowledge;
  if (gives_way && opened != opened_.end() && opened->second.author == what.actor)
    fail_("I11", what.actor + " was let decide about " + named(d->id) + ", which is " + what.actor + "'s own");
}

void authority_checks::check_kept_promise(std::uint64_t id, const decision& d, const config_proposal* p) {
  if (p == nullptr) {
    if (!forgotten_.contains(id)) fail_("I9", named(id) + " is lost, and " + d.actor + " was told that it is decided");
    return;
  }
  const bool holds = d.verb == review_verb::acknowledge ? p->acknowledged.has_value() || over(*p)
                     : d.verb == review_verb::approve   ? p->by_person
                     : d.verb == review_verb::reject    ? p->state == review_state::rejected
                                                        : p->state == review_state::withdrawn;
  if (!holds)
    fail_("I9", named(id) + " is " + std::string(name_of(p->state)) + ", and " + d.actor +
                    " was told that another decision holds");
}

// ---- what the authority did
// ----------------------------------------------------------------------------------------------

void authority_checks::started(const authority_state& state) {
  const auto find = [&](std::uint64_t id) {
    const auto p = state.proposals.find(id);
    return p == state.proposals.end() ? nullptr : &p->second;
  };
  // What is over is forgotten one day; that it was, the disk may have to be told twice.
  for (const auto& [id, p] : disk_)
    if (over(p) && find(id) == nullptr) forgotten_.insert(id);
  for (const auto& [id, decisions] : promised_)
    for (const decision& d : decisions) check_kept_promise(id, d, find(id));
  for (const std::uint64_t id : promised_openings_)
    if (find(id) == nullptr && !forgotten_.contains(id))
      fail_("I9", named(id) + " is lost, and its author was told that it is open");
}

void authority_checks::decided(const authority_input& input, const authority_effects& effects,
                               const authority_state& after) {
  mix(input.index());
  if (const auto* o = std::get_if<loop_observation>(&input)) baselines_[o->loop] = o->baseline;
  for (const audit_record& r : effects.records) mix(static_cast<std::uint64_t>(r.kind) << 32U | r.text.size());
  for (const std::uint64_t id : effects.proposals) mix(id);
  for (const loop_request& r : effects.requests)
    if (const auto p = after.proposals.find(r.wanted.id); p != after.proposals.end() && !p->second.by_person)
      check_cap(p->second);
  for (const loop_request& r : effects.requests) mix(r.wanted.id << 20U | r.wanted.base_revision);
  mix(effects.orders.size() << 8U | (effects.answer ? 1U : 2U));
}

/// Highest class of the moved knobs, one more for each of: two or more concerns, 2 to 5 loops, production.
risk_class authority_checks::class_of(const config_proposal& p) const {
  std::size_t steps = 0;
  std::set<std::string> about;
  bool security = false;
  for (const wanted_change& c : p.changes) {
    const governed_loop& loop = loop_named(c.loop);
    for (std::size_t i = 0; i < loop.knobs.size(); ++i) {
      if (c.before[i] == c.values[i]) continue;
      steps = std::max(steps, static_cast<std::size_t>(loop.knobs[i].risk));
      about.insert(loop.knobs[i].concern.empty() ? "the loop " + loop.name : loop.knobs[i].concern);
      security |= loop.knobs[i].security_relevant;
    }
  }
  if (about.size() > 1) ++steps;
  if (p.changes.size() > 1) ++steps;
  if (scenario_.authority->config.production) ++steps;
  return security || steps >= 2 ? risk_class::high : steps == 1 ? risk_class::medium : risk_class::low;
}

void authority_checks::check_rule(const config_proposal& p, const governed_loop& loop) {
  const auto rule = std::ranges::find(loop.rules, p.source, [](const tuning_rule& r) { return "rule " + r.name; });
  if (rule == loop.rules.end()) return fail_("I11", named(p.id) + " claims a rule that nobody wrote: " + p.source);
  const wanted_change& c = p.changes.front();
  for (std::size_t i = 0; i < loop.knobs.size(); ++i) {
    if (i != rule->knob && c.values[i] != c.before[i])
      fail_("I11", named(p.id) + " moves a knob that its rule does not name");
    const knob_spec& knob = loop.knobs[i];
    const bool ordered = knob.type == knob_type::continuous || knob.type == knob_type::integer;
    if (i == rule->knob && ordered && !(c.values[i] >= rule->min && c.values[i] <= rule->max))
      fail_("I11", named(p.id) + " wants " + number_text(c.values[i]) + ", outside the bounds of its rule");
  }
}

void authority_checks::check_cap(const config_proposal& p) {
  for (const wanted_change& c : p.changes) {
    const governed_loop& loop = loop_named(c.loop);
    const auto told = baselines_.find(c.loop);
    if (told == baselines_.end()) continue;
    for (std::size_t i = 0; i < loop.knobs.size(); ++i) {
      const knob_range range(loop.knobs[i]);
      const double from = told->second[i], to = c.values[i];
      if (!range.ordered() || range.scale == knob_scale::periodic || from == to) continue;
      const bool within = from == 0 ? std::abs(range.fraction(from, to)) <= 0.5 + 1e-6
                                    : to / from > 0 && std::max(to / from, from / to) <= loop.total_change_cap + 1e-6;
      if (!within)
        return fail_("I3", named(p.id) + " brings " + loop.knobs[i].name + " of loop " + c.loop + " to " +
                               number_text(to) + ", the baseline has " + number_text(from) + ", and nobody decided");
    }
  }
}

void authority_checks::check_without_person(const config_proposal& p) {
  const authority_config& config = scenario_.authority->config;
  const governed_loop& loop = loop_named(p.changes.front().loop);
  if (p.rationale.starts_with("recommendation")) return fail_("I11", named(p.id) + ", advice, was applied by itself");
  const bool by_rule = p.author == "homeostat";
  if (p.classification == change_class::auto_tune) {
    if (!by_rule || loop.pattern != feedback_pattern::auto_tune)
      return fail_("I11", named(p.id) + " claims to be auto-tuning, and its loop does not do that");
    return check_rule(p, loop);
  }
  if (!by_rule && !p.source.empty()) {
    const auto source = std::ranges::find(config.sources, p.source, &feedback_source::name);
    if (source == config.sources.end()) return fail_("I11", named(p.id) + " comes from a stranger: " + p.source);
    const bool trusted = source->trust == trust_level::medium || source->trust == trust_level::high;
    if (!trusted || source->requires_proposal)
      return fail_("I11", named(p.id) + " of " + p.source + ", whom nobody trusts so far, was applied by itself");
  }
  const auto late = [&](instant from) { return *p.decided - from >= config.review.auto_apply_after; };
  const risk_class risk = std::max(class_of(p), p.risk.result);
  if (risk == risk_class::high) return fail_("I11", named(p.id) + " is HIGH and was applied without an approval");
  if (risk == risk_class::low && !late(p.created))
    return fail_("I11", named(p.id) + " is LOW and was applied before anybody could have objected");
  if (risk != risk_class::medium) return;
  const bool seen = std::ranges::any_of(
      said_[p.id], [&](const decision& d) { return d.verb == review_verb::acknowledge && d.actor != p.author; });
  if (!p.acknowledged || !seen) return fail_("I11", named(p.id) + " is MEDIUM and was applied, and nobody saw it");
  if (!late(*p.acknowledged))
    fail_("I11", named(p.id) + " is MEDIUM and was applied before anybody could have objected");
}

void authority_checks::check_approval(const config_proposal& p) {
  if (!p.decided) return fail_("I11", named(p.id) + " is approved, and nobody knows when");
  if (!p.by_person) return check_without_person(p);
  if (p.decided_by == p.author) return fail_("I11", named(p.id) + " was approved by its author, " + p.author);
  const bool said = said_[p.id].contains({p.decided_by, review_verb::approve});
  const std::string prefix = "recommendation ";
  const bool accepted =
      p.rationale.starts_with(prefix) && accepted_advice_.contains({p.rationale.substr(prefix.size()), p.decided_by});
  if (!said && !accepted) fail_("I11", named(p.id) + " is applied for " + p.decided_by + ", who never approved it");
}

void authority_checks::check_step(const config_proposal& p, const loop_request& r) {
  const auto slash = r.wanted.request.rfind('/');
  const std::uint64_t step = number_after(r.wanted.request.substr(slash), "/");
  const config_proposal& opened = opened_.at(p.id);
  const auto change = std::ranges::find(opened.changes, r.loop, &wanted_change::loop);
  if (change == opened.changes.end())
    return fail_("I11", named(p.id) + " is asked of loop " + r.loop + ", which it is not about");
  std::uint64_t expected = change->base_revision;
  if (step > 1) {
    const auto& done = in_force_[r.loop];
    const auto before = done.find(r.wanted.request.substr(0, slash + 1) + std::to_string(step - 1));
    if (before == done.end())
      return fail_("I11", named(p.id) + " goes on with step " + std::to_string(step) + ", and the one before it " +
                              "never came into force");
    expected = before->second.revision;
  }
  if (r.wanted.base_revision != expected)
    fail_("I11", named(p.id) + " was decided for revision " + std::to_string(expected) + " of loop " + r.loop +
                     ", and is asked for at " + std::to_string(r.wanted.base_revision));
}

void authority_checks::requested(const loop_request& r, duration at) {
  const std::uint64_t id = r.wanted.id;
  const auto found = disk_.find(id);
  if (found == disk_.end()) return fail_("I9", named(id) + " is asked for, and no disk holds it");
  const config_proposal& p = found->second;
  if (p.state != review_state::approved)
    return fail_("I11", named(id) + " is asked for, and the disk says it is " + std::string(name_of(p.state)));
  check_approval(p);
  check_step(p, r);
  if (r.wanted.approver != (p.by_person ? p.decided_by : ""))
    fail_("I11", named(id) + " is asked for in the name of '" + r.wanted.approver + "'");
  if (r.wanted.source.empty() || r.wanted.evidence.find(p.evidence) == std::string::npos ||
      r.wanted.classification != p.classification)
    fail_("I2", named(id) + " is asked for without its source, evidence or classification");
  if (p.by_person || !started_alone_.insert(id).second) return;
  std::erase_if(starts_, [&](duration t) { return at - t >= 1h; });
  starts_.push_back(at);
  if (starts_.size() > scenario_.authority->config.changes_per_hour)
    fail_("I3", named(id) + " is change number " + std::to_string(starts_.size()) +
                    " within an hour that nobody decided in person, allowed " +
                    std::to_string(scenario_.authority->config.changes_per_hour));
}

void authority_checks::came_into_force(const std::string& loop, const std::string& request, std::uint64_t generation,
                                       std::uint64_t revision) {
  const std::uint64_t id = number_after(request, "proposal/");
  const auto [before, first] = in_force_[loop].try_emplace(request, coming{generation, revision});
  if (!first && before->second.generation != generation)
    return fail_("I9", request + " came into force twice on loop " + loop);
  before->second.revision = revision;
  const auto found = disk_.find(id);
  if (found == disk_.end()) return fail_("I9", request + " came into force, and no disk holds the proposal");
  const config_proposal& p = found->second;
  if (p.state != review_state::approved)
    return fail_("I11", request + " came into force on loop " + loop + ", and the proposal is " +
                            std::string(name_of(p.state)) + ": " + p.decision);
  if (!approval_recorded_.contains(id))
    fail_("I2", request + " came into force, and the audit does not hold its approval");
}

void authority_checks::taken_back(const std::string& loop, std::uint64_t generation) {
  std::erase_if(in_force_[loop], [&](const auto& entry) { return entry.second.generation == generation; });
}

void authority_checks::moved_in_safe_mode(const std::string& loop) {
  fail_("I4", "loop " + loop + " is frozen, and no person changed it");
}

// ---- what must always be so
// ----------------------------------------------------------------------------------------------

void authority_checks::check_sizes(const authority_state& s) {
  const authority_config& config = scenario_.authority->config;
  std::size_t rules = 0;
  for (const governed_loop& loop : config.loops) rules += loop.rules.size();
  std::size_t open = 0;
  for (const auto& [id, p] : s.proposals) open += over(p) ? 0U : 1U;
  const auto within = [&](std::size_t size, std::size_t cap, const char* what) {
    if (size > cap) fail_("I12", std::to_string(size) + " " + what + ", at most " + std::to_string(cap) + " expected");
  };
  // A rule's own wish is one at a time, and none of the wishes of others keeps it out.
  within(open, config.review.max_open + rules, "proposals wait");
  within(s.proposals.size(), 4 * config.review.max_open + rules, "proposals are kept");
  within(s.advice.size(), config.max_advice, "recommendations are kept");
  within(s.ledger.changes.accepted.size(), config.changes_per_hour, "changes are remembered");
  within(s.ledger.source_used.size(), config.sources.size() * config.loops.size(), "uses of sources are remembered");
  within(s.ledger.rule_fired.size(), rules, "rules are remembered");
  for (const axis_history& axis : s.axes)
    within(axis.moves.size(), config.contention.alternations + 1, "moves of an axis");
}

void authority_checks::look(const authority_state* state, instant now, duration at) {
  if (state == nullptr) {
    was_running_ = false;
    return;
  }
  if (!std::exchange(was_running_, true)) running_since_ = at;
  check_sizes(*state);
  if (at - running_since_ < slack) return;
  const review_settings& r = scenario_.authority->config.review;
  for (const auto& [id, p] : state->proposals) {
    if (waits(p) && now - p.created > r.expire_after + slack)
      return fail_("I12", named(id) + " still waits, " + number_text(seconds_of(now - p.created)) + " s after it came");
    if (p.state == review_state::pending && p.risk.result == risk_class::medium &&
        now - p.created > r.escalate_after + slack)
      return fail_("I12", named(id) + " is MEDIUM, nobody has seen it, and it has not become HIGH");
    if (p.state == review_state::approved && now - *p.decided > 2 * r.expire_after + slack)
      return fail_("I12", named(id) + " was approved " + number_text(seconds_of(now - *p.decided)) +
                              " s ago, and nothing has come of it");
  }
}

} // namespace homeostat::sim
