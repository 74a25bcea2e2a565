#pragma once

#include "policies/learning/forest.hpp"

#include <string_view>

namespace homeostat {

/// Reads a model that XGBoost 1.7 saved as JSON.
///
/// XGBoost believes what it loads: a child index out of range ends the process, a loop never ends, a feature that does
/// not exist gives numbers. So every array's length, every index and every number is checked here
/// (model_structure.hpp), and only what passed may be handed to the library. Accepted: boosted trees, objectives
/// reg:squarederror and binary:logistic, one output, numeric splits; nothing else comes from our trainer.
/// @returns the trees with the base in margin form, or one sentence that says what is wrong and where.
[[nodiscard]] std::expected<model_structure, std::string> read_xgboost_json(std::string_view json);

/// @returns the forest of a model in XGBoost's JSON, or what is wrong with it.
[[nodiscard]] std::expected<forest, std::string> forest_from_json(std::string_view json);

} // namespace homeostat
