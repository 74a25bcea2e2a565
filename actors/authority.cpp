#include "actors/authority.hpp"

#include "messages/authority_views.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <memory>
#include <set>
#include <string_view>

namespace homeostat {

namespace {

using self_ptr = authority_actor::stateful_pointer<authority_actor_state>;
using owed_reply = authority_actor_state::owed_reply;
using held_effects = authority_actor_state::held_effects;

constexpr const char* index_key = "authority/index";
std::string key_of(std::uint64_t proposal) { return "authority/proposal/" + std::to_string(proposal); }
std::string key_of(const std::string& advice) { return "authority/advice/" + advice; }

void feed(self_ptr self, const authority_input& input, owed_reply owed = nullptr);
void watch(self_ptr self);

std::uint32_t status_of(review_refusal kind) {
  switch (kind) {
  case review_refusal::unknown: return 404;
  case review_refusal::conflict: return 409;
  case review_refusal::forbidden: return 403;
  case review_refusal::invalid: return 422;
  case review_refusal::too_many: return 429;
  }
  return 500;
}

authority_reply refusal(std::uint32_t status, std::string problem) {
  return {.status = status, .body = {}, .problem = std::move(problem)};
}

authority_reply reply_of(const google::protobuf::Message& message, std::uint32_t status = 200) {
  return {.status = status, .body = message.SerializeAsString(), .problem = {}};
}

authority_reply reply_to(const authority_actor_state& s, const authority_effects& effects, bool deciding) {
  if (!effects.answer) return refusal(status_of(effects.answer.error().kind), effects.answer.error().text);
  if (effects.answered_advice && deciding) {
    v1::RecommendationDecision both;
    *both.mutable_recommendation() = view_of(s.settings.config, s.core.advice.at(*effects.answered_advice));
    if (effects.answered_proposal)
      *both.mutable_proposal() = view_of(s.settings.config, s.core.proposals.at(*effects.answered_proposal));
    return reply_of(both);
  }
  if (effects.answered_proposal)
    return reply_of(view_of(s.settings.config, s.core.proposals.at(*effects.answered_proposal)));
  if (effects.answered_advice) return reply_of(view_of(s.settings.config, s.core.advice.at(*effects.answered_advice)));
  return {};
}

// ---- what the effects ask for -------------------------------------------------------------------------------------

/// Everything decided since the last batch went to the store, whole states beside the records that led to them.
audit_batch batch_of(const authority_actor_state& s, authority_actor_state::gathered changes) {
  audit_batch batch;
  batch.records = std::move(changes.records);
  for (const std::uint64_t id : changes.proposals) {
    const auto found = s.core.proposals.find(id);
    batch.kept.push_back({key_of(id), found == s.core.proposals.end() ? "" : encode(found->second)});
  }
  for (const std::string& id : changes.advice) {
    const auto found = s.core.advice.find(id);
    batch.kept.push_back({key_of(id), found == s.core.advice.end() ? "" : encode(found->second)});
  }
  // What there is changes with the ledger when something is opened, and when something is forgotten.
  const bool forgotten = std::ranges::any_of(batch.kept, [](const kept_state& kept) { return kept.value.empty(); });
  if (changes.ledger || forgotten) {
    authority_index index{.ledger = s.core.ledger, .proposals = {}, .advice = {}};
    for (const auto& [id, p] : s.core.proposals) index.proposals.push_back(id);
    for (const auto& [id, r] : s.core.advice) index.advice.push_back(id);
    batch.kept.push_back({index_key, encode(index)});
  }
  return batch;
}

void observe(self_ptr self, const std::string& loop, std::function<void()> then = {}) {
  auto& s = self->state;
  const auto done = [then = std::move(then)] {
    if (then) then();
  };
  s.observed[loop] = true;
  self->request(s.root, s.settings.request_timeout, status_atom::value, loop)
      .then(
          [self, loop, done](const loop_status& status) {
            auto& state = self->state;
            state.observed[loop] = false;
            if (status.state == "running" || status.state == "safe mode") {
              loop_observation o{.loop = loop,
                                 .generation = status.generation,
                                 .revision = status.revision,
                                 .base = {},
                                 .baseline = {},
                                 .frozen = status.state != "running",
                                 .last_request = status.last_request,
                                 .last_request_revision = status.last_request_revision,
                                 .request_in_flight = status.request_in_flight,
                                 .metrics = {}};
              for (const knob_status& knob : status.knobs)
                o.base.push_back(knob.base), o.baseline.push_back(knob.baseline);
              if (state.settings.metrics) o.metrics = state.settings.metrics(loop);
              feed(self, o);
            }
            done();
          },
          [self, loop, done](const caf::error&) {
            self->state.observed[loop] = false;
            done();
          });
}

void send_request(self_ptr self, const loop_request& r) {
  const auto answer = [self, loop = r.loop](std::optional<proposal_verdict> verdict) {
    feed(self, request_answer{.loop = loop, .verdict = std::move(verdict)});
    observe(self, loop);
  };
  self->request(self->state.root, self->state.settings.verdict_timeout, r.loop, r.wanted)
      .then([answer](const proposal_verdict& verdict) { answer(verdict); },
            [answer](const caf::error&) { answer(std::nullopt); });
}

void send_order(self_ptr self, const loop_order& order) {
  self->request(self->state.root, self->state.settings.request_timeout, order.loop, order.command)
      .then(
          [self, order](const command_result& result) {
            if (!result.ok && self->state.settings.notify)
              self->state.settings.notify("order", "loop " + order.loop + ": " + order.command.text +
                                                       ": refused: " + result.text);
          },
          [self, order](const caf::error& reason) {
            if (self->state.settings.notify)
              self->state.settings.notify("order", "loop " + order.loop + ": " + order.command.text +
                                                       ": no answer: " + self->system().render(reason));
          });
}

void release(self_ptr self, const std::vector<held_effects>& all) {
  for (const held_effects& held : all) {
    if (held.owed) held.owed->deliver(held.reply);
    for (const loop_request& r : held.effects.requests) send_request(self, r);
    for (const loop_order& order : held.effects.orders) send_order(self, order);
    if (self->state.settings.notify)
      for (const authority_notice& n : held.effects.notices) self->state.settings.notify(n.kind, n.text);
  }
}

/// One batch at a time: none may become durable when one before it did not, and nothing is told or asked that follows
/// from what is not durable yet. What is decided meanwhile goes with the next one.
void write_next(self_ptr self) {
  auto& s = self->state;
  if (s.writing) return;
  auto held = std::make_shared<std::vector<held_effects>>(std::exchange(s.held, {}));
  audit_batch batch = batch_of(s, std::exchange(s.changes, {}));
  if (batch.records.empty() && batch.kept.empty()) return release(self, *held);
  const auto fail = [self, held](const std::string& why) {
    for (std::vector<held_effects>* waiting : {held.get(), &self->state.held})
      for (const held_effects& h : *waiting)
        if (h.owed) h.owed->deliver(refusal(503, "AuditUnavailable: " + why));
    // What is in memory is ahead of what is kept: start again from there.
    self->quit(caf::make_error(caf::sec::runtime_error, "authority: " + why));
  };
  s.writing = true;
  self->request(s.audit, s.settings.request_timeout, std::move(batch))
      .then(
          [self, held, fail](const audit_answer& answer) {
            if (answer.status != audit_status::durable)
              return fail(answer.text.empty() ? "the audit did not take it" : answer.text);
            self->state.writing = false;
            release(self, *held);
            write_next(self);
          },
          [self, fail](const caf::error& reason) { fail(self->system().render(reason)); });
}

void feed(self_ptr self, const authority_input& input, owed_reply owed) {
  auto& s = self->state;
  const instant now = s.settings.time.now(self);
  held_effects& held = s.held.emplace_back();
  held.effects = decide(s.settings.config, s.core, input, now);
  held.owed = std::move(owed);
  held.reply = reply_to(s, held.effects, std::holds_alternative<advice_decision>(input));
  if (held.effects.look_again) s.timers.arm(self, *held.effects.look_again, now);
  auto& changes = s.changes;
  std::ranges::move(held.effects.records, std::back_inserter(changes.records));
  changes.proposals.merge(held.effects.proposals);
  changes.advice.merge(held.effects.advice);
  changes.ledger |= held.effects.ledger;
  watch(self);
  write_next(self);
}

// ---- looking at the loops -----------------------------------------------------------------------------------------

/// Loops whose metrics, moves or distance from the baseline matter, and those that something waits for.
std::vector<std::string> watched_loops(const authority_actor_state& s) {
  std::set<std::string_view> waited_for;
  for (const auto& [id, p] : s.core.proposals)
    if (!is_settled(p))
      for (const wanted_change& change : p.changes) waited_for.insert(change.loop);
  std::vector<std::string> names;
  for (const governed_loop& loop : s.settings.config.loops) {
    const bool by_itself = !loop.rules.empty() || loop.return_to_baseline ||
                           std::ranges::any_of(loop.knobs, [](const knob_spec& k) { return !k.concern.empty(); });
    if (by_itself || waited_for.contains(loop.name)) names.push_back(loop.name);
  }
  return names;
}

void watch(self_ptr self) {
  auto& s = self->state;
  if (s.watching || watched_loops(s).empty()) return;
  s.watching = true;
  self->delayed_send(self, s.settings.observe_every, look_atom::value);
}

void look_at_loops(self_ptr self) {
  auto& s = self->state;
  s.watching = false;
  if (!s.loaded) return;
  for (const std::string& loop : watched_loops(s))
    if (!s.observed[loop]) observe(self, loop);
  watch(self);
}

// ---- calls --------------------------------------------------------------------------------------------------------

/// Sees the loops first, so that the answer is about what is live now.
void after_looking(self_ptr self, const std::vector<wanted_values>& changes, std::function<void()> then) {
  const auto open = std::make_shared<std::size_t>(1);
  const auto one_less = [open, then = std::move(then)] {
    if (--*open == 0) then();
  };
  for (const wanted_values& wanted : changes)
    if (self->state.core.loops.contains(wanted.loop)) {
      ++*open;
      observe(self, wanted.loop, one_less);
    }
  one_less();
}

struct rehearsals {
  change_plan plan;
  std::vector<std::vector<violation>> findings;
  std::size_t open{0};
};

void rehearse_plan(self_ptr self, const new_proposal& wish, owed_reply owed) {
  auto& s = self->state;
  auto planned = plan(s.settings.config, s.core, wish, s.settings.time.now(self));
  if (!planned) return owed->deliver(refusal(status_of(planned.error().kind), planned.error().text));
  const auto all = std::make_shared<rehearsals>();
  all->plan = std::move(*planned);
  all->findings.resize(all->plan.first_steps.size());
  all->open = all->plan.first_steps.size();
  for (std::size_t i = 0; i < all->plan.first_steps.size(); ++i) {
    const loop_request& r = all->plan.first_steps[i];
    self->request(s.root, s.settings.request_timeout, r.loop, r.wanted)
        .then(
            [self, all, i, owed](const proposal_verdict& verdict) {
              all->findings[i] = verdict.findings;
              if (verdict.refused && verdict.findings.empty()) all->findings[i].push_back(*verdict.refused);
              if (--all->open == 0)
                owed->deliver(reply_of(view_of(self->state.settings.config, all->plan, all->findings)));
            },
            [owed, loop = r.loop](const caf::error&) {
              owed->deliver(refusal(503, "loop " + loop + " does not answer"));
            });
  }
}

caf::result<authority_reply> on_wish(self_ptr self, const authority_call& call) {
  v1::ProposalRequest request;
  if (!request.ParseFromString(call.body)) return refusal(400, "not a ProposalRequest");
  auto wish = wish_of(self->state.settings.config, request);
  if (!wish) return refusal(422, wish.error());
  wish->author = call.actor;
  wish->by_automation = call.automation;
  wish->advice = call.verb == "recommend";
  const auto owed = owe<authority_reply>(self);
  after_looking(self, wish->changes, [self, owed, wish = *wish, verb = call.verb] {
    if (verb == "plan") return rehearse_plan(self, wish, owed);
    feed(self, wish, owed);
  });
  return owed->promise();
}

caf::result<authority_reply> on_review(self_ptr self, const authority_call& call, review_verb verb) {
  v1::DecisionRequest request;
  if (!request.ParseFromString(call.body)) return refusal(400, "not a DecisionRequest");
  proposal_decision d;
  const auto [end, error] = std::from_chars(call.id.data(), call.id.data() + call.id.size(), d.id);
  if (error != std::errc() || end != call.id.data() + call.id.size())
    return refusal(404, "'" + call.id + "' is not the number of a proposal");
  d.decision = {.verb = verb,
                .actor = call.actor,
                .text = request.text(),
                .version = call.version == 0 ? std::nullopt : std::optional(call.version)};
  if (d.decision.version && self->state.core.proposals.contains(d.id) &&
      self->state.core.proposals.at(d.id).version != *d.decision.version)
    return refusal(412, "proposal " + call.id + " is at version " +
                            std::to_string(self->state.core.proposals.at(d.id).version) + " now, version " +
                            std::to_string(call.version) + " was looked at");
  const auto owed = owe<authority_reply>(self);
  feed(self, d, owed);
  return owed->promise();
}

caf::result<authority_reply> on_advice(self_ptr self, const authority_call& call, advice_verb verb) {
  v1::DecisionRequest request;
  if (!request.ParseFromString(call.body)) return refusal(400, "not a DecisionRequest");
  const auto known = self->state.core.advice.find(call.id);
  if (known == self->state.core.advice.end()) return refusal(404, "there is no recommendation " + call.id);
  constexpr double longest_snooze = 365.0 * 24 * 3600;
  if (verb == advice_verb::snooze &&
      !(request.has_snooze_seconds() && request.snooze_seconds() > 0 && request.snooze_seconds() <= longest_snooze))
    return refusal(422, "snooze_seconds is " + std::to_string(request.snooze_seconds()) +
                            ", expected more than 0 and at most a year");
  advice_decision d{.id = call.id,
                    .verb = verb,
                    .actor = call.actor,
                    .text = request.text(),
                    .snooze = std::nullopt,
                    .may_approve = call.may_approve};
  if (verb == advice_verb::snooze) d.snooze = duration(static_cast<std::int64_t>(request.snooze_seconds() * 1e6));
  const auto owed = owe<authority_reply>(self);
  after_looking(self, {{.loop = known->second.loop, .base_revision = {}, .knobs = {}}},
                [self, owed, d] { feed(self, d, owed); });
  return owed->promise();
}

/// Those that are not settled, and the newest of the others.
authority_reply list_proposals(const authority_actor_state& s, bool open_only) {
  constexpr int settled_shown = 200;
  v1::ProposalPage page;
  int settled = 0;
  for (auto it = s.core.proposals.rbegin(); it != s.core.proposals.rend(); ++it) {
    if (is_settled(it->second) && (open_only || ++settled > settled_shown)) continue;
    *page.add_proposals() = view_of(s.settings.config, it->second);
  }
  return reply_of(page);
}

authority_reply show_proposal(const authority_actor_state& s, const std::string& text) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const auto found = s.core.proposals.find(id);
  if (error != std::errc() || end != text.data() + text.size() || found == s.core.proposals.end())
    return refusal(404, "there is no proposal " + text);
  return reply_of(view_of(s.settings.config, found->second));
}

authority_reply list_advice(const authority_actor_state& s) {
  v1::RecommendationPage page;
  for (const auto& [id, r] : s.core.advice) *page.add_recommendations() = view_of(s.settings.config, r);
  return reply_of(page);
}

caf::result<authority_reply> on_call(self_ptr self, const authority_call& call) {
  auto& s = self->state;
  if (!s.loaded) return refusal(503, "the authority is still starting");
  static const std::map<std::string, review_verb> reviews{{"ack", review_verb::acknowledge},
                                                          {"approve", review_verb::approve},
                                                          {"reject", review_verb::reject},
                                                          {"withdraw", review_verb::withdraw}};
  static const std::map<std::string, advice_verb> advices{
      {"accept", advice_verb::accept}, {"dismiss", advice_verb::dismiss}, {"snooze", advice_verb::snooze}};
  if (call.verb == "propose" || call.verb == "recommend" || call.verb == "plan") return on_wish(self, call);
  if (const auto verb = reviews.find(call.verb); verb != reviews.end()) return on_review(self, call, verb->second);
  if (const auto verb = advices.find(call.verb); verb != advices.end()) return on_advice(self, call, verb->second);
  if (call.verb == "proposals") return list_proposals(s, call.id == "open");
  if (call.verb == "proposal") return show_proposal(s, call.id);
  if (call.verb == "recommendations") return list_advice(s);
  return refusal(404, "'" + call.verb + "' is not known");
}

// ---- the start ----------------------------------------------------------------------------------------------------

void begin(self_ptr self) {
  auto& s = self->state;
  s.memory.ledger = std::move(s.index.ledger);
  s.core = start_authority(s.settings.config, std::move(s.memory), s.settings.time.now(self));
  s.loaded = true;
  feed(self, tick{});
}

/// One after the other: the store's queue of reads is short.
void load_next(self_ptr self) {
  auto& s = self->state;
  const bool proposals_left = !s.index.proposals.empty();
  if (!proposals_left && s.index.advice.empty()) return begin(self);
  std::string key;
  if (proposals_left) {
    key = key_of(s.index.proposals.back());
    s.index.proposals.pop_back();
  } else {
    key = key_of(s.index.advice.back());
    s.index.advice.pop_back();
  }
  self->request(s.audit, s.settings.request_timeout, load_atom::value, key)
      .then(
          [self, key, proposals_left](bool found, const std::string& bytes) {
            auto& state = self->state;
            const auto keep = [&](auto& into, auto value) {
              if (value)
                into.push_back(std::move(*value));
              else if (state.settings.notify)
                state.settings.notify("corrupt", key + " cannot be read and is left out: " + value.error());
            };
            if (found && proposals_left) keep(state.memory.proposals, decode<config_proposal>(bytes));
            if (found && !proposals_left) keep(state.memory.advice, decode<config_recommendation>(bytes));
            load_next(self);
          },
          [self](const caf::error& reason) { self->quit(reason); });
}

void load(self_ptr self) {
  auto& s = self->state;
  self->request(s.audit, s.settings.request_timeout, load_atom::value, std::string(index_key))
      .then(
          [self](bool found, const std::string& bytes) {
            if (!found) return begin(self);
            auto index = decode<authority_index>(bytes);
            // Numbers must never come twice: without the index nothing is decided.
            if (!index) return self->quit(caf::make_error(caf::sec::runtime_error, index.error()));
            self->state.index = std::move(*index);
            load_next(self);
          },
          [self](const caf::error& reason) { self->quit(reason); });
}

} // namespace

authority_actor::behavior_type authority(self_ptr self, authority_settings settings, audit_sink_actor audit,
                                         supervisor_actor root) {
  auto& s = self->state;
  s.settings = std::move(settings);
  s.audit = std::move(audit);
  s.root = std::move(root);
  end_on_exception(self);
  load(self);
  return {
      [self](const authority_call& call) { return on_call(self, call); },
      [self](look_atom, std::uint64_t timer) {
        if (self->state.timers.fired(timer) && self->state.loaded) feed(self, tick{});
      },
      [self](look_atom) { look_at_loops(self); },
  };
}

} // namespace homeostat
