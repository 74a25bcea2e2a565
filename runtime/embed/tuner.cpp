#include "runtime/embed/tuner.hpp"

#include "runtime/embed/service_plant.hpp"
#include "runtime/gateway/api.hpp"
#include "runtime/node/node.hpp"

#include <algorithm>

namespace homeostat {

namespace {

knob_spec spec_of(const registered_knob& knob) {
  const knob_declaration& d = knob.declaration;
  knob_spec spec{.name = d.name,
                 .type = knob.type,
                 .scale = d.scale,
                 .unit = d.unit,
                 .min = d.min,
                 .max = d.max,
                 .initial = d.initial,
                 .step = d.step,
                 .step_limit = std::nullopt,
                 .categories = d.categories};
  // An enumeration need not name its values; the policies count them by their names.
  if (spec.type == knob_type::categorical && spec.categories.empty())
    for (int i = 0; i <= static_cast<int>(spec.max); ++i) spec.categories.push_back("value" + std::to_string(i));
  return spec;
}

std::expected<node_config, std::string> configure(const tuner_options& options,
                                                  const std::vector<registered_knob>& knobs) {
  const auto level = preset_from(options.guardrails);
  if (!level)
    return std::unexpected("guardrails is '" + options.guardrails + "', expected conservative, balanced or aggressive");
  const auto strategy = online_kind_from(options.strategy);
  if (!strategy) return std::unexpected("strategy is '" + options.strategy + "', expected adaptive or spsa");
  if (knobs.empty()) return std::unexpected(std::string("the registry has no knobs, expected 1 to 16"));
  if (options.store.empty())
    return std::unexpected(std::string("store is empty, expected the path of a file for the audit trail"));
  if (options.interval <= duration{0}) return std::unexpected(std::string("interval is not above 0"));
  node_config config;
  config.name = options.name;
  config.store_path = options.store;
  config.seed = options.seed;
  config.pools.push_back({.name = "default", .supervision = {}, .transfer = {}});
  config.sources.push_back({.name = options.name, .what = {}, .interval = options.interval, .patience = 1s});
  loop_config& loop = config.loops.emplace_back();
  loop.name = options.name;
  loop.pool = "default";
  loop.source = options.name;
  loop.seed = options.seed;
  loop.audit = audit_mode::queued;
  loop.objective.formula = options.minimize;
  if (!options.constraint.empty()) {
    auto margin = margin_formula(options.constraint);
    if (!margin) return std::unexpected("constraint '" + options.constraint + "': " + margin.error().what);
    loop.objective.constraints.push_back({.formula = *margin, .text = options.constraint});
  }
  loop.governor.loop = options.name;
  for (const registered_knob& knob : knobs) loop.governor.knobs.push_back(spec_of(knob));
  loop.governor.limits = guardrails_of(*level);
  loop.governor.rollback = rollback_of(*level);
  loop.engine.knobs = loop.governor.knobs;
  loop.engine.limits = loop.governor.limits;
  loop.engine.strategy = *strategy;
  loop.window.span = 5 * options.interval;
  loop.window.settle_time = options.interval / 4;
  loop.governor.safe_mode.telemetry_timeout = std::max<duration>(10s, 20 * options.interval);
  return config;
}

class running_tuner final : public tuner {
public:
  running_tuner(std::string name, std::shared_ptr<service_plant> plant, std::unique_ptr<node> n,
                std::unique_ptr<http_server> api)
      : name_(std::move(name)), plant_(std::move(plant)), node_(std::move(n)), api_(std::move(api)) {}
  ~running_tuner() override { stop(); }

  void record(std::chrono::nanoseconds latency, bool ok) override { plant_->record(latency, ok); }
  void set_metric(const std::string& name, double value) override { plant_->set_metric(name, value); }
  void pause(const std::string& reason) override { command(operator_action::pause, reason); }
  void resume() override { command(operator_action::resume, ""); }
  void rollback(const std::string& reason) override { command(operator_action::rollback, reason); }
  void stop() override {
    if (api_) api_->stop();
    node_->stop();
  }

private:
  void command(operator_action action, const std::string& reason) {
    (void)node_->command(
        name_, {.action = action, .actor = "service", .text = reason, .values = {}, .override_bounds = false});
  }

  std::string name_;
  std::shared_ptr<service_plant> plant_;
  std::unique_ptr<node> node_;
  std::unique_ptr<http_server> api_;
};

} // namespace

std::expected<std::unique_ptr<tuner>, std::string> tuner::start(knob_registry& registry, const tuner_options& options) {
  atomic_config& live = registry.seal();
  auto config = configure(options, registry.knobs());
  if (!config) return std::unexpected(config.error());
  if (!options.api.empty()) {
    const auto colon = options.api.rfind(':');
    if (colon == std::string::npos)
      return std::unexpected("api is '" + options.api + "', expected an address like 127.0.0.1:8421");
    config->api_host = options.api.substr(0, colon);
    config->api_port = static_cast<std::uint16_t>(std::atoi(options.api.c_str() + colon + 1));
  }
  auto service = std::make_shared<service_plant>(registry.knobs(), live);
  auto n = node::start(std::move(*config), [&](const source_config&) -> std::expected<plant, std::string> {
    return plant{.sensor = service, .actuator = service};
  });
  if (!n) return std::unexpected(n.error());
  std::unique_ptr<http_server> api;
  if (!options.api.empty()) {
    auto served = serve_api(**n);
    if (!served) return std::unexpected(served.error());
    api = std::move(*served);
  }
  return std::make_unique<running_tuner>(options.name, std::move(service), std::move(*n), std::move(api));
}

} // namespace homeostat
