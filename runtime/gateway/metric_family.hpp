#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace homeostat {

using metric_labels = std::vector<prometheus::ClientMetric::Label>;

/// One family of counters, gauges or histograms under construction.
class metric_family {
public:
  metric_family(const char* name, const char* help, prometheus::MetricType type) : type_(type) {
    family_.name = name;
    family_.help = help;
    family_.type = type;
  }
  void add(metric_labels l, double value) {
    prometheus::ClientMetric metric;
    metric.label = std::move(l);
    if (type_ == prometheus::MetricType::Counter)
      metric.counter.value = value;
    else
      metric.gauge.value = value;
    family_.metric.push_back(std::move(metric));
  }
  void add(metric_labels l, std::uint64_t value) { add(std::move(l), static_cast<double>(value)); }
  /// @pre the family is a histogram.  @param counts  cumulative, by upper bound.
  void add(metric_labels l, std::vector<prometheus::ClientMetric::Bucket> counts, double sum) {
    prometheus::ClientMetric metric;
    metric.label = std::move(l);
    metric.histogram.sample_count = counts.back().cumulative_count;
    metric.histogram.sample_sum = sum;
    metric.histogram.bucket = std::move(counts);
    family_.metric.push_back(std::move(metric));
  }
  [[nodiscard]] prometheus::MetricFamily take() { return std::move(family_); }

private:
  prometheus::MetricType type_;
  prometheus::MetricFamily family_;
};

} // namespace homeostat
