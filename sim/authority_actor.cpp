#include "sim/authority_actor.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numbers>
#include <utility>

namespace homeostat::sim {

namespace {

call_answer refusal(std::uint64_t call, std::string text) {
  return {.call = call, .ok = false, .proposal = std::nullopt, .text = std::move(text)};
}

} // namespace

authority_actor::authority_actor(kernel& k, const scenario& s, const policy_set& policies, invariants& check)
    : kernel_(k), scenario_(s), policies_(policies), check_(check), draw_(s.seed, 11) {}

// ---- starting and ending
// -------------------------------------------------------------------------------------------------

void authority_actor::start() {
  kernel_.bear(party::authority);
  phase_ = phase::loading;
  kernel_.arm(party::authority, scenario_.authority->request_timeout, alarm::load_timeout, ++load_token_);
  kernel_.send(party::authority, party::store, load_request{.token = load_token_, .from = party::authority});
}

void authority_actor::on(memory_mail& m) {
  if (phase_ != phase::loading || m.token != load_token_) return;
  kernel_.crash_point(party::authority);
  ++tally_.starts;
  phase_ = phase::running;
  state_ = policies_.start_authority(scenario_.authority->config, std::move(*m.memory), kernel_.now());
  kernel_.note([&] {
    return "authority: starts with " + std::to_string(state_.proposals.size()) + " proposals and " +
           std::to_string(state_.advice.size()) + " recommendations";
  });
  check_.authority().started(state_);
  kernel_.arm(party::authority, scenario_.authority->observe_every, alarm::observe);
  feed(tick{});
}

void authority_actor::end() {
  kernel_.kill(party::authority);
  phase_ = phase::down;
  // Whoever waits is told that there is no answer, or finds out by waiting.
  for (const std::vector<held>* all : {&writing_, &held_})
    for (const held& h : *all)
      if (h.call && kernel_.random().chance(0.5))
        kernel_.send(party::authority, party::reviewers, refusal(*h.call, "the authority has ended"));
  writing_.clear();
  held_.clear();
  changes_ = {};
  batch_.reset();
  looking_.clear();
  questions_.clear();
  requests_.clear();
}

// ---- inputs
// --------------------------------------------------------------------------------------------------------------

void authority_actor::on(const call_mail& m) {
  if (phase_ != phase::running) return kernel_.send(party::authority, party::reviewers, refusal(m.call, "starting"));
  // Seen first, so that the answer is about what is live now.
  std::vector<std::string> loops;
  if (const auto* wish = std::get_if<new_proposal>(&m.input))
    for (const wanted_values& w : wish->changes) loops.push_back(w.loop);
  if (const auto* d = std::get_if<advice_decision>(&m.input))
    if (const auto known = state_.advice.find(d->id); known != state_.advice.end()) loops.push_back(known->second.loop);
  std::erase_if(loops, [&](const std::string& loop) { return !state_.loops.contains(loop); });
  if (loops.empty()) return feed(m.input, m.call);
  const std::uint64_t key = ++tokens_;
  looking_[key] = {.call = m, .open = loops.size()};
  for (const std::string& loop : loops) observe(loop, key);
}

void authority_actor::observe(const std::string& loop, std::optional<std::uint64_t> call) {
  const std::uint64_t token = ++tokens_;
  questions_[token] = {.loop = loop, .call = call};
  kernel_.arm(party::authority, scenario_.authority->request_timeout, alarm::status_timeout, token);
  kernel_.send(party::authority, party_of(loop), status_request{.from = party::authority, .token = token});
}

void authority_actor::observed(const question& q) {
  if (!q.call) return;
  const auto waiting = looking_.find(*q.call);
  if (waiting == looking_.end() || --waiting->second.open > 0) return;
  const call_mail call = std::move(waiting->second.call);
  looking_.erase(waiting);
  feed(call.input, call.call);
}

void authority_actor::on(const status_answer& a) {
  const auto asked = questions_.find(a.token);
  if (phase_ != phase::running || asked == questions_.end()) return;
  const question q = std::move(asked->second);
  questions_.erase(asked);
  if (a.running) {
    loop_observation seen = a.seen;
    seen.loop = q.loop;
    seen.metrics = metrics(q.loop);
    feed(seen);
  }
  observed(q);
}

void authority_actor::on(const request_reply& r) {
  const auto asked = requests_.find(r.token);
  if (phase_ != phase::running || asked == requests_.end()) return;
  const std::string loop = std::move(asked->second);
  requests_.erase(asked);
  feed(request_answer{.loop = loop, .verdict = r.verdict});
  observe(loop);
}

void authority_actor::on(const page_request&) {
  if (phase_ != phase::running) return;
  page_mail page;
  constexpr std::size_t shown = 12;
  for (auto it = state_.proposals.rbegin(); it != state_.proposals.rend() && page.proposals.size() < shown; ++it)
    page.proposals.push_back(
        {.id = it->first, .version = it->second.version, .author = it->second.author, .open = is_open(it->second)});
  for (const auto& [id, r] : state_.advice)
    if (page.advice.size() < shown) page.advice.push_back(id);
  kernel_.send(party::authority, party::reviewers, std::move(page));
}

void authority_actor::on(const alarm_mail& a) {
  if (phase_ == phase::loading && a.what == alarm::load_timeout && a.token == load_token_)
    throw child_crash{party::authority};
  if (phase_ != phase::running) return;
  switch (a.what) {
  case alarm::look:
    if (a.token == look_token_) feed(tick{});
    break;
  case alarm::observe:
    for (const governed_loop& loop : scenario_.authority->config.loops) observe(loop.name);
    kernel_.arm(party::authority, scenario_.authority->observe_every, alarm::observe);
    break;
  case alarm::status_timeout:
    if (const auto asked = questions_.find(a.token); asked != questions_.end()) {
      const question q = std::move(asked->second);
      questions_.erase(asked);
      observed(q);
    }
    break;
  case alarm::verdict_timeout: on(request_reply{.token = a.token, .verdict = std::nullopt}); break;
  case alarm::audit_timeout:
    if (batch_ == a.token) {
      kernel_.note([] { return std::string("authority: ends, the audit does not answer"); });
      throw child_crash{party::authority};
    }
    break;
  default: break;
  }
}

/// What the rules of a loop see: slow waves with noise, now and then nothing, or nonsense.
std::vector<std::optional<double>> authority_actor::metrics(const std::string& loop) {
  const auto& loops = scenario_.authority->config.loops;
  const auto governed = std::ranges::find(loops, loop, &governed_loop::name);
  std::vector<std::optional<double>> values;
  const double share = seconds_of(kernel_.at()) / seconds_of(scenario_.times.run);
  for (std::size_t i = 0; i < governed->rules.size(); ++i) {
    const double turns = 3 + 4 * static_cast<double>(i) + (loop == "loop" ? 0 : 2);
    values.push_back(std::sin(turns * 2 * std::numbers::pi * share) + 0.2 * draw_.normal());
    if (draw_.chance(0.02)) values.back().reset();
    if (draw_.chance(0.01)) values.back() = std::numeric_limits<double>::quiet_NaN();
  }
  if (draw_.chance(0.02)) values.clear();
  return values;
}

// ---- decisions and their effects
// -----------------------------------------------------------------------------------------

std::unique_ptr<const authority_batch> authority_actor::batch_of(const gathered& changes) const {
  auto batch = std::make_unique<authority_batch>();
  bool forgotten = false;
  for (const std::uint64_t id : changes.proposals) {
    const auto found = state_.proposals.find(id);
    forgotten |= found == state_.proposals.end();
    batch->proposals.emplace_back(id, found == state_.proposals.end() ? std::nullopt : std::optional(found->second));
  }
  for (const std::string& id : changes.advice) {
    const auto found = state_.advice.find(id);
    forgotten |= found == state_.advice.end();
    batch->advice.emplace_back(id, found == state_.advice.end() ? std::nullopt : std::optional(found->second));
  }
  if (changes.ledger || forgotten) {
    batch->index.emplace().ledger = state_.ledger;
    for (const auto& [id, p] : state_.proposals) batch->index->proposals.push_back(id);
    for (const auto& [id, r] : state_.advice) batch->index->advice.push_back(id);
  }
  return batch;
}

void authority_actor::feed(const authority_input& input, std::optional<std::uint64_t> call) {
  kernel_.crash_point(party::authority);
  const instant now = kernel_.now();
  held& h = held_.emplace_back(
      held{.effects = policies_.authorise(scenario_.authority->config, state_, input, now), .call = call});
  check_.authority().decided(input, h.effects, state_);
  for (const audit_record& r : h.effects.records) {
    tally_.opened += r.kind == audit_kind::proposal_opened ? 1 : 0;
    kernel_.note([&] { return "authority: " + std::string(name_of(r.kind)) + ", " + r.actor + ", " + r.text; });
  }
  for (const std::uint64_t id : h.effects.proposals)
    if (const auto p = state_.proposals.find(id); p != state_.proposals.end() && is_settled(p->second))
      ++tally_.settled[static_cast<std::size_t>(p->second.state)];
  if (h.effects.look_again)
    kernel_.arm(party::authority, std::max<duration>(*h.effects.look_again - now, 0us), alarm::look, ++look_token_);
  std::ranges::move(h.effects.records, std::back_inserter(changes_.records));
  changes_.proposals.merge(h.effects.proposals);
  changes_.advice.merge(h.effects.advice);
  changes_.ledger |= h.effects.ledger;
  write_next();
}

void authority_actor::write_next() {
  if (batch_) return; // one at a time: none may become durable when one before it did not
  auto kept = batch_of(changes_);
  auto waiting = std::exchange(held_, {});
  gathered changes = std::exchange(changes_, {});
  if (changes.records.empty() && kept->proposals.empty() && kept->advice.empty() && !kept->index)
    return release(waiting);
  batch_mail batch;
  batch.id = ++batches_;
  batch.records = std::move(changes.records);
  batch.authority = std::move(kept);
  batch_ = batch.id;
  writing_ = std::move(waiting);
  kernel_.arm(party::authority, scenario_.authority->request_timeout, alarm::audit_timeout, batch.id);
  kernel_.send(party::authority, party::store, std::move(batch));
  kernel_.crash_point(party::authority);
}

void authority_actor::on(const batch_result& r) {
  if (phase_ != phase::running || batch_ != r.id) return;
  if (!r.durable) {
    // What is in memory is ahead of what is kept: start again from there.
    kernel_.note([] { return std::string("authority: ends, the audit did not take it"); });
    throw child_crash{party::authority};
  }
  batch_.reset();
  release(std::exchange(writing_, {}));
  write_next();
}

void authority_actor::send_out(party to, const mail& content) {
  // A mail that is lost or comes twice is one that can be copied.
  if (kernel_.strikes(fault::mail_lost)) return;
  const int times = kernel_.strikes(fault::mail_duplicated) ? 2 : 1;
  for (int i = 0; i < times; ++i) {
    if (const auto* p = std::get_if<proposal_mail>(&content)) kernel_.send(party::authority, to, *p);
    if (const auto* a = std::get_if<call_answer>(&content)) kernel_.send(party::authority, to, *a);
    if (const auto* o = std::get_if<order_mail>(&content)) kernel_.send(party::authority, to, *o);
  }
}

void authority_actor::answer(const held& h) {
  if (!h.call) return;
  const bool ok = h.effects.answer.has_value();
  send_out(party::reviewers, call_answer{.call = *h.call,
                                         .ok = ok,
                                         .proposal = h.effects.answered_proposal,
                                         .text = ok ? "" : h.effects.answer.error().text});
  kernel_.crash_point(party::authority);
}

void authority_actor::ask(const loop_request& r) {
  ++tally_.requests;
  check_.authority().requested(r, kernel_.at());
  kernel_.note([&] {
    return "authority: asks loop " + r.loop + " for " + r.wanted.request + " at revision " +
           std::to_string(r.wanted.base_revision);
  });
  const std::uint64_t token = ++tokens_;
  requests_[token] = r.loop;
  kernel_.arm(party::authority, scenario_.authority->verdict_timeout, alarm::verdict_timeout, token);
  proposal wanted = r.wanted;
  wanted.epoch = party_of(r.loop) == party::governor ? scenario_.epoch : 0;
  send_out(party_of(r.loop), proposal_mail{.wish = std::move(wanted), .from = party::authority, .token = token});
  kernel_.crash_point(party::authority);
}

void authority_actor::release(const std::vector<held>& all) {
  for (const held& h : all) {
    answer(h);
    for (const loop_request& r : h.effects.requests) ask(r);
    for (const loop_order& order : h.effects.orders) {
      ++tally_.orders;
      kernel_.note([&] { return "authority: orders loop " + order.loop + ": " + order.command.text; });
      send_out(party_of(order.loop), order_mail{.command = order.command, .from = party::authority});
      kernel_.crash_point(party::authority);
    }
  }
}

} // namespace homeostat::sim
