#include "policies/transfer/experiment.hpp"

#include "policies/bit_mix.hpp"
#include "policies/fnv1a.hpp"
#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr std::uint64_t look_every = 100; ///< transfers between two looks at the verdict
constexpr double guard_z = 4;             ///< looked at often: one false stop in 30,000 independent looks

arm_record& arm_record_of(experiment_state& e, experiment_arm arm) {
  return arm == experiment_arm::control ? e.control : e.treatment;
}

void end(experiment_state& e, experiment_phase phase, std::string reason, instant now) {
  e.phase = phase;
  e.reason = std::move(reason);
  e.ended = now;
}

void add_to(arm_record& r, std::uint64_t hash, const transfer_metrics& m) {
  if (m.failed) {
    ++r.failed;
    ++r.failures_in_a_row;
    return;
  }
  r.failures_in_a_row = 0;
  const double x = std::log(std::max(m.latency_us, quantile_sketch::least_value));
  r.log_latency.add(x);
  r.memory_bytes.add(static_cast<double>(m.memory_used));
  r.latency.add(m.latency_us);
  arm_record::cell& cell = r.groups[hash % arm_record::cells]; // the low bits; arms are told by the high ones
  ++cell.count;
  cell.log_latency += x;
}

std::uint64_t attempts(const arm_record& r) { return r.log_latency.count + r.failed; }

double failed_share(const arm_record& r) {
  return attempts(r) == 0 ? 0 : static_cast<double>(r.failed) / static_cast<double>(attempts(r));
}

/// Variance of a mean over transfers that are alike within cells: that of a ratio of sums over the cells.
/// Source: Cochran, "Sampling Techniques", 3rd edition, section 6.4 (linearised ratio estimator).
struct cell_variance {
  double variance{0};
  std::uint32_t cells{0};
};
cell_variance variance_over_cells(const arm_record& r) {
  cell_variance v;
  double squares = 0;
  for (const arm_record::cell& c : r.groups) {
    if (c.count == 0) continue;
    ++v.cells;
    const double off = c.log_latency - static_cast<double>(c.count) * r.log_latency.mean;
    squares += off * off;
  }
  if (v.cells < 2) return v;
  const double n = static_cast<double>(r.log_latency.count), k = v.cells;
  v.variance = squares * k / (k - 1) / (n * n);
  return v;
}

/// @returns which guard stops the experiment, or nothing.
std::string violated_guard(const experiment_state& e) {
  const experiment_settings& s = e.settings;
  const arm_record &a = e.control, &b = e.treatment;
  if (b.failures_in_a_row >= s.guard_failures_in_a_row)
    return std::to_string(b.failures_in_a_row) + " failures in a row";
  if (attempts(b) < s.guard_samples || attempts(a) < s.guard_samples) return {};
  const double pa = failed_share(a), pb = failed_share(b);
  const auto na = static_cast<double>(attempts(a)), nb = static_cast<double>(attempts(b));
  if (const double error = std::sqrt(pa * (1 - pa) / na + pb * (1 - pb) / nb);
      pb - pa > s.guard_failure_rise + guard_z * error)
    return "failed share " + number_text(pb) + " against " + number_text(pa);
  // Of a treatment no worse than allowed, one transfer in a hundred lies beyond the allowed multiple.
  const double limit = a.latency.quantile(0.99).value_or(0) * s.guard_p99_ratio;
  const auto delivered = static_cast<double>(b.log_latency.count), allowed = delivered / 100;
  if (limit > 0 && static_cast<double>(b.latency.count_above(limit)) > allowed + guard_z * std::sqrt(allowed))
    return "p99 of latency above " + number_text(std::round(limit)) + " us, which is " +
           number_text(s.guard_p99_ratio) + " times control's";
  const double error = std::sqrt((a.memory_bytes.variance() * s.guard_memory_ratio * s.guard_memory_ratio) / na +
                                 b.memory_bytes.variance() / nb);
  if (a.memory_bytes.mean > 0 && b.memory_bytes.mean > s.guard_memory_ratio * a.memory_bytes.mean + guard_z * error)
    return "mean memory of " + number_text(std::round(b.memory_bytes.mean)) + " bytes against " +
           number_text(std::round(a.memory_bytes.mean));
  return {};
}

