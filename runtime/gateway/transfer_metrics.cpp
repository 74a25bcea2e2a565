#include "runtime/gateway/transfer_metrics.hpp"

#include "runtime/gateway/metric_family.hpp"
#include "runtime/gateway/metrics.hpp"
#include "runtime/node/node.hpp"

#include <prometheus/text_serializer.h>

#include <array>
#include <limits>
#include <sstream>

namespace homeostat {

namespace {

using family = metric_family;
using prometheus::MetricType;

constexpr std::array model_steps{rollout_step::observe, rollout_step::high_confidence, rollout_step::lower,
                                 rollout_step::full};

metric_labels with(metric_labels l, const char* name, std::string_view value) {
  l.push_back({name, std::string(value)});
  return l;
}

/// What was counted of the transfers themselves.
struct traffic_families {
  family decisions{metric::transfer_decisions, "Decisions on transfers.", MetricType::Counter};
  family transfers{metric::transfers, "Reported transfers, by method and whether they arrived.", MetricType::Counter};
  family bytes{metric::transfer_bytes, "Bytes delivered, by method.", MetricType::Counter};
  family explored{metric::transfers_explored, "Reported transfers whose method was tried to learn.",
                  MetricType::Counter};
  family lost{metric::transfer_outcomes_lost, "Outcomes for which the pool's queue had no room.", MetricType::Counter};
  family latency{metric::transfer_latency, "Latency of delivered transfers.", MetricType::Histogram};

  void add(const transfer_pool& pool, const metrics_service& metrics, const metric_labels& me) {
    decisions.add(me, pool.decisions());
    lost.add(me, pool.lost());
    const auto by_method = metrics.by_method(pool.name());
    for (const transfer_method method : transfer_methods) {
      const method_counts& counts = by_method[static_cast<std::size_t>(method)];
      const metric_labels mine = with(me, "method", name_of(method));
      transfers.add(with(mine, "result", "delivered"), counts.delivered);
      transfers.add(with(mine, "result", "failed"), counts.failed);
      bytes.add(mine, counts.bytes);
      explored.add(mine, counts.explored);
      std::vector<prometheus::ClientMetric::Bucket> buckets;
      std::uint64_t up_to = 0;
      for (std::size_t i = 0; i < latency_histogram::bound_count; ++i) {
        up_to += counts.latency.counts[i];
        buckets.push_back({up_to, latency_histogram::bounds_us[i] / 1e6});
      }
      buckets.push_back({up_to + counts.latency.counts.back(), std::numeric_limits<double>::infinity()});
      latency.add(mine, std::move(buckets), counts.latency.sum_us / 1e6);
    }
  }
};

/// What a pool learned, by what it decides, and what is found of it.
struct pool_families {
  family loss{metric::transfer_exploration_loss, "What exploring cost beyond the method that would have been chosen.",
              MetricType::Counter};
  family predictions{metric::transfer_predictions, "Delivered transfers whose latency had been predicted.",
                     MetricType::Counter};
  family close{metric::transfer_predictions_close, "Of these, those that took within 15 % of it.", MetricType::Counter};
  family threshold{metric::transfer_threshold, "Size from which zero_copy is used where nothing else decides.",
                   MetricType::Gauge};
  family pressed{metric::transfer_pressure, "1 while the resource is short.", MetricType::Gauge};
  family slowdown{metric::transfer_slowdown, "Moving mean of actual over expected latency.", MetricType::Gauge};
  family learning{metric::transfer_learning, "1 if the pool learns.", MetricType::Gauge};
  family step{metric::transfer_model_step, "1 for the step of its rollout that the model is at.", MetricType::Gauge};
  family samples{metric::transfer_training_samples, "Transfers held to train on.", MetricType::Gauge};
  family drifts{metric::transfer_drifts, "Changes of the machine or of the sizes that were noticed.",
                MetricType::Counter};
  family regressions{metric::transfer_regressions, "Series that are slower than their baseline, as of the last look.",
                     MetricType::Gauge};
  family advice{metric::transfer_recommendations, "Recommendations that nobody has decided on.", MetricType::Gauge};

  void add(const transfer_pool& pool, const node& n, const metric_labels& me) {
    const pool_stats state = pool.stats();
    loss.add(me, state.totals.exploration_loss_us / 1e6);
    predictions.add(me, state.totals.predicted);
    close.add(me, state.totals.within_15);
    for (std::size_t i = 0; i < data_type_count; ++i) {
      const auto type = static_cast<data_type>(i);
      threshold.add(with(me, "type", name_of(type)), state.thresholds.threshold(type));
    }
    const auto under = static_cast<unsigned>(state.under);
    pressed.add(with(me, "resource", "memory"), std::uint64_t{under & 1U});
    pressed.add(with(me, "resource", "cpu"), std::uint64_t{under >> 1U});
    slowdown.add(me, state.slowdown);
    learning.add(me, state.policy.learning_enabled ? 1.0 : 0.0);
    if (const auto learned = n.transfers().learning().status(pool.name())) {
      step.add(with(me, "step", "none"), learned->step.empty() ? 1.0 : 0.0);
      for (const rollout_step at : model_steps)
        step.add(with(me, "step", name_of(at)), learned->step == name_of(at) ? 1.0 : 0.0);
      samples.add(me, static_cast<std::uint64_t>(learned->samples));
      drifts.add(me, learned->drifts);
    }
    const pool_advisor::overview seen = n.advisor().seen(pool.name());
    regressions.add(me, static_cast<std::uint64_t>(seen.regressions));
    advice.add(me, static_cast<std::uint64_t>(seen.open_advice));
  }
};

} // namespace

std::string transfer_metrics_text(const node& n) {
  const auto& pools = n.transfers().all();
  if (pools.empty()) return {};
  const metrics_service& metrics = n.transfers().metrics();
  traffic_families traffic;
  pool_families learned;
  for (const auto& pool : pools) {
    const metric_labels me{{"pool", pool->name()}};
    traffic.add(*pool, metrics, me);
    learned.add(*pool, n, me);
  }
  family refused(metric::transfer_samples_refused, "Samples that the metrics' file had no room for.",
                 MetricType::Counter);
  family failures(metric::transfer_write_failures, "Writes to the metrics' file that failed.", MetricType::Counter);
  family pending(metric::transfer_rows_pending, "Rows waiting for the metrics' file.", MetricType::Gauge);
  const metrics_writer_stats written = metrics.written();
  refused.add({}, written.refused_samples);
  failures.add({}, written.failures);
  pending.add({}, static_cast<std::uint64_t>(written.pending_rows));

  std::vector<prometheus::MetricFamily> all;
  for (family* f : {&traffic.decisions,
                    &traffic.transfers,
                    &traffic.bytes,
                    &traffic.explored,
                    &traffic.lost,
                    &traffic.latency,
                    &learned.loss,
                    &learned.predictions,
                    &learned.close,
                    &learned.threshold,
                    &learned.pressed,
                    &learned.slowdown,
                    &learned.learning,
                    &learned.step,
                    &learned.samples,
                    &learned.drifts,
                    &learned.regressions,
                    &learned.advice,
                    &refused,
                    &failures,
                    &pending})
    if (prometheus::MetricFamily taken = f->take(); !taken.metric.empty()) all.push_back(std::move(taken));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, all);
  return out.str();
}

} // namespace homeostat
