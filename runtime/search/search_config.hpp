#pragma once

#include "policies/search/solver.hpp"

#include <google/protobuf/struct.pb.h>

#include <expected>
#include <string>

namespace homeostat {

/// Reads the configuration of a batch search. JSON:
/// {"seed":42, "budget":100, "bounds":{"x":{"min":-5,"max":5,"scale":"linear","type":"continuous","step":0.5,
///  "default":0}, "mode":{"categories":["a","b"]}}, "probe_ratio":0.2, "batch_size":1, "strategy":"auto",
///  "strategy_params":{}, "history_cap":10000}. Only `bounds` is required. scale: linear, log or periodic, in any case
/// of letters; type: continuous, integer, boolean or categorical. Knobs are taken in the alphabetical order of names.
/// @returns the settings, or one sentence: the key's path, its value and the expected form. Unknown keys are errors.
[[nodiscard]] std::expected<solver_settings, std::string> read_search_config(const std::string& json);

/// @returns a number as it stands in a message: `"abc"`, `12`, `null`, `[...]`.
[[nodiscard]] std::string shown(const google::protobuf::Value& value);

} // namespace homeostat
