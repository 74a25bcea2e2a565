#include "policies/transfer/transfer_learner.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace homeostat {

namespace {

/// A method with fewer transfers behind its estimate is worth trying as often as the policy allows; a well-known one is
/// looked at again less often, for machines change; one of which nothing is known, or nothing any more, more often:
/// everything decided there is a guess.
constexpr double well_known = 4;
constexpr double look_again = 0.3;
constexpr double unknown = 1;
constexpr double look_at_all = 4;

double eagerness(double weight) { return weight < unknown ? look_at_all : weight < well_known ? 1 : look_again; }
/// What the first try of a size may cost in any case.
constexpr double first_allowance_us = 1000;
/// A single try may cost this many times what its own size earns: dear tries come too, rarely.
constexpr double class_overdraft = 20;
constexpr double promise_rate = 0.5;
constexpr double slowdown_pull = 0.05;
constexpr double account_memory = 0.999; ///< kept per transfer

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

} // namespace

transfer_learner::transfer_learner(transfer_policy policy) : policy_(std::move(policy)), thresholds_(policy_) {}

void transfer_learner::record(const transfer_metrics& done, bool own) {
  ++totals_.transfers;
  ++totals_.by_method[static_cast<std::size_t>(done.method)];
  totals_.failed += done.failed ? 1 : 0;
  totals_.explored += done.explored ? 1 : 0;
  const double spent = std::isfinite(done.latency_us) ? std::max(0.0, done.latency_us) : 0;
  totals_.time_us += spent;
  const std::size_t c = std::min(cost_class_of(done.data.data_size), cost_class_count - 1);
  for (account* a :
       {&accounts_[static_cast<std::size_t>(under_)][c], &pool_account_[static_cast<std::size_t>(under_)]}) {
    *a = settled(*a);
    a->time_us += own ? spent : 0;
  }
  if (done.predicted_latency_us > 0 && !done.failed) {
    ++totals_.predicted;
    totals_.within_15 += done.prediction_error() <= 0.15 ? 1 : 0;
    if (spent > 0) {
      const double ratio = std::clamp(spent / done.predicted_latency_us, 0.1, 10.0);
      slowdown_ += slowdown_pull * (ratio - slowdown_);
    }
  }
  if (done.explored && own) {
    const cost_estimate rest = costs_.estimate(under_, done.data.type, c, other(done.method), done.data.data_size);
    const double loss = std::max(0.0, spent - rest.cost.latency_us);
    totals_.exploration_loss_us += loss;
    accounts_[static_cast<std::size_t>(under_)][c].loss_us += loss;
    pool_account_[static_cast<std::size_t>(under_)].loss_us += loss;
    promise& promised = promises_[static_cast<std::size_t>(under_)]
                                 [std::min(static_cast<std::size_t>(done.data.type), data_type_count - 1)][c];
    if (promised.tries > 0 && promised.method == done.method)
      --promised.tries;
    else if (!done.failed && spent < rest.cost.latency_us)
      promised = {done.method, tries_after_a_promise};
  }
  costs_.record(done, under_);
}

transfer_learner::account transfer_learner::settled(const account& a) const {
  const double kept = std::pow(account_memory, static_cast<double>(totals_.transfers - a.at));
  return {totals_.transfers, a.time_us * kept, a.loss_us * kept};
}

void transfer_learner::conditions(const system_conditions& now) {
  now_ = now;
  under_ = pressure_after(under_, now, policy_);
}

