#include "runtime/gateway/search_metrics.hpp"

#include "runtime/gateway/metric_family.hpp"

#include <prometheus/text_serializer.h>

#include <sstream>

namespace homeostat {

std::string search_metrics_text(const search_gauges& gauges) {
  constexpr auto counter = prometheus::MetricType::Counter;
  std::vector<prometheus::MetricFamily> all;
  const auto add = [&](const char* name, const char* help, prometheus::MetricType type, double value) {
    metric_family f(name, help, type);
    f.add({}, value);
    all.push_back(f.take());
  };
  const auto number = [](const std::atomic<std::uint64_t>& n) { return static_cast<double>(n.load()); };
  add("homeostat_search_asks_total", "Candidates asked for.", counter, number(gauges.asks));
  add("homeostat_search_tells_total", "Results told.", counter, number(gauges.tells));
  add("homeostat_search_failed_evaluations_total", "Evaluations without a result, candidates given up.", counter,
      number(gauges.failed));
  add("homeostat_search_history_trials", "Trials in the history.", prometheus::MetricType::Gauge,
      number(gauges.history));
  add("homeostat_search_changes_detected_total", "Changes of the live plant that an online search noticed.", counter,
      number(gauges.changes));
  add("homeostat_search_regimes_recalled_total", "Returns of an online search to a regime it remembered.", counter,
      number(gauges.recalls));
  add("homeostat_search_returns_to_default_total", "Returns of an online search to the default, which was better.",
      counter, number(gauges.returns));
  add("homeostat_search_evaluation_seconds_total", "Time spent in evaluations that gave a result.", counter,
      gauges.evaluation_seconds.load());
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, all);
  return out.str();
}

std::expected<std::unique_ptr<http_server>, std::string> serve_search_metrics(std::uint16_t port,
                                                                              const search_gauges& gauges) {
  return http_server::start("127.0.0.1", port, [&gauges](const http_request& request) {
    if (request.path != "/metrics") return http_response{404, "{}\n"};
    return http_response{200, search_metrics_text(gauges), "text/plain; version=0.0.4"};
  });
}

} // namespace homeostat
