// Sensor and proposer.
#include "sim/loop_actors.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <utility>

namespace homeostat::sim {

// ---- sensor
// --------------------------------------------------------------------------------------------------------------

sensor_actor::sensor_actor(kernel& k, const scenario& s, const policy_set& policies, telemetry_source& source,
                           invariants& check)
    : kernel_(k), scenario_(s), policies_(policies), check_(check), source_(source) {}

void sensor_actor::start() {
  kernel_.bear(party::sensor);
  running_ = true;
  started_ = kernel_.now();
  state_ = {};
  check_.collection_dropped();
  kernel_.send(party::sensor, party::governor, subscribe{party::sensor});
}

void sensor_actor::end() {
  running_ = false;
  kernel_.kill(party::sensor);
}

void sensor_actor::on(const stream_mail& m) {
  kernel_.crash_point(party::sensor);
  // A new connection numbers its digests anew: what is known of the old numbering means nothing.
  stream_ = m.stream;
  const std::uint64_t generation = state_.generation;
  const instant from = std::max(state_.measurable_from, kernel_.now());
  state_ = {};
  begin_generation(state_, scenario_.window, generation, from);
  check_.collection_dropped();
}

void sensor_actor::on(const live_configuration& live) {
  kernel_.crash_point(party::sensor);
  source_.stamp(live.generation);
  if (note_live(state_, scenario_.window, live.generation, std::max(live.applied_at, started_)))
    check_.collection_dropped();
}

void sensor_actor::on(const digest_mail& m) {
  kernel_.crash_point(party::sensor);
  if (m.stream < stream_) return; // died with its connection
  stream_ = m.stream;
  const instant now = kernel_.now();
  const std::uint64_t accepted = state_.accepted;
  const auto faults = state_.faults;
  const auto window = policies_.take(state_, scenario_.window, m.digest, now);
  if (state_.accepted != accepted) check_.counted(m.truth, m.digest, now);
  for (std::size_t i = 0; i < digest_fault_count; ++i) faults_[i] += state_.faults[i] - faults[i];
  if (!window) return;
  ++windows_;
  check_.window_closed(*window);
  kernel_.note([&] {
    return "sensor: window of generation " + std::to_string(window->generation) + ", mean " + number_text(window->mean);
  });
  kernel_.send(party::sensor, party::engine, *window);
  kernel_.send(party::sensor, party::governor, *window);
}

// ---- proposer
// ------------------------------------------------------------------------------------------------------------

engine_actor::engine_actor(kernel& k, const scenario& s, const policy_set& policies, invariants& check)
    : kernel_(k), scenario_(s), policies_(policies), check_(check) {}

void engine_actor::start() {
  kernel_.bear(party::engine);
  running_ = true;
  ready_ = false;
  state_ = fresh_engine(scenario_.engine, scenario_.seed, initial_values(scenario_.engine.knobs));
  if (saved_) (void)resume_engine(state_, scenario_.engine, *saved_); // else it begins afresh
  state_.epoch = scenario_.epoch;
  check_.engine_told_of_change(); // nothing unfinished survives
  check_.engine_started(kernel_.at());
  kernel_.send(party::engine, party::governor, subscribe{party::engine});
}

void engine_actor::end() {
  running_ = false;
  kernel_.kill(party::engine);
}

void engine_actor::on_process_end() {
  end();
  if (!scenario_.engine_remembers) saved_.reset();
}

void engine_actor::poll() {
  if (!ready_ || (scenario_.authority && !scenario_.authority->strategy)) return;
  kernel_.crash_point(party::engine);
  engine_decision d = policies_.next_proposal(state_, scenario_.engine, kernel_.now());
  if (d.look_again) kernel_.arm(party::engine, *d.look_again - kernel_.now(), alarm::look, ++look_token_);
  const bool progressed = !saved_ || progress_of(*saved_) != progress_of(state_);
  if (kernel_.random().chance(0.05) || progressed) saved_ = state_;
  if (!d.ask) return;
  check_.asked(*d.ask, kernel_.at());
  kernel_.note([&] {
    return "engine: asks " + std::string(name_of(d.ask->kind)) + " " + std::to_string(d.ask->id) + " for generation " +
           std::to_string(d.ask->base_generation);
  });
  kernel_.arm(party::engine, scenario_.times.answer_timeout, alarm::no_answer, ++answer_token_);
  kernel_.send(party::engine, party::governor, proposal_mail{.wish = std::move(*d.ask), .from = party::engine});
}

void engine_actor::on(const live_configuration& live) {
  kernel_.crash_point(party::engine);
  if (live.generation != state_.generation) check_.engine_told_of_change();
  on_live(state_, scenario_.engine, live, kernel_.now());
  ready_ = true;
  poll();
}

void engine_actor::on(const objective_window& w) {
  kernel_.crash_point(party::engine);
  const auto learned = [this] { return std::pair(state_.spsa.recorded, state_.online.recorded); };
  const auto before = learned();
  on_window(state_, scenario_.engine, w, kernel_.now());
  if (learned() != before && check_.tainted(w)) check_.engine_misled();
  poll();
}

void engine_actor::on(const proposal_verdict& v) {
  kernel_.crash_point(party::engine);
  if (v.refused) ++refusals_[static_cast<std::size_t>(v.refused->code)];
  const std::uint64_t updates = state_.updates;
  on_verdict(state_, scenario_.engine, v, kernel_.now());
  updates_ += state_.updates - updates;
  if (state_.expects != engine_expectation::verdict) ++answer_token_; // the timer is void
  poll();
}

void engine_actor::on(const failed_request&) {
  ++answer_token_;
  on_no_answer(state_, scenario_.engine, kernel_.now());
  poll();
}

void engine_actor::on(const alarm_mail& a) {
  if (a.what == alarm::look && a.token == look_token_) poll();
  if (a.what != alarm::no_answer || a.token != answer_token_) return;
  kernel_.note([] { return std::string("engine: nobody answers"); });
  on_no_answer(state_, scenario_.engine, kernel_.now());
  poll();
}

} // namespace homeostat::sim
