#include "runtime/config/pool_loop.hpp"

#include "policies/transfer/policy_knobs.hpp"

namespace homeostat::yaml {

namespace {

/// Conservative, but for what a person has approved: across the whole range in ten seconds or so, where the preset
/// would take four minutes.
policy_settings careful() {
  policy_settings settings;
  settings.limits = guardrails_of(preset::conservative);
  settings.limits.max_cumulative_delta_per_minute = 2;
  settings.limits.max_baseline_distance = 0.5;
  settings.rollback = rollback_of(preset::conservative);
  return settings;
}

} // namespace

std::string loop_over(const std::string& pool) { return pool + "-policy"; }

void govern_pool(governor_config& governor, const pool_config& pool) {
  governor.watch_telemetry = false;
  if (pool.transfer) governor.origin = fingerprint(*pool.transfer);
}

void add_pool_loop(node_config& node, const pool_config& pool, const policy_settings* policy) {
  const policy_settings settings = policy ? *policy : careful();
  // A colon is in no name that is written out.
  node.sources.push_back({.name = "pool:" + pool.name, .what = transfer_pool_source{pool.name}});
  const source_config& source = node.sources.back();
  loop_config loop;
  loop.name = loop_over(pool.name);
  loop.pool = pool.name;
  loop.source = source.name;
  loop.objective.formula = "cost_ratio";
  loop.searches = false;
  loop.window.settle_time = 1s; // a look of the pool's learner, and then some
  loop.window.span = source.interval * loop.window.digests;
  loop.governor.loop = loop.name;
  loop.governor.knobs = policy_knobs(*pool.transfer);
  loop.governor.limits = settings.limits;
  loop.governor.rollback = settings.rollback;
  loop.governor.safe_mode = settings.safe_mode;
  loop.governor.regression = settings.regression;
  loop.governor.drift_check = 30s;
  govern_pool(loop.governor, pool);
  loop.engine.knobs = loop.governor.knobs;
  loop.engine.limits = settings.limits;
  loop.authority.name = loop.name;
  loop.authority.pool = loop.pool;
  loop.authority.knobs = loop.governor.knobs;
  loop.authority.max_delta_per_step = settings.limits.max_delta_per_step;
  node.loops.push_back(std::move(loop));
}

} // namespace homeostat::yaml