bool conclude(experiment_state& e, experiment_verdict verdict, std::string reason, instant now) {
  e.verdict = verdict;
  end(e, experiment_phase::concluded, std::move(reason), now);
  return true;
}

bool judge(experiment_state& e, instant now) {
  const experiment_settings& s = e.settings;
  const std::uint64_t smaller = std::min(e.control.log_latency.count, e.treatment.log_latency.count);
  if (smaller >= s.min_samples) {
    const experiment_estimate now_is = estimate(e);
    if (std::min(now_is.cells_control, now_is.cells_treatment) >= s.min_cells) {
      e.least_p = std::min(e.least_p, now_is.always_valid_p);
      if (now_is.always_valid_p <= s.false_positive_rate)
        return conclude(e,
                        now_is.ratio < 1 ? experiment_verdict::treatment_faster : experiment_verdict::treatment_slower,
                        "p " + number_text(now_is.always_valid_p), now);
    }
  }
  if (smaller >= s.max_samples)
    return conclude(e, experiment_verdict::no_difference, "the most samples without a difference", now);
  if (now - e.started >= s.max_duration)
    return conclude(e, experiment_verdict::no_difference, "the longest time without a difference", now);
  return false;
}

} // namespace

void running_moments::add(double x) {
  ++count;
  const double before = x - mean;
  mean += before / static_cast<double>(count);
  squares += before * (x - mean);
}

std::expected<void, std::string> check(const experiment_settings& s) {
  const auto wrong = [&](const char* name, double value, const char* expected) {
    return std::unexpected("experiment " + s.name + ": " + name + " is " + number_text(value) + ", expected " +
                           expected);
  };
  if (s.name.empty() || s.pool.empty()) return std::unexpected("an experiment needs a name and a pool");
  if (s.control == s.treatment) return std::unexpected("experiment " + s.name + ": both arms are the same");
  if (!(s.traffic_split > 0 && s.traffic_split <= 0.5))
    return wrong("traffic_split", s.traffic_split, "above 0, at most 0.5");
  if (!(s.false_positive_rate > 0 && s.false_positive_rate <= 0.2))
    return wrong("false_positive_rate", s.false_positive_rate, "above 0, at most 0.2");
  // The variance is estimated; below this the normal approximation behind the test does not hold.
  if (s.min_samples < 1000) return wrong("min_samples", static_cast<double>(s.min_samples), "1000 or more");
  if (s.max_samples < s.min_samples)
    return wrong("max_samples", static_cast<double>(s.max_samples), "min_samples or more");
  if (s.min_cells < 20 || s.min_cells > arm_record::cells) return wrong("min_cells", s.min_cells, "20 to 256");
  if (s.max_duration <= 0us) return wrong("max_duration", seconds_of(s.max_duration), "more than 0 s");
  if (!(s.expected_effect > 0 && s.expected_effect <= 1))
    return wrong("expected_effect", s.expected_effect, "above 0, at most 1");
  if (s.guard_samples < 100) return wrong("guard_samples", static_cast<double>(s.guard_samples), "100 or more");
  if (!(s.guard_failure_rise >= 0)) return wrong("guard_failure_rise", s.guard_failure_rise, "0 or more");
  if (!(s.guard_p99_ratio >= 1)) return wrong("guard_p99_ratio", s.guard_p99_ratio, "1 or more");
  if (!(s.guard_memory_ratio >= 1)) return wrong("guard_memory_ratio", s.guard_memory_ratio, "1 or more");
  if (s.guard_failures_in_a_row < 2) return wrong("guard_failures_in_a_row", s.guard_failures_in_a_row, "2 or more");
  return {};
}

