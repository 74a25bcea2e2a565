// Decisions without actors: a governed apply in-process, ask and tell of SPSA.
#include "bench/row.hpp"
#include "policies/search/adaptive_engine.hpp"
#include "policies/transfer/metrics_store.hpp"
#include "runtime/embed/inline_governor.hpp"

#include <chrono>

namespace homeostat::bench {

namespace {

using clock = std::chrono::steady_clock;

std::vector<knob_spec> make_knobs(int n) {
  std::vector<knob_spec> knobs;
  for (int i = 0; i < n; ++i)
    knobs.push_back({.name = "knob" + std::to_string(i),
                     .type = knob_type::continuous,
                     .scale = knob_scale::linear,
                     .unit = {},
                     .min = 0,
                     .max = 100,
                     .initial = 50,
                     .step = {},
                     .step_limit = {},
                     .categories = {}});
  return knobs;
}

double microseconds(clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

/// Updates of one knob in turn, small enough for every guard; virtual time advances a second each.
row governed_apply() {
  governor_config config;
  config.loop = "bench";
  config.knobs = make_knobs(8);
  config.watch_telemetry = false;
  std::array<double, 8> initial{};
  initial.fill(50);
  atomic_config live(initial);
  bounded_queue<audit_bundle> audit(1024);
  instant now{std::chrono::seconds(1'800'000'000)};
  inline_governor governor(config, live, audit, now);
  std::vector<double> samples;
  for (int i = 0; i < 60'000; ++i) {
    now += 4s;
    proposal p;
    p.kind = proposal_kind::update;
    p.id = static_cast<std::uint64_t>(i + 1);
    p.base_generation = governor.state().generation;
    p.base_revision = governor.state().revision;
    p.values = governor.state().base;
    // Within the deadband, so that two hours of it are no thrashing.
    for (double& value : p.values) value += i % 2 == 0 ? 1.0 : -1.0;
    p.source = "bench";
    const auto begin = clock::now();
    const proposal_verdict verdict = governor.apply(p, now);
    const auto end = clock::now();
    if (!verdict.accepted) std::abort(); // a refused one would be a cheaper thing to measure
    samples.push_back(microseconds(end - begin));
    while (audit.try_dequeue()) {}
  }
  return at_most("governed_apply_inline_p99", quantile(samples, 0.99), "us", 5);
}

row ask_tell() {
  engine_settings settings;
  settings.knobs = make_knobs(8);
  settings.limits = guardrails_of(preset::aggressive);
  engine_state s = fresh_engine(settings, 1, initial_values(settings.knobs));
  instant now{std::chrono::seconds(1'800'000'000)};
  live_configuration live{.generation = 1,
                          .revision = 1,
                          .applied_at = now,
                          .values = initial_values(settings.knobs),
                          .base = initial_values(settings.knobs),
                          .frozen = false,
                          .baseline = initial_values(settings.knobs)};
  on_live(s, settings, live, now);
  chacha8_rng noise(7);
  std::vector<double> samples;
  while (samples.size() < 100'000) {
    now += 1s;
    const auto begin = clock::now();
    const engine_decision decision = next_proposal(s, settings, now);
    auto spent = clock::now() - begin;
    if (!decision.ask) continue;
    live.generation += 1;
    if (decision.ask->kind == proposal_kind::update) live.base = decision.ask->values, live.revision += 1;
    live.values = decision.ask->values;
    double objective = 10 + noise.uniform();
    for (double value : live.values) objective += (value - 30) * (value - 30) / 100;
    const proposal_verdict verdict{
        .proposal_id = decision.ask->id,
        .accepted =
            receipt{.generation = live.generation, .revision = live.revision, .applied_at = now, .values = live.values},
        .refused = {}};
    objective_window window;
    window.generation = live.generation;
    window.digests = 5;
    window.mean = objective;
    window.variance = 0.1;
    const auto tell = clock::now();
    on_live(s, settings, live, now);
    on_verdict(s, settings, verdict, now);
    on_window(s, settings, window, now);
    spent += clock::now() - tell;
    samples.push_back(microseconds(spent));
  }
  return at_most("ask_tell_spsa_8_p99", quantile(samples, 0.99), "us", 20);
}

/// One finished transfer into the memory of a busy pool: twelve sizes, both methods, a thousand transfers a second.
row record_transfer() {
  metrics_store store;
  chacha8_rng rng(9);
  instant now{std::chrono::seconds(1'800'000'000)};
  std::vector<double> samples;
  for (int i = 0; i < 200'000; ++i) {
    now += 1ms;
    transfer_metrics m;
    m.timestamp = now;
    m.method = rng.sign() > 0 ? transfer_method::grpc : transfer_method::zero_copy;
    m.data.data_size = std::uint64_t{1'000'000} << (rng.next() % 12);
    m.latency_us = 100 + 1000 * rng.uniform();
    const auto begin = clock::now();
    const homeostat::record_outcome outcome = store.record(m, now);
    const auto end = clock::now();
    if (outcome != record_outcome::recorded) std::abort();
    samples.push_back(microseconds(end - begin));
    if (i % 1000 == 0) (void)store.take_changed(); // as the durable copy does every second
  }
  return at_most("transfer_record_p99", quantile(samples, 0.99), "us", 5);
}

} // namespace

std::vector<row> decision_rows() { return {governed_apply(), ask_tell(), record_transfer()}; }

} // namespace homeostat::bench
