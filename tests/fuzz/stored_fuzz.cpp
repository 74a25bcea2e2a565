// Any bytes as what is stored: refused, or a value that survives the way back and that whoever starts from it can use.
// The first character says as what; see the switch at the end.
#include "tests/fuzz/stored_files.hpp"

#include "messages/authority_views.hpp"
#include "messages/codec.hpp"
#include "messages/json.hpp"
#include "policies/transfer/transfer_learner.hpp"
#include "runtime/config/config.hpp"
#include "runtime/gateway/audit_message.hpp"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace homeostat;

// What the bytes are not is no news here. Before any thread: the setter is not safe for several.
[[maybe_unused]] const auto loud = google::protobuf::SetLogHandler(nullptr);

constexpr instant now = instant(duration(1'700'000'000'000'000));

/// Two loops, one for each kind of strategy.
const node_config& configuration() {
  static const node_config config = load_config_text("fuzz.yaml", R"(apiVersion: homeostat/v1
kind: Node
metadata: {name: n}
---
apiVersion: homeostat/v1
kind: Source
metadata: {name: front}
spec: {command: {sense: [none], apply: [none], read_back: [none]}}
---
apiVersion: homeostat/v1
kind: Source
metadata: {name: back}
spec: {command: {sense: [none], apply: [none], read_back: [none]}}
---
apiVersion: homeostat/v1
kind: Loop
metadata: {name: web}
spec:
  source: front
  strategy: {name: spsa}
  objective: {minimize: latency_mean_ms}
  knobs:
    - {name: workers, type: integer, min: 1, max: 64, default: 8}
    - {name: share, min: 0, max: 1, default: 0.25}
---
apiVersion: homeostat/v1
kind: Loop
metadata: {name: db}
spec:
  source: back
  strategy: {name: adaptive}
  objective: {minimize: latency_mean_ms}
  knobs:
    - {name: workers, type: integer, min: 1, max: 64, default: 8}
    - {name: share, min: 0, max: 1, default: 0.25}
)")
                                        .value();
  return config;
}

void expect_json(const std::string& text) {
  google::protobuf::Struct any;
  if (!from_json(text, any)) std::fprintf(stderr, "not JSON: %.500s\n", text.c_str()), std::abort();
}

/// @returns the value, which survives the way back; nothing where the bytes are refused with a reason.
template <class T> std::optional<T> check(std::string_view bytes) {
  auto value = decode<T>(bytes);
  if (!value && value.error().empty()) std::abort();
  if (!value) return std::nullopt;
  const std::string again = encode(*value);
  if (const auto back = decode<T>(again); !back || encode(*back) != again) std::abort();
  return std::move(*value);
}

bool within(const governor_config& config, const knob_values& values) {
  for (std::size_t i = 0; i < config.knobs.size(); ++i)
    if (!(values[i] >= config.knobs[i].min && values[i] <= config.knobs[i].max)) return false;
  return values.size() == config.knobs.size();
}

void governor_state_from(std::string_view bytes) {
  const auto stored = check<governor_state>(bytes);
  if (!stored) return;
  const governor_config& config = configuration().loops.front().governor;
  for (const std::optional<knob_values>& actual :
       {std::optional<knob_values>(), {knob_values{8, 0.25}}, {knob_values{9, 0.5}}}) {
    governor_step step = recover(config, *stored, actual, now);
    // Whatever was stored: nothing outside the bounds is ever applied by itself (I1).
    for (int i = 0; i < 4; ++i) {
      if (step.effects.apply && !within(config, step.effects.apply->values)) std::abort();
      // Only a time that was near the limit may have gone beyond it.
      if (const auto kept = decode<governor_state>(encode(step.state));
          !kept && !kept.error().contains("has a time of"))
        std::abort();
      const instant later = now + i * 1min;
      if (step.effects.apply)
        step = decide(
            config, std::move(step.state),
            actuation_answer{
                .ticket = step.effects.apply->ticket, .ok = true, .read_back = step.effects.apply->values, .text = {}},
            later);
      else if (step.effects.durable_ticket)
        step = decide(config, std::move(step.state),
                      audit_answer{.ticket = *step.effects.durable_ticket, .status = audit_status::durable, .text = {}},
                      later);
      else
        step = decide(config, std::move(step.state), tick{}, later);
    }
  }
}

void strategy_state_from(std::string_view bytes) {
  const auto stored = check<engine_state>(bytes);
  if (!stored) return;
  for (const loop_config& loop : configuration().loops) {
    engine_state state = fresh_engine(loop.engine, 1, {8, 0.25});
    if (!resume_engine(state, loop.engine, *stored)) continue;
    live_configuration live{.generation = 1,
                            .revision = 1,
                            .applied_at = now,
                            .values = {8, 0.25},
                            .base = {8, 0.25},
                            .baseline = {8, 0.25}};
    on_live(state, loop.engine, live, now);
    for (int i = 1; i < 6; ++i) {
      const instant at = now + i * 10s;
      const engine_decision next = next_proposal(state, loop.engine, at);
      if (next.ask) {
        if (!within(loop.governor, next.ask->values)) std::abort();
        live = {.generation = live.generation + 1,
                .revision = 1,
                .applied_at = at,
                .values = next.ask->values,
                .base = live.base,
                .baseline = live.baseline};
        on_verdict(
            state, loop.engine,
            {.proposal_id = next.ask->id,
             .accepted = receipt{.generation = live.generation, .revision = 1, .applied_at = at, .values = live.values},
             .refused = {}},
            at);
        on_live(state, loop.engine, live, at);
      }
      objective_window window;
      window.generation = live.generation;
      window.begin = at + 1s;
      window.end = at + 9s;
      window.digests = 8;
      window.samples = 80;
      window.mean = 5.0 + i;
      window.variance = 0.5;
      on_window(state, loop.engine, window, window.end);
    }
    if (!check<engine_state>(encode(state))) std::abort();
  }
}

void record_from(std::string_view bytes) {
  (void)check<audit_batch>(bytes);
  if (const auto record = decode<audit_record>(bytes)) {
    const std::string again = encode(*record, "web");
    if (const auto back = decode<audit_record>(again); !back || encode(*back, "web") != again) std::abort();
  } else if (record.error().empty()) {
    std::abort();
  }
  expect_json(audit_json(bytes));
  const stored_record stored{
      .sequence = 1, .time = now, .loop = "web", .kind = "applied", .payload = std::string(bytes)};
  expect_json(to_json(audit_message(stored)));
}

void authority_from(std::string_view bytes) {
  authority_config config = configuration().authority;
  for (const loop_config& loop : configuration().loops) config.loops.push_back(loop.authority);
  authority_memory memory;
  const auto pieces = fuzz::pieces_of(bytes);
  if (pieces.empty()) return;
  if (auto index = check<authority_index>(pieces.front())) memory.ledger = std::move(index->ledger);
  for (const std::string_view piece : pieces) {
    if (auto p = check<config_proposal>(piece)) {
      expect_json(to_json(view_of(config, *p)));
      memory.proposals.push_back(std::move(*p));
    }
    if (auto advice = check<config_recommendation>(piece)) {
      expect_json(to_json(view_of(config, *advice)));
      memory.advice.push_back(std::move(*advice));
    }
  }
  authority_state state = start_authority(config, std::move(memory), now);
  for (const duration later : {0s, 60s, 86'400s}) (void)decide(config, state, tick{}, now + later);
  for (const auto& [id, p] : state.proposals) expect_json(to_json(view_of(config, p)));
}

void message_from(std::string_view bytes) {
  (void)check<proposal>(bytes);
  (void)check<proposal_verdict>(bytes);
  (void)check<live_configuration>(bytes);
  (void)check<operator_command>(bytes);
  (void)check<authority_call>(bytes);
}

/// Whatever a pool takes up again, it decides afterwards, and what it then keeps can be taken up.
void pool_state_from(std::string_view bytes) {
  if (const auto kept = check<kept_policy>(bytes); kept && !homeostat::check(kept->policy)) std::abort();
  const auto learned = check<transfer_memory>(bytes);
  if (!learned) return;
  transfer_learner learner{transfer_policy{}};
  if (!learner.remember(*learned, now)) std::abort(); // decode() has checked it
  transfer_metrics done;
  done.method = transfer_method::zero_copy;
  done.data.data_size = 3 * mebibyte;
  done.latency_us = 700;
  for (int i = 0; i < 3; ++i) {
    learner.record(done);
    const transfer_view view = learner.look(now + i * 20ms);
    for (const std::uint64_t threshold : view.thresholds)
      if (threshold < view.minimum || threshold > view.maximum) std::abort();
    (void)decide(view, done.data, 0, nullptr, 0.5);
  }
  if (!check<transfer_memory>(encode(learner.memory()))) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0]) {
  case '0': governor_state_from(bytes); break;
  case '1': strategy_state_from(bytes); break;
  case '2': record_from(bytes); break;
  case '3': authority_from(bytes); break;
  case '4': message_from(bytes); break;
  case '5': fuzz::search_journal_from(bytes); break;
  case '6': fuzz::search_document_from(bytes); break;
  case '7': fuzz::store_file_from(bytes); break;
  case '8': pool_state_from(bytes); break;
  default: return -1; // not worth keeping
  }
  return 0;
}
