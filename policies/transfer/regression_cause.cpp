#include "policies/transfer/regression_report.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr double most_of_it = 0.5; ///< a part that explains less of the added time is not its cause
constexpr double pressed = 0.8;    ///< the design's limit for memory and processors
constexpr double risen = 0.1;      ///< pressure that was there before explains nothing new
constexpr double more_held = 1.2;  ///< bytes held now over before

std::string percent(double share) { return number_text(std::round(share * 100)) + " %"; }

} // namespace

// The order is from what is certain to what is inferred: a part that is measured (decision), a resource that is
// measured to be short (memory, processor), time that is measured to be work (serialisation), and the rest is waiting,
// told apart by which of the two ways waits.
cause_verdict cause_of(const component_change& c) {
  using enum regression_cause;
  if (!(c.latency_us > 0)) return {unknown, 0, "no time was added"};
  const auto share_of = [&](double part) { return std::clamp(part / c.latency_us, 0.0, 1.0); };
  const double working = share_of(c.cpu_us);
  if (const double deciding = share_of(c.decision_us); deciding >= most_of_it)
    return {decision, deciding, percent(deciding) + " of the added time is decision time"};
  if (c.memory_pressure >= pressed && c.memory_rise >= risen)
    return {memory, 0.8, "memory in use rose to " + percent(c.memory_pressure)};
  if (c.cpu_load >= pressed && c.cpu_rise >= risen)
    return {processor, 0.8, "processors in use rose to " + percent(c.cpu_load)};
  if (c.memory_ratio >= more_held)
    return {memory, 0.6,
            "a transfer holds " + number_text(std::round(c.memory_ratio * 100) / 100) + " times the memory"};
  const bool both = c.other_method_too.value_or(false);
  const double surely = c.other_method_too ? 1.0 : 0.7;
  if (working >= most_of_it) {
    const std::string what = percent(working) + " of the added time is processor time";
    if (both) return {processor, 0.5 * working, what + ", of both methods"};
    if (c.method == transfer_method::zero_copy)
      return {memory, 0.7 * working * surely, what + ", of the shared way: touching or mapping memory"};
    return {serialisation, working * surely, what + (c.other_method_too ? ", and zero_copy is as before" : "")};
  }
  const double waiting = 1 - working;
  const std::string what = percent(waiting) + " of the added time is waiting";
  if (both) return {io, 0.7 * waiting, what + ", with both methods"};
  if (c.method == transfer_method::grpc)
    return {network, 0.9 * waiting * surely, what + (c.other_method_too ? ", and zero_copy is as before" : "")};
  return {io, 0.7 * waiting * surely, what + ", with zero_copy"};
}

std::string_view name_of(regressed_measure measure) {
  return measure == regressed_measure::latency_p50 ? "latency_p50" : "latency_p95";
}

std::string_view name_of(regression_cause cause) {
  switch (cause) {
  case regression_cause::decision: return "decision";
  case regression_cause::memory: return "memory";
  case regression_cause::processor: return "processor";
  case regression_cause::serialisation: return "serialisation";
  case regression_cause::network: return "network";
  case regression_cause::io: return "io";
  case regression_cause::unknown: return "unknown";
  }
  return "?";
}

std::string describe(const regression_finding& f) {
  const auto rounded = [](double x) { return number_text(std::round(x * 100) / 100); };
  std::string text = text_of(f.series) + ": " + std::string(name_of(f.measure)) + " " + rounded(f.before_us) + " -> " +
                     rounded(f.now_us) + " us (x" + rounded(f.ratio) + ", " + rounded(f.ratio_low) + " to " +
                     rounded(f.ratio_high) + "), likely " + std::string(name_of(f.cause.cause)) + ": " +
                     f.cause.evidence;
  if (f.generation) text += "; began with generation " + std::to_string(*f.generation);
  return text;
}

} // namespace homeostat
