#pragma once

#include "runtime/config/config.hpp"
#include "runtime/node/node.hpp"
#include "tests/runtime/gateway/scratch_folder.hpp"

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

namespace homeostat::testing {

/// The plant that answers at once, and always the same.
struct still_plant final : plant_sensor, plant_actuator {
  std::expected<reading, plant_error> read(instant now, duration) override {
    return reading{.begin = now - 1ms, .end = now, .sample_count = 10, .metrics = {{"latency_mean_ms", 5}}};
  }
  std::expected<named_values, plant_error> apply(const named_values& wanted, duration) override {
    const std::lock_guard lock(mutex);
    return values = wanted;
  }
  std::expected<named_values, plant_error> read_back(duration) override {
    const std::lock_guard lock(mutex);
    return values;
  }
  std::mutex mutex;
  named_values values{{"workers", 8}};
};

/// A real node with one loop `web` of one knob `workers` (integer, 1..64) over that plant, and a store of its own.
class still_node {
public:
  still_node() {
    auto config = load_config_text("node.yaml", R"(apiVersion: homeostat/v1
kind: Node
metadata: {name: n}
spec: {store: {path: )" + (folder_.path / "audit.db").string() +
                                                    R"(}, api: {listen: "127.0.0.1:0"}}
---
apiVersion: homeostat/v1
kind: Source
metadata: {name: demo}
spec: {command: {sense: [none], apply: [none], read_back: [none]}} # stands for the plant above
---
apiVersion: homeostat/v1
kind: Loop
metadata: {name: web}
spec:
  source: demo
  objective: {minimize: latency_mean_ms}
  knobs: [{name: workers, type: integer, min: 1, max: 64, default: 8}]
)");
    if (!config) throw std::runtime_error(to_string(config.error().front()));
    auto started = node::start(std::move(*config), [](const source_config&) -> std::expected<plant, std::string> {
      const auto target = std::make_shared<still_plant>();
      return plant{.sensor = target, .actuator = target};
    });
    if (!started) throw std::runtime_error(started.error());
    node_ = std::move(*started);
  }
  ~still_node() { node_->stop(); }
  still_node(const still_node&) = delete;
  still_node& operator=(const still_node&) = delete;

  [[nodiscard]] node* get() const { return node_.get(); }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path; }

private:
  scratch_folder folder_;
  std::unique_ptr<node> node_;
};

} // namespace homeostat::testing
