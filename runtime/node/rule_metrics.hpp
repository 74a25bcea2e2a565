#pragma once

#include "runtime/config/formula.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

namespace homeostat {

/// The newest values of the metrics that one loop's rules ask for. Written by the thread that reads the plant, read by
/// the authority.
class rule_metrics {
public:
  /// @param formulas  one per rule.  @param valid_for  a value older than this is none.
  rule_metrics(std::vector<formula> formulas, std::chrono::steady_clock::duration valid_for)
      : formulas_(std::move(formulas)), valid_for_(valid_for) {}

  /// Takes a reading; a formula that it cannot serve has no value. One thread at a time.
  void take(const named_values& metrics) {
    std::vector<std::optional<double>> values;
    for (formula& f : formulas_) {
      const auto value = f.evaluate(metrics);
      values.push_back(value ? std::optional(*value) : std::nullopt);
    }
    const std::lock_guard lock(mutex_);
    values_ = std::move(values);
    at_ = std::chrono::steady_clock::now();
  }

  /// @returns one value per rule; empty if there was no reading lately.
  [[nodiscard]] std::vector<std::optional<double>> latest() const {
    const std::lock_guard lock(mutex_);
    return std::chrono::steady_clock::now() - at_ <= valid_for_ ? values_ : std::vector<std::optional<double>>{};
  }

private:
  std::vector<formula> formulas_;
  const std::chrono::steady_clock::duration valid_for_;
  mutable std::mutex mutex_;
  std::vector<std::optional<double>> values_;
  std::chrono::steady_clock::time_point at_{};
};

} // namespace homeostat
