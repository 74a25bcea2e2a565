#pragma once

#include "runtime/gateway/router.hpp"

#include <string>

namespace homeostat {

/// @returns the OpenAPI 3.1 description of a table of routes, as JSON. Bodies are described from the Protobuf schema by
/// its JSON mapping as this API writes it: fields under their schema's names and always present but for `optional`
/// ones, 64-bit integers as strings, doubles as numbers or "NaN", "Infinity", "-Infinity".
[[nodiscard]] std::string openapi_document(const std::vector<api_route>& routes);

} // namespace homeostat
