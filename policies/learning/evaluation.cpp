#include "policies/learning/evaluation.hpp"

#include <cmath>

namespace homeostat {

model_judgement judge(const transfer_model& model, std::span<const transfer_metrics> samples,
                      const pairing_settings& pairing) {
  model_judgement j;
  for (const transfer_metrics& m : samples)
    if (!m.failed && std::isfinite(m.latency_us) && m.latency_us > 0)
      j.latencies.push_back(
          {.predicted_us = model.latency_us(m.data, m.conditions, m.method), .actual_us = m.latency_us});
  const std::vector<method_label> labels = label_methods(samples, pairing);
  for (const method_label& label : labels) {
    if (label.near_tie) {
      ++j.near_ties;
      continue;
    }
    const transfer_metrics& m = samples[label.sample];
    const transfer_prediction p = model.predict(m.data, m.conditions);
    j.choices.push_back({.confidence = p.confidence, .right = p.choice == label.faster});
  }
  j.unpaired = j.latencies.size() - labels.size();
  return j;
}

} // namespace homeostat