std::uint64_t session_hash(std::string_view salt, std::string_view session) noexcept {
  return mixed_bits(fnv1a(session, fnv1a({"\0", 1}, fnv1a(salt))));
}

experiment_arm arm_of(const experiment_state& e, std::string_view session) {
  if (e.phase != experiment_phase::running) return experiment_arm::control;
  return arm_of(session_hash(e.settings.name, session), e.settings.traffic_split);
}

std::expected<void, std::string> start_experiment(experiment_state& e, instant now) {
  if (e.phase != experiment_phase::draft)
    return std::unexpected("experiment " + e.settings.name + " is " + std::string(name_of(e.phase)) +
                           ", expected draft");
  if (auto ok = check(e.settings); !ok) return ok;
  e.phase = experiment_phase::running;
  e.started = now;
  return {};
}

bool record(experiment_state& e, std::string_view session, experiment_arm arm, const transfer_metrics& m, instant now) {
  return record(e, session_hash(e.settings.name, session), arm, m, now);
}

bool record(experiment_state& e, std::uint64_t session, experiment_arm arm, const transfer_metrics& m, instant now) {
  if (e.phase != experiment_phase::running || !(std::isfinite(m.latency_us) && m.latency_us >= 0)) {
    ++e.refused;
    return false;
  }
  arm_record& r = arm_record_of(e, arm);
  add_to(r, session, m);
  const bool look_now = attempts(r) % look_every == 0;
  if (arm == experiment_arm::treatment && (look_now || m.failed))
    if (std::string guard = violated_guard(e); !guard.empty()) {
      end(e, experiment_phase::stopped_by_guard, std::move(guard), now);
      return true;
    }
  return look_now && judge(e, now);
}

bool look(experiment_state& e, instant now) {
  if (e.phase != experiment_phase::running) return false;
  if (std::string guard = violated_guard(e); !guard.empty()) {
    end(e, experiment_phase::stopped_by_guard, std::move(guard), now);
    return true;
  }
  return judge(e, now);
}

experiment_estimate estimate(const experiment_state& e) {
  experiment_estimate found;
  found.ratio_high = std::numeric_limits<double>::infinity();
  const running_moments &a = e.control.log_latency, &b = e.treatment.log_latency;
  if (a.count < 2 || b.count < 2) return found;
  const cell_variance ca = variance_over_cells(e.control), cb = variance_over_cells(e.treatment);
  found.cells_control = ca.cells;
  found.cells_treatment = cb.cells;
  const double alone = a.variance() / static_cast<double>(a.count) + b.variance() / static_cast<double>(b.count);
  const double v = found.variance = std::max(alone, ca.variance + cb.variance);
  const double difference = b.mean - a.mean;
  found.ratio = std::exp(difference);
  if (!(v > 0)) return found;
  // Mixture over N(0, tau^2): log of the likelihood ratio, its inverse the p-value, its level set the interval.
  const double tau2 = e.settings.expected_effect * e.settings.expected_effect;
  const double spread = std::log((v + tau2) / v);
  const double log_ratio = tau2 * difference * difference / (2 * v * (v + tau2)) - spread / 2;
  found.always_valid_p = std::min(1.0, std::exp(-log_ratio));
  const double reach = std::sqrt(v * (v + tau2) / tau2 * (2 * std::log(1 / e.settings.false_positive_rate) + spread));
  found.ratio_low = std::exp(difference - reach);
  found.ratio_high = std::exp(difference + reach);
  return found;
}

bool abandon(experiment_state& e, std::string reason, instant now) {
  if (e.phase != experiment_phase::running) return false;
  end(e, experiment_phase::rejected, std::move(reason), now);
  return true;
}

