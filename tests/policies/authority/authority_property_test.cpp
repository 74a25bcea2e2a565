// People who approve late, twice, at the same time, or what is stale; programs that flood; crashes between any two
// steps.
#include "sim/scenarios/authority_world.hpp"

#include "policies/authority/walk.hpp"

#include <gtest/gtest.h>
// After gtest, which it needs.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

namespace homeostat {
namespace {

[[maybe_unused]] const bool seeded = [] {
  return setenv("RC_PARAMS", "seed=20261121 max_success=600 max_size=150", 0) == 0;
}();

using sim::authority_world;
using sim::loop_of;
using sim::wish_for;

constexpr std::array people{"ann", "bob", "eve"};
constexpr std::array loops{"db", "web"};

authority_config two_loops() {
  authority_config config;
  for (const char* name : loops) config.loops.push_back(loop_of(name));
  config.sources.push_back(
      {.name = "optuna", .trust = trust_level::high, .cooldown = 1min, .requires_proposal = false});
  config.sources.push_back({.name = "rumour", .trust = trust_level::low, .cooldown = 0s, .requires_proposal = true});
  config.review.max_open = 8;
  return config;
}

struct happening {
  std::uint32_t what, a, b, c;
};

/// What no sequence of happenings may break.
class watcher {
public:
  void look(const authority_world& w) {
    std::size_t open = 0;
    for (const auto& [id, p] : w.state.proposals) {
      open += is_settled(p) ? 0U : 1U;
      RC_ASSERT(id <= w.state.ledger.last_id);
      if (p.by_person) RC_ASSERT(p.decided_by != p.author); // I11
      const auto known = settled_.find(id);
      if (known != settled_.end()) RC_ASSERT(known->second == p.state); // decided once
      if (is_settled(p)) settled_[id] = p.state;
      if (p.source == "rumour" && p.state == review_state::applied) RC_ASSERT(p.by_person);
    }
    RC_ASSERT(open <= w.config.review.max_open); // I12
    RC_ASSERT(w.looks_without_time == 0U);       // it never spins
    for (const auto& [name, g] : w.loops) {
      RC_ASSERT(g.plant == g.core.live); // nothing reaches a plant past the governor (I2)
      for (std::size_t i = 0; i < g.plant.size(); ++i) RC_ASSERT(is_admissible(g.config.knobs[i], g.plant[i])); // I1
      std::set<std::string> requests;
      for (const audit_record& r : g.records) {
        if (r.kind != audit_kind::intent || r.classification == change_class::operator_change ||
            r.classification == change_class::rollback)
          continue;
        // Each step of a proposal comes into force at most once, and each is within the guardrails (I3).
        if (!aborted(g, r.generation)) RC_ASSERT(requests.insert(r.evidence).second);
        for (std::size_t i = 0; i < r.after.size(); ++i)
          RC_ASSERT(std::abs(displacement(g.config.knobs[i], r.before[i], r.after[i])) <=
                    g.config.limits.max_delta_per_step + 1e-6);
      }
    }
  }

private:
  static bool aborted(const authority_world::governed& g, std::uint64_t generation) {
    return std::ranges::any_of(
        g.records, [&](const audit_record& r) { return r.kind == audit_kind::aborted && r.generation == generation; });
  }
  std::map<std::uint64_t, review_state> settled_;
};

void happen(authority_world& w, const happening& h) {
  const std::string loop = loops[h.a % loops.size()];
  const std::string person = people[h.b % people.size()];
  switch (h.what % 12) {
  case 0:
  case 1:
  case 2: {
    const bool memory = h.c % 2 == 0;
    new_proposal wish = wish_for(loop, memory ? "memory" : "pool", memory ? 128.0 + h.c % 1100 : 1.0 + h.c % 110,
                                 person); // some beyond the bounds
    if (h.b % 4 == 1) wish.source = "optuna", wish.by_automation = true;
    if (h.b % 4 == 2) wish.source = "rumour", wish.by_automation = true;
    if (h.a % 5 == 0) wish.changes.front().base_revision = h.c % 4; // often stale
    if (h.a % 7 == 0)
      wish.changes.push_back({.loop = loops[(h.a + 1) % 2], .base_revision = {}, .knobs = {{"pool", 1.0 + h.c % 100}}});
    w.feed(wish);
    return;
  }
  case 3:
  case 4:
  case 5: {
    if (w.state.ledger.last_id == 0) return;
    const review_decision d{.verb = static_cast<review_verb>(h.c % 4),
                            .actor = person,
                            .text = {},
                            .version = h.a % 3 == 0 ? std::optional<std::uint64_t>(h.c % 3 + 1) : std::nullopt};
    const proposal_decision decision{.id = 1 + h.a % w.state.ledger.last_id, .decision = d};
    w.feed(decision);
    if (h.b % 3 == 0) w.feed(decision); // twice
    return;
  }
  case 6:
    return w.pass(std::array<duration, 5>{1s, 10s, 6min, 5h, 24h * 3}[h.c % 5], h.c % 5 < 2 ? duration(1s) : 10min);
  case 7: w.lose_answers = h.c % 2 == 0; return;
  case 8: return w.restart();
  case 9:
    w.command(loop, {.action = h.c % 2 == 0 ? operator_action::pause : operator_action::reset_safe_mode,
                     .actor = person,
                     .text = {},
                     .values = {}});
    return;
  case 10:
    w.command(loop, {.action = operator_action::set_values,
                     .actor = person,
                     .text = {},
                     .values = {200.0 + h.c % 300, 1.0 + h.c % 100}});
    return;
  case 11: return w.observe(loop);
  }
}

RC_GTEST_PROP(AuthorityWorld, BreaksNoInvariant,
              (std::vector<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>> all)) {
  authority_world w(two_loops());
  watcher watch;
  for (const auto& [what, a, b, c] : all) {
    happen(w, {.what = what, .a = a, .b = b, .c = c});
    watch.look(w);
  }
  // In the end everything is decided: nothing waits for ever.
  w.lose_answers = false;
  for (const char* loop : loops)
    w.command(loop, {.action = operator_action::reset_safe_mode, .actor = "ann", .text = {}, .values = {}});
  w.pass(24h * 16, 1h); // a week to be decided, a week to be applied
  watch.look(w);
  for (const auto& [id, p] : w.state.proposals) RC_ASSERT(is_settled(p));
}

} // namespace
} // namespace homeostat
