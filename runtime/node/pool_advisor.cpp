#include "runtime/node/pool_advisor.hpp"

#include "runtime/node/advice_message.hpp"

#include <algorithm>
#include <future>

namespace homeostat {

namespace {

constexpr auto follow_every = std::chrono::seconds(2);
constexpr duration look_every = 60s;
/// Whoever asks sees nothing older.
constexpr duration fresh_for = 10s;
constexpr auto store_patience = std::chrono::seconds(5);

std::string key_of(const std::string& pool) { return "transfer_advice/" + pool; }

/// What a restart may forget: when it was seen last, by which figures.
std::vector<transfer_recommendation> without_sightings(std::vector<transfer_recommendation> all) {
  for (transfer_recommendation& r : all) {
    r.last_seen = {};
    r.seen = 0;
    r.evidence.clear();
    r.gain.reset();
    r.score = 0;
    if (!r.measured) r.outcome.reset();
  }
  return all;
}

} // namespace

pool_advisor::pool_advisor(const transfer_pools& pools, ports outside) : pools_(pools), outside_(std::move(outside)) {
  for (const auto& pool : pools_.all()) load(pool->name(), book_[pool->name()]);
  if (!book_.empty()) thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

pool_advisor::~pool_advisor() { stop(); }

void pool_advisor::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void pool_advisor::load(const std::string& pool, one& into) const {
  const auto bytes = outside_.load(key_of(pool));
  if (!bytes) return outside_.note(pool, "earlier decisions on advice are unknown: " + bytes.error());
  if (!*bytes) return;
  v1::TransferAdviceList list;
  if (!list.ParseFromString(**bytes)) return outside_.note(pool, "earlier decisions on advice are unreadable");
  for (const v1::TransferAdvice& message : list.advice()) {
    if (auto r = advice_from(message, pool))
      into.advice.push_back(std::move(*r));
    else
      outside_.note(pool, "left out: " + r.error());
  }
  into.kept = without_sightings(into.advice);
}

void pool_advisor::work(const std::stop_token& stop) {
  std::unique_lock hold(waiting_);
  while (!over_.wait_for(hold, stop, follow_every, [] { return false; }) && !stop.stop_requested())
    for (const auto& pool : pools_.all()) {
      follow(pool->name());
      std::unique_lock book(mutex_);
      const auto looked = book_.at(pool->name()).looked;
      book.unlock();
      if (stop.stop_requested()) return;
      if (!looked || outside_.now() - *looked >= look_every) look(pool->name());
    }
}

void pool_advisor::look(const std::string& pool) {
  const std::lock_guard one_at_a_time(looking_);
  const instant now = outside_.now();
  measure(pool, now);
  const pool_findings found = pools_.metrics().findings(pool, now);
  {
    const std::lock_guard hold(mutex_);
    one& of = book_.at(pool);
    merge_advice(of.advice, found.advice, {}, now);
    of.regressions = found.regressions.findings.size();
    of.looked = now;
  }
  const std::lock_guard hold(mutex_);
  const one& of = book_.at(pool);
  if (without_sightings(of.advice) == of.kept) return;
  (void)keep(pool, {}, [this, pool](const audit_answer& answer) {
    if (answer.status != audit_status::durable) outside_.note(pool, "advice is not kept: " + answer.text);
  });
}

void pool_advisor::measure(const std::string& pool, instant now) {
  const transfer_settings_view in_force = settings_view_of(pool, pools_.find(pool)->policy());
  std::unique_lock hold(mutex_);
  for (transfer_recommendation& r : book_.at(pool).advice) (void)end_if_taken_back(r, value_of(in_force, r.key));
  const std::vector<transfer_recommendation> all = book_.at(pool).advice;
  hold.unlock();
  for (const transfer_recommendation& r : all) {
    const auto span = span_of(r, all, now);
    if (!span) continue;
    recommendation_outcome outcome = pools_.metrics().outcome(pool, *span, r.gain);
    hold.lock();
    if (transfer_recommendation* known = find(pool, r.id); known != nullptr && known->applied == r.applied) {
      known->outcome = std::move(outcome);
      known->measured = span->over;
    }
    hold.unlock();
  }
}

void pool_advisor::follow(const std::string& pool) {
  std::unique_lock hold(mutex_);
  std::vector<transfer_recommendation> waiting;
  std::ranges::copy_if(book_.at(pool).advice, std::back_inserter(waiting), awaits_proposal);
  hold.unlock();
  for (const transfer_recommendation& r : waiting) {
    std::optional<proposal_fate> fate = proposal_fate{};
    if (!r.proposal.empty()) fate = outside_.fate(r.proposal);
    if (!fate) continue;
    const std::string in_force = value_of(settings_view_of(pool, pools_.find(pool)->policy()), r.key);
    hold.lock();
    transfer_recommendation* known = find(pool, r.id);
    if (known != nullptr && known->proposal == r.proposal && follow_proposal(*known, *fate, in_force, outside_.now())) {
      outside_.note(pool, "advice " + r.id + " is " +
                              (known->applied ? std::string("applied") : std::string(name_of(known->state))) +
                              (known->decision.empty() ? "" : ": " + known->decision));
      (void)keep(pool, {}, [](const audit_answer&) {}); // lost with a crash, the authority is asked again
    }
    hold.unlock();
  }
}

transfer_recommendation* pool_advisor::find(const std::string& pool, const std::string& id) {
  const auto of = book_.find(pool);
  if (of == book_.end()) return nullptr;
  const auto found = std::ranges::find(of->second.advice, id, &transfer_recommendation::id);
  return found == of->second.advice.end() ? nullptr : &*found;
}

bool pool_advisor::keep(const std::string& pool, std::vector<audit_record> records,
                        std::function<void(audit_answer)> done) {
  one& of = book_.at(pool);
  const bool taken =
      outside_.store->submit({.loop = {},
                              .records = std::move(records),
                              .state = {},
                              .durable = true,
                              .kept = {{.key = key_of(pool), .value = message_of(of.advice).SerializeAsString()}}},
                             std::move(done));
  if (taken) of.kept = without_sightings(of.advice);
  return taken;
}

std::vector<transfer_recommendation> pool_advisor::advice(const std::string& pool) {
  std::unique_lock hold(mutex_);
  const auto of = book_.find(pool);
  if (of == book_.end()) return {};
  const bool old = !of->second.looked || outside_.now() - *of->second.looked >= fresh_for;
  hold.unlock();
  if (old) look(pool);
  hold.lock();
  std::vector<transfer_recommendation> all = of->second.advice;
  std::ranges::stable_sort(all, std::ranges::greater{}, &transfer_recommendation::score);
  return all;
}

std::expected<transfer_recommendation, pool_advisor::refusal>
pool_advisor::decide(const std::string& pool, const std::string& id, advice_verb verb, audit_record record,
                     const std::string& text, std::optional<instant> until) {
  const auto durable = std::make_shared<std::promise<audit_answer>>();
  std::unique_lock hold(mutex_);
  transfer_recommendation* r = find(pool, id);
  if (r == nullptr) return std::unexpected(refusal{404, "pool " + pool + " has no recommendation '" + id + "'"});
  const transfer_recommendation before = *r;
  const instant now = outside_.now();
  if (verb == advice_verb::snooze && (!until || *until <= now))
    return std::unexpected(refusal{422, "snooze_seconds is missing or 0, expected seconds above 0"});
  if (auto taken = take_decision(*r, verb, record.actor, text, until, now); !taken)
    return std::unexpected(refusal{409, taken.error()});
  const transfer_recommendation after = *r;
  const bool submitted = keep(pool, {std::move(record)}, [durable](const audit_answer& a) { durable->set_value(a); });
  hold.unlock();
  auto answered = durable->get_future();
  std::string why = "the queue of the store is full";
  if (submitted && answered.wait_for(store_patience) == std::future_status::ready) {
    const audit_answer answer = answered.get();
    if (answer.status == audit_status::durable) return after;
    why = answer.text;
  } else if (submitted) {
    why = "the store does not answer";
  }
  hold.lock();
  if (r = find(pool, id); r != nullptr && r->state == after.state && r->decided == after.decided) {
    *r = before;
    (void)keep(pool, {}, [](const audit_answer&) {}); // it may have become durable after all
  }
  return std::unexpected(refusal{503, "the decision could not be recorded: " + why});
}

transfer_recommendation pool_advisor::proposed(const std::string& pool, const std::string& id,
                                               const std::string& proposal) {
  const std::lock_guard hold(mutex_);
  transfer_recommendation* r = find(pool, id);
  if (r == nullptr) return {};
  r->proposal = proposal;
  (void)keep(pool, {}, [](const audit_answer&) {});
  return *r;
}

void pool_advisor::not_proposed(const std::string& pool, const std::string& id, const std::string& why) {
  const std::lock_guard hold(mutex_);
  transfer_recommendation* r = find(pool, id);
  if (r == nullptr || !awaits_proposal(*r)) return;
  reopen_advice(*r, why);
  (void)keep(pool, {}, [](const audit_answer&) {});
}

pool_advisor::overview pool_advisor::seen(const std::string& pool) const {
  const std::lock_guard hold(mutex_);
  const auto of = book_.find(pool);
  if (of == book_.end()) return {};
  const auto open = std::ranges::count(of->second.advice, advice_state::open, &transfer_recommendation::state);
  return {.open_advice = static_cast<std::size_t>(open), .regressions = of->second.regressions};
}

} // namespace homeostat