transfer_view::entry transfer_learner::entry_of(data_type type, std::size_t c, std::uint64_t threshold) const {
  transfer_view::entry made;
  const std::uint64_t size = cost_class_begin(c) + cost_class_begin(c) / 4 + 1; // about the class's middle
  const cost_estimate grpc = costs_.estimate(under_, type, c, transfer_method::grpc, size);
  const cost_estimate zero = costs_.estimate(under_, type, c, transfer_method::zero_copy, size);
  made.grpc_ratio = static_cast<float>(grpc.cost.latency_us / prior_cost(transfer_method::grpc, size).latency_us);
  made.zero_copy_ratio =
      static_cast<float>(zero.cost.latency_us / prior_cost(transfer_method::zero_copy, size).latency_us);
  made.evidence = policy_.learning_enabled && grpc.known >= least_evidence && zero.known >= least_evidence;
  const double gain = score_of(grpc.cost, weights_of(policy_.goal)) - score_of(zero.cost, weights_of(policy_.goal));
  made.gain = static_cast<float>(gain);
  bool chosen_zero = size >= threshold;
  if (made.evidence) {
    chosen_zero = gain > policy_.marginal_benefit;
    const double error = std::sqrt(grpc.spread * grpc.spread / std::max(grpc.weight, 0.1) +
                                   zero.spread * zero.spread / std::max(zero.weight, 0.1));
    made.confidence = static_cast<float>(normal_cdf(std::abs(gain) / std::max(error, 1e-6)));
  }
  if (policy_.learning_enabled && size >= policy_.minimum_threshold && size < policy_.maximum_threshold) {
    const cost_estimate& mine = chosen_zero ? zero : grpc;
    const cost_estimate& its = chosen_zero ? grpc : zero;
    const double loss = std::max(0.0, its.cost.latency_us - mine.cost.latency_us);
    const account spent = settled(accounts_[static_cast<std::size_t>(under_)][c]);
    const account all = settled(pool_account_[static_cast<std::size_t>(under_)]);
    const double budget = policy_.exploration_budget * all.time_us;
    const bool covered = all.loss_us + loss <= std::max(budget, first_allowance_us);
    const double most = policy_.exploration_budget * class_overdraft * spent.time_us;
    if (covered && loss <= std::max(most, its.known < least_evidence ? first_allowance_us : 0))
      made.explore = static_cast<float>(std::min(policy_.exploration_rate * eagerness(its.weight), promise_rate));
    const promise& promised = promises_[static_cast<std::size_t>(under_)][static_cast<std::size_t>(type)][c];
    const transfer_method rival = chosen_zero ? transfer_method::grpc : transfer_method::zero_copy;
    if (policy_.exploration_rate > 0 && promised.tries > 0 && promised.method == rival)
      made.explore = static_cast<float>(promise_rate);
  }
  return made;
}

transfer_view transfer_learner::look(instant now) {
  thresholds_.look(costs_, under_, now_, policy_, now);
  transfer_view view;
  view.generation = generation_;
  view.under = under_;
  view.minimum = policy_.minimum_threshold;
  view.maximum = policy_.maximum_threshold;
  view.marginal_benefit = static_cast<float>(policy_.marginal_benefit);
  std::size_t unmeasured = data_type_count; // the first such type
  for (std::size_t t = 0; t < data_type_count; ++t) {
    const auto type = static_cast<data_type>(t);
    view.thresholds[t] = thresholds_.threshold(type);
    if (!costs_.measured(type) && unmeasured < data_type_count && view.thresholds[t] == view.thresholds[unmeasured]) {
      view.entries[t] = view.entries[unmeasured];
      continue;
    }
    for (std::size_t c = 0; c < cost_class_count; ++c) view.entries[t][c] = entry_of(type, c, view.thresholds[t]);
    if (!costs_.measured(type)) unmeasured = t;
  }
  for (std::size_t i = 0; i < policy_.rules.size() && i < max_transfer_rules; ++i)
    view.rules.push_back({static_cast<std::int8_t>(i), policy_.rules[i].priority, policy_.rules[i].method});
  std::sort(view.rules.begin(), view.rules.end(), [](const auto& a, const auto& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.index < b.index;
  });
  return view;
}

std::expected<void, std::string> transfer_learner::set_policy(transfer_policy policy, instant now) {
  if (auto ok = check(policy); !ok) return ok;
  policy_ = std::move(policy);
  ++generation_;
  thresholds_.rebase(policy_, now);
  under_ = pressure_after(pressure::none, now_, policy_);
  return {};
}

void transfer_learner::reset(instant now, const std::string& why) {
  ++generation_;
  costs_.clear();
  promises_ = {};
  thresholds_.reset(policy_, now, why);
  slowdown_ = 1;
}

} // namespace homeostat
