#include "runtime/plants/cache/cache_demo.hpp"

namespace homeostat::cache {

cache_demo::cache_demo(const demo_settings& settings) : tuned_(clock_) {
  std::vector<request_sink*> sinks{&tuned_.service};
  if (settings.with_control) {
    control_ = std::make_unique<instance>(clock_);
    sinks.push_back(&control_->service);
  }
  traffic_settings traffic;
  traffic.seed = settings.seed;
  traffic.cycle = settings.cycle;
  for (regime_shape& shape : traffic.shapes) shape.rate_per_s *= settings.rate_scale;
  traffic_ = std::make_unique<traffic_source>(traffic, std::move(sinks), clock_);
}

cache_demo::~cache_demo() {
  traffic_->stop();
  tuned_.service.stop();
  if (control_) control_->service.stop();
}

} // namespace homeostat::cache
