#pragma once

#include "runtime/config/config.hpp"
#include "runtime/node/plant_ports.hpp"

#include <expected>
#include <functional>
#include <string>

namespace homeostat {

/// Makes the plant behind a configured source, or says in one sentence why it cannot.
using plant_factory = std::function<std::expected<plant, std::string>(const source_config&)>;

/// The plants a daemon knows: programs, PgBouncer, the embedded cache service.
[[nodiscard]] std::expected<plant, std::string> make_plant(const source_config& source);

} // namespace homeostat
