#include "runtime/gateway/metrics.hpp"

#include "runtime/gateway/metric_family.hpp"

#include <prometheus/text_serializer.h>

#include <map>
#include <sstream>

namespace homeostat {

namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using labels = metric_labels;
using family = metric_family;

std::vector<MetricFamily> families_of(const std::vector<loop_status>& loops, const group_stats& audit) {
  constexpr auto counter = MetricType::Counter;
  constexpr auto gauge = MetricType::Gauge;
  family up(metric::up, "1 if the loop's governor answers.", gauge);
  family applied(metric::changes_applied, "Changes confirmed in force, rollbacks excluded.", counter);
  family refused(metric::proposals_refused, "Proposals refused, by violation.", counter);
  family rollbacks(metric::rollbacks, "Rollbacks to the baseline.", counter);
  family frozen(metric::safe_mode, "1 for each reason that holds the loop in safe mode; reason none is 0.", gauge);
  family entries(metric::safe_mode_entries, "Times the loop was frozen.", counter);
  family generation(metric::generation, "Number of the applied configuration.", gauge);
  family revision(metric::revision, "Number of the authoritative configuration.", gauge);
  family knob(metric::knob_value, "Live value, in the knob's unit.", gauge);
  family objective(metric::objective, "Mean objective of the last window; lower is better.", gauge);
  family windows(metric::windows, "Windows of valid digests.", counter);
  family digests(metric::digests, "Digests received.", counter);
  family rejected(metric::digests_rejected, "Digests not counted, by fault.", counter);
  family restarts(metric::restarts, "Restarts of the loop's actors.", counter);
  family batches(metric::audit_batches, "Batches of audit records and state, by result.", counter);
  family pending(metric::audit_pending, "Records and states waiting for the store.", gauge);
  family commit(metric::audit_commit_seconds, "Duration of the last commit to the store.", gauge);

  for (const loop_status& loop : loops) {
    const labels me{{"loop", loop.name}, {"pool", loop.pool}};
    const auto with = [&](const char* name, const std::string& value) {
      labels l = me;
      l.push_back({name, value});
      return l;
    };
    up.add(me, loop.state == "down" ? 0.0 : 1.0);
    applied.add(me, loop.applied);
    for (const auto& [violation, count] : loop.rejected) refused.add(with("violation", violation), count);
    rollbacks.add(me, loop.rollbacks);
    if (loop.safe_mode_reasons.empty()) frozen.add(with("reason", "none"), 0.0);
    for (const auto& reason : loop.safe_mode_reasons) frozen.add(with("reason", reason), 1.0);
    entries.add(me, loop.safe_mode_entries);
    generation.add(me, loop.generation);
    revision.add(me, loop.revision);
    for (const knob_status& k : loop.knobs) knob.add(with("knob", k.name), k.value);
    if (loop.objective) objective.add(me, *loop.objective);
    windows.add(me, loop.windows);
    digests.add(me, loop.digests);
    for (const auto& [fault, count] : loop.digest_faults) rejected.add(with("fault", fault), count);
    restarts.add(me, loop.restarts);
  }
  batches.add({{"result", "committed"}}, audit.committed);
  batches.add({{"result", "failed"}}, audit.failed);
  batches.add({{"result", "refused"}}, audit.refused);
  pending.add({}, static_cast<std::uint64_t>(audit.pending_entries));
  commit.add({}, std::chrono::duration<double>(audit.last_commit).count());

  std::vector<MetricFamily> all;
  for (family* f : {&up, &applied, &refused, &rollbacks, &frozen, &entries, &generation, &revision, &knob, &objective,
                    &windows, &digests, &rejected, &restarts, &batches, &pending, &commit})
    if (MetricFamily taken = f->take(); !taken.metric.empty()) all.push_back(std::move(taken));
  return all;
}

} // namespace

std::string metrics_text(const std::vector<loop_status>& loops, const group_stats& audit) {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families_of(loops, audit));
  return out.str();
}

} // namespace homeostat