std::expected<void, std::string> decide_experiment(experiment_state& e, experiment_verb verb, const std::string& who,
                                                   instant now) {
  using enum experiment_phase;
  const std::string is = "experiment " + e.settings.name + " is " + std::string(name_of(e.phase));
  if (e.phase == promoted || e.phase == rejected)
    return std::unexpected(is + (e.decided_by.empty() ? "" : ", by " + e.decided_by));
  if (verb == experiment_verb::promote) {
    if (e.phase != concluded) return std::unexpected(is + ", expected concluded");
    if (e.verdict != experiment_verdict::treatment_faster)
      return std::unexpected(is + " with verdict " + std::string(name_of(e.verdict)) + ", expected treatment_faster");
    e.phase = promoted;
  } else {
    if (e.phase == running || e.phase == draft) end(e, rejected, "abandoned", now);
    e.phase = rejected;
  }
  e.decided_by = who;
  return {};
}

std::expected<experiment_promotion, std::string> promotion_of(const experiment_state& e) {
  if (e.phase != experiment_phase::promoted)
    return std::unexpected("experiment " + e.settings.name + " is " + std::string(name_of(e.phase)) +
                           ", expected promoted");
  const experiment_estimate at_end = estimate(e);
  experiment_promotion p;
  p.pool = e.settings.pool;
  for (const auto& [key, value] : e.settings.treatment)
    if (const auto known = e.settings.control.find(key); known == e.settings.control.end() || known->second != value)
      p.changes.emplace(key, value);
  p.confidence = 1 - at_end.always_valid_p;
  p.gain = 1 - at_end.ratio;
  p.gain_low = 1 - at_end.ratio_high;
  p.gain_high = 1 - at_end.ratio_low;
  const auto percent = [](double share) { return number_text(std::round(share * 1000) / 10) + " %"; };
  p.evidence = "experiment " + e.settings.name + ": latency lower by " + percent(p.gain) + " (" + percent(p.gain_low) +
               " to " + percent(p.gain_high) + "), " + std::to_string(e.treatment.log_latency.count) + " against " +
               std::to_string(e.control.log_latency.count) + " transfers, p " + number_text(at_end.always_valid_p);
  return p;
}

std::string report_of(const experiment_state& e) {
  const experiment_estimate now_is = estimate(e);
  std::string text =
      "experiment " + e.settings.name + " (pool " + e.settings.pool + "): " + std::string(name_of(e.phase));
  if (e.verdict != experiment_verdict::none) text += ", " + std::string(name_of(e.verdict));
  if (!e.reason.empty()) text += ", " + e.reason;
  if (!e.decided_by.empty()) text += ", decided by " + e.decided_by;
  text += '\n';
  for (const auto arm : {experiment_arm::control, experiment_arm::treatment}) {
    const arm_record& r = arm == experiment_arm::control ? e.control : e.treatment;
    text += "  " + std::string(name_of(arm)) + ": " + std::to_string(r.log_latency.count) + " delivered, " +
            std::to_string(r.failed) + " failed, geometric mean " +
            number_text(r.log_latency.count == 0 ? 0 : std::exp(r.log_latency.mean)) + " us, p99 " +
            number_text(r.latency.quantile(0.99).value_or(0)) + " us\n";
  }
  return text + "  ratio " + number_text(now_is.ratio) + " (" + number_text(now_is.ratio_low) + " to " +
         number_text(now_is.ratio_high) + " at every look), always-valid p " + number_text(now_is.always_valid_p) +
         "\n";
}

std::string_view name_of(experiment_phase phase) {
  switch (phase) {
  case experiment_phase::draft: return "draft";
  case experiment_phase::running: return "running";
  case experiment_phase::stopped_by_guard: return "stopped_by_guard";
  case experiment_phase::concluded: return "concluded";
  case experiment_phase::promoted: return "promoted";
  case experiment_phase::rejected: return "rejected";
  }
  return "?";
}

std::string_view name_of(experiment_verdict verdict) {
  switch (verdict) {
  case experiment_verdict::none: return "none";
  case experiment_verdict::treatment_faster: return "treatment_faster";
  case experiment_verdict::treatment_slower: return "treatment_slower";
  case experiment_verdict::no_difference: return "no_difference";
  }
  return "?";
}

} // namespace homeostat
