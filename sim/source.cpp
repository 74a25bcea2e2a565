#include "sim/source.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace homeostat::sim {

namespace {
constexpr std::size_t remembered_digests = 24;
}

telemetry_source::telemetry_source(kernel& k, const scenario& s, plant& p, invariants& check)
    : kernel_(k), scenario_(s), plant_(p), check_(check), noise_(s.seed, 4) {}

void telemetry_source::start() {
  last_clock_ = kernel_.now();
  kernel_.arm(party::source, scenario_.times.digest_interval, alarm::sample);
}

void telemetry_source::on_process_end() {
  ++stream_;
  past_.clear();
  announced_ = stamp_ = stamp_at_begin_ = 0;
  held_until_ = 0us;
  renamed_ = true;
}

void telemetry_source::on(const live_configuration& live) {
  if (live.generation != announced_) announced_at_ = kernel_.at();
  announced_ = live.generation;
  if (live.generation <= plant_.label()) return;
  plant_.relabel(live.generation);
  renamed_ = true;
}

void telemetry_source::on(const rename_mail& m) {
  if (plant_.label() > m.last_generation || plant_.label() == m.generation) return;
  plant_.relabel(m.generation);
  renamed_ = true;
}

void telemetry_source::on(const alarm_mail& a) {
  if (a.what != alarm::sample) return;
  kernel_.arm(party::source, scaled(scenario_.times.digest_interval, noise_.uniform(0.9, 1.1)), alarm::sample);
  sample();
}

void telemetry_source::sample() {
  const duration at = kernel_.at();
  const instant now = kernel_.now();
  const duration window = at - last_sample_;
  const bool clock_jumped = now - last_clock_ != window;
  last_sample_ = at;
  last_clock_ = now;

  const double tuned = plant_.objective(at);
  const double untouched = plant_.default_objective(at);
  whole_.tuned += tuned, whole_.untouched += untouched, ++whole_.samples;
  if (at > scenario_.times.run / 2) half_.tuned += tuned, half_.untouched += untouched, ++half_.samples;

  if (kernel_.strikes(fault::value_tampered)) tamper();
  if (kernel_.strikes(fault::source_restart)) {
    ++stream_;
    sequence_ = 0;
    past_.clear();
    kernel_.send(party::source, party::sensor, stream_mail{stream_});
  }
  const bool renamed = std::exchange(renamed_, false) && !scenario_.habits.stamped_by_sensor;
  const std::uint64_t stamp = std::exchange(stamp_at_begin_, stamp_);
  const std::uint64_t generation = scenario_.habits.stamped_by_sensor ? stamp : plant_.label();
  if (renamed || clock_jumped || generation == 0 || kernel_.active(fault::telemetry_silent)) return;

  telemetry_digest digest;
  digest.at = now;
  digest.window = window;
  digest.generation = generation;
  plant_.measure(digest, at, noise_);
  const std::uint32_t truth = truths_++;
  check_.measured(truth, at - window, at);
  send(digest, truth);
  if (kernel_.strikes(fault::digest_of_old_generation)) send_again_from_old_generation();
}

void telemetry_source::send(telemetry_digest digest, std::uint32_t truth) {
  draw& d = kernel_.random();
  const duration interval = scenario_.times.digest_interval;
  digest.sequence = ++sequence_;
  if (past_.size() == remembered_digests) past_.erase(past_.begin());
  past_.push_back({digest, truth});
  if (kernel_.strikes(fault::digest_dropped)) return;
  if (kernel_.strikes(fault::digest_not_finite)) {
    const double broken =
        d.chance(0.5) ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    if (d.chance(0.6))
      digest.objective = broken;
    else
      digest.measures.set(static_cast<digest_measure>(d.below(digest_measure_count)), broken);
  }
  if (kernel_.strikes(fault::digest_from_future)) {
    digest.at += d.span(1s, 60s);
    check_.misdated(truth);
  }
  duration late{0};
  if (kernel_.strikes(fault::digest_late)) late += d.exponential(interval * 3);
  if (kernel_.strikes(fault::digest_reordered)) late += scaled(interval, d.uniform(1, 2.5));
  if (kernel_.strikes(fault::digest_stale)) late += scenario_.window.max_age + d.exponential(scenario_.window.max_age);
  if (kernel_.strikes(fault::telemetry_burst)) held_until_ = kernel_.at() + interval * d.whole(3, 12);
  if (held_until_ > kernel_.at()) late = std::max(late, held_until_ - kernel_.at());
  deliver(digest, truth, late);
  if (kernel_.strikes(fault::digest_duplicated)) deliver(digest, truth, late + scaled(interval, d.uniform(0, 4)));
}

void telemetry_source::deliver(const telemetry_digest& digest, std::uint32_t truth, duration late) {
  ++sent_;
  const duration delay = late + kernel_.random().span(1us, scenario_.times.message_delay);
  kernel_.deliver_after(party::sensor, delay, digest_mail{.digest = digest, .truth = truth, .stream = stream_});
}

void telemetry_source::send_again_from_old_generation() {
  std::vector<past_digest> old;
  for (const past_digest& p : past_)
    if (p.digest.generation + 1 < announced_) old.push_back(p);
  if (old.empty()) return;
  past_digest again = old[kernel_.random().below(old.size())];
  again.digest.sequence = ++sequence_;
  // A relay that also forges the time: only of generations that the sensor has left for certain, because a forged
  // digest of the live one cannot be told from a true one by anybody. The news may be as late as any message.
  const bool left = again.digest.generation + 3 <= announced_ && kernel_.at() - announced_at_ > 10s;
  if (left && kernel_.random().chance(0.5)) again.digest.at = kernel_.now();
  deliver(again.digest, again.truth, 0us);
}

void telemetry_source::tamper() {
  draw& d = kernel_.random();
  knob_values values = plant_.values();
  const knob_values other = random_values(d, scenario_.governor.knobs);
  const std::size_t one = d.below(values.size());
  values[one] = other[one];
  if (d.chance(0.2)) values = other;
  if (d.chance(0.15)) values[one] = scenario_.governor.knobs[one].max + 1;
  plant_.tamper(values);
  check_.disturbed();
  kernel_.note([&] { return "plant: somebody sets knob " + std::to_string(one) + " to " + number_text(values[one]); });
}

} // namespace homeostat::sim
