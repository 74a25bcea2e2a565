#include "sim/reviewers.hpp"

#include "sim/plant.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace homeostat::sim {

namespace {

constexpr std::array people{"ann", "bob", "eve"};
constexpr std::size_t remembered_calls = 64;

} // namespace

reviewers::reviewers(kernel& k, const scenario& s, invariants& check)
    : kernel_(k), scenario_(s), check_(check), draw_(s.seed, 13), base_(initial_values(s.governor.knobs)) {}

std::string reviewers::somebody() { return people[draw_.below(people.size())]; }

void reviewers::start() { kernel_.arm(party::reviewers, draw_.exponential(scenario_.authority->pause), alarm::turn); }

void reviewers::on(const alarm_mail& a) {
  if (a.what != alarm::turn) return;
  act();
  kernel_.arm(party::reviewers, draw_.exponential(scenario_.authority->pause), alarm::turn);
}

void reviewers::act() {
  // Some look before they act, most remember what they saw.
  if (draw_.chance(0.5)) {
    kernel_.send(party::reviewers, party::authority, page_request{});
    kernel_.send(party::reviewers, party::governor, status_request{.from = party::reviewers, .token = 0});
  }
  const double kind = draw_.uniform();
  if (kind < 0.35) return propose();
  if (kind < 0.85) return decide();
  if (kind < 0.95) return decide_advice();
  review_drift();
}

void reviewers::call(authority_input input) {
  ++calls_;
  check_.authority().called(input);
  open_[calls_] = input;
  if (open_.size() > remembered_calls) open_.erase(open_.begin());
  if (kernel_.strikes(fault::mail_lost)) return;
  const call_mail m{.call = calls_, .input = std::move(input)};
  if (kernel_.strikes(fault::mail_duplicated)) kernel_.send(party::reviewers, party::authority, call_mail(m));
  kernel_.send(party::reviewers, party::authority, call_mail(m));
}

void reviewers::on(const call_answer& a) {
  const auto asked = open_.find(a.call);
  if (asked == open_.end() || !a.ok) return;
  check_.authority().answered(asked->second, a.proposal);
}

void reviewers::on(const status_answer& a) {
  if (!a.running) return;
  revision_ = a.seen.revision, base_ = a.seen.base, drifts_ = a.drifts;
}

wanted_values reviewers::draw_values(const governed_loop& loop) {
  wanted_values wanted{.loop = loop.name, .base_revision = std::nullopt, .knobs = {}};
  if (draw_.chance(0.3)) wanted.base_revision = draw_.chance(0.6) ? revision_ : draw_.below(revision_ + 2);
  const std::size_t count = 1 + (loop.knobs.size() > 1 && draw_.chance(0.3) ? 1 : 0);
  std::size_t i = draw_.below(loop.knobs.size());
  for (std::size_t n = 0; n < count; ++n, i = (i + 1) % loop.knobs.size()) {
    const knob_spec& knob = loop.knobs[i];
    // Most wishes are a short way, some a long one, a few are impossible.
    const double from = loop.name == "loop" && is_admissible(knob, base_[i]) ? base_[i] : knob.initial;
    const double near = position_of(knob, from) + draw_.uniform(-0.2, 0.2);
    double value = value_at(knob, std::clamp(draw_.chance(0.7) ? near : draw_.uniform(), 0.0, 1.0));
    if (draw_.chance(0.03)) value = knob.max * 2 + 1;
    wanted.knobs.emplace_back(knob.name, value);
  }
  return wanted;
}

void reviewers::propose() {
  const auto& loops = scenario_.authority->config.loops;
  new_proposal wish;
  const std::size_t first = draw_.chance(0.7) ? 0 : 1;
  wish.changes.push_back(draw_values(loops[first]));
  if (draw_.chance(0.2)) wish.changes.push_back(draw_values(loops[1 - first]));
  wish.author = somebody();
  wish.advice = draw_.chance(0.15);
  wish.evidence = "seen";
  wish.confidence = draw_.uniform();
  if (draw_.chance(0.5)) {
    constexpr std::array sources{"optuna", "rumour", "careful", "stranger"};
    wish.source = sources[draw_.below(sources.size())];
    wish.by_automation = true;
    if (draw_.chance(0.7)) wish.author = "robot";
  }
  call(std::move(wish));
}

void reviewers::decide_about(const page_mail::seen& seen, const std::string& actor) {
  constexpr std::array verbs{review_verb::approve,     review_verb::approve,     review_verb::approve,
                             review_verb::acknowledge, review_verb::acknowledge, review_verb::reject,
                             review_verb::withdraw};
  review_decision d{.verb = verbs[draw_.below(verbs.size())], .actor = actor, .text = "", .version = std::nullopt};
  if (draw_.chance(0.4)) d.version = seen.version;
  // Those who propose would like to decide, too.
  if (d.verb == review_verb::withdraw && draw_.chance(0.8)) d.actor = seen.author;
  if (d.verb == review_verb::approve && draw_.chance(0.1)) d.actor = seen.author;
  const proposal_decision decision{.id = seen.id, .decision = d};
  call(decision);
  if (draw_.chance(0.2)) call(decision); // twice
}

void reviewers::decide() {
  if (page_.proposals.empty()) return;
  std::vector<page_mail::seen> open;
  for (const page_mail::seen& p : page_.proposals)
    if (p.open || draw_.chance(0.1)) open.push_back(p);
  if (open.empty()) return;
  const page_mail::seen& one = open[draw_.below(open.size())];
  decide_about(one, somebody());
  if (draw_.chance(0.2)) decide_about(one, somebody()); // at the same time
}

void reviewers::decide_advice() {
  if (page_.advice.empty()) return;
  advice_decision d{.id = page_.advice[draw_.below(page_.advice.size())],
                    .verb = static_cast<advice_verb>(draw_.below(3)),
                    .actor = somebody(),
                    .text = "",
                    .snooze = std::nullopt,
                    .may_approve = draw_.chance(0.5)};
  if (d.verb == advice_verb::snooze) d.snooze = draw_.span(1s, scenario_.times.run / 10);
  call(d);
  if (draw_.chance(0.2)) call(d);
}

void reviewers::review_drift() {
  if (drifts_.empty()) return;
  operator_command c;
  c.action = draw_.chance(0.5) ? operator_action::accept_drift : operator_action::revert_drift;
  c.actor = somebody();
  c.revision = drifts_[draw_.below(drifts_.size())];
  kernel_.send(party::reviewers, party::governor, order_mail{.command = std::move(c), .from = party::reviewers});
}

} // namespace homeostat::sim
