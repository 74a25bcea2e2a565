#pragma once

#include "policies/search/space.hpp"
#include "policies/search/trial.hpp"

#include <google/protobuf/struct.pb.h>

#include <expected>
#include <map>
#include <span>
#include <string>

namespace homeostat {

/// @returns that field of a JSON object, made if it is not there.
google::protobuf::Value& field(google::protobuf::Struct& object, const char* name);

/// @returns a JSON value as it stands in a message: `"abc"`, `12`, `null`, `a list`.
[[nodiscard]] std::string shown(const google::protobuf::Value& value);

/// Writes values under their knobs' names: categories by name, booleans as true and false.
void write_params(const search_space& space, std::span<const double> values, google::protobuf::Struct& into);

/// @returns parameters as people write them, by name: no quotes, numbers in the shortest form that reads back exactly.
[[nodiscard]] std::map<std::string, std::string> plain_params(const google::protobuf::Struct& params);

/// Reads {"params": {..}, "value": 0.5, "cost": 1}; cost is optional, categories go by name or index.
/// @returns the result, or what is wrong with which key.
[[nodiscard]] std::expected<named_result, std::string> read_result(const search_space& space,
                                                                   const google::protobuf::Value& value);

} // namespace homeostat
