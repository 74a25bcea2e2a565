#include "runtime/node/plants.hpp"

#include "runtime/plants/cache/cache_demo.hpp"
#include "runtime/plants/command/command_plant.hpp"
#include "runtime/plants/pgbouncer/pgbouncer_plant.hpp"

#include <type_traits>

namespace homeostat {

namespace {

plant plant_of(const command_source& source) {
  auto p = std::make_shared<command_plant>(source.sense, source.apply, source.read_back);
  return {.sensor = p, .actuator = p};
}

plant plant_of(const pgbouncer_source& source) {
  pgbouncer_settings settings;
  settings.console = "host=" + source.host + " port=" + std::to_string(source.port) + " user=" + source.user;
  if (source.password_file) settings.console += " passfile='" + *source.password_file + "'";
  settings.database = source.database;
  if (source.client_progress_file) settings.client_progress = *source.client_progress_file;
  auto p = std::make_shared<pgbouncer_plant>(std::move(settings));
  return {.sensor = p, .actuator = p};
}

plant plant_of(const cache_demo_source& source) {
  auto demo = std::make_shared<cache::cache_demo>(
      cache::demo_settings{.rate_scale = source.rate_scale, .cycle = source.cycle, .seed = source.seed});
  return {.sensor = std::shared_ptr<plant_sensor>(demo, &demo->tuned()),
          .actuator = std::shared_ptr<plant_actuator>(demo, &demo->tuned())};
}

/// The node makes these itself: it has the pools.
std::expected<plant, std::string> plant_of(const transfer_pool_source& source) {
  return std::unexpected("Pool " + source.pool + " is not one of this node");
}

} // namespace

std::expected<plant, std::string> make_plant(const source_config& source) {
  return std::visit([](const auto& what) -> std::expected<plant, std::string> { return plant_of(what); }, source.what);
}

} // namespace homeostat
