#include "policies/learning/gate.hpp"

#include "policies/number_text.hpp"

namespace homeostat {

namespace {

std::string percent(double share) { return number_text(share * 100) + " %"; }

gate_figure enough(const char* name, std::size_t count, std::uint64_t limit, const char* what) {
  const bool passed = count >= limit;
  return {.name = name,
          .value = static_cast<double>(count),
          .limit = static_cast<double>(limit),
          .count = count,
          .passed = passed,
          .text = std::to_string(count) + " " + what + ", at least " + std::to_string(limit) + " needed"};
}

} // namespace

std::string gate_result::text() const {
  std::string all = passed ? "passed" : "refused";
  for (const bool wanted : {false, true})
    for (const gate_figure& f : figures)
      if (f.passed == wanted) all += (f.passed ? "; " : "; FAILED: ") + f.text;
  return all;
}

gate_result pass_gate(std::span<const judged_choice> choices, std::span<const judged_latency> latencies,
                      const gate_limits& limits) {
  const double accuracy = accuracy_of(choices);
  const double within = within_share(latencies, limits.latency_tolerance);
  const double error = expected_calibration_error(choices);
  const auto of = [](std::size_t n, const char* what) { return " of " + std::to_string(n) + " " + what; };
  gate_result r;
  r.figures.push_back({.name = "accuracy",
                       .value = accuracy,
                       .limit = limits.accuracy,
                       .count = choices.size(),
                       .passed = accuracy > limits.accuracy,
                       .text = percent(accuracy) + of(choices.size(), "method choices right, more than ") +
                               percent(limits.accuracy) + " needed"});
  r.figures.push_back({.name = "within_share",
                       .value = within,
                       .limit = limits.within_share,
                       .count = latencies.size(),
                       .passed = within >= limits.within_share,
                       .text = percent(within) + of(latencies.size(), "latencies foretold within ") +
                               percent(limits.latency_tolerance) + ", at least " + percent(limits.within_share) +
                               " needed"});
  r.figures.push_back({.name = "calibration_error",
                       .value = error,
                       .limit = limits.calibration_error,
                       .count = choices.size(),
                       .passed = error <= limits.calibration_error,
                       .text = "expected calibration error " + number_text(error) + ", at most " +
                               number_text(limits.calibration_error) + " allowed"});
  r.figures.push_back(enough("choices", choices.size(), limits.choices, "choices could be judged"));
  r.figures.push_back(enough("latencies", latencies.size(), limits.latencies, "latencies could be judged"));
  r.passed = true;
  for (const gate_figure& f : r.figures) r.passed = r.passed && f.passed;
  return r;
}

} // namespace homeostat
