#include "runtime/search/result_json.hpp"

#include "policies/number_text.hpp"
#include "runtime/config/scalar_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace homeostat {

using google::protobuf::Struct;
using google::protobuf::Value;

namespace {

std::string plain_text(const Value& value) {
  if (value.has_string_value()) return value.string_value();
  if (value.has_bool_value()) return value.bool_value() ? "true" : "false";
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value.number_value()).ptr};
}

std::expected<double, std::string> read_param(const search_space& space, const std::string& name, const Value& value) {
  const auto knob = std::ranges::find(space.knobs(), name, &knob_spec::name);
  if (value.has_number_value()) return value.number_value();
  if (knob != space.knobs().end() && knob->type == knob_type::boolean && value.has_bool_value())
    return value.bool_value() ? 1 : 0;
  if (knob != space.knobs().end() && knob->type == knob_type::categorical && value.has_string_value()) {
    const auto found = std::ranges::find(knob->categories, value.string_value());
    if (found != knob->categories.end()) return static_cast<double>(found - knob->categories.begin());
    return std::unexpected(name + " is " + shown(value) + ", expected one of its categories");
  }
  return std::unexpected(name + " is " + shown(value) + ", expected a number");
}

} // namespace

Value& field(Struct& object, const char* name) { return (*object.mutable_fields())[name]; }

std::string shown(const Value& value) {
  switch (value.kind_case()) {
  case Value::kNumberValue: return number_text(value.number_value());
  case Value::kStringValue: return '"' + yaml::shown(value.string_value()) + '"';
  case Value::kBoolValue: return value.bool_value() ? "true" : "false";
  case Value::kListValue: return "a list";
  case Value::kStructValue: return "an object";
  default: return "null";
  }
}

std::map<std::string, std::string> plain_params(const Struct& params) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : params.fields()) out[name] = plain_text(value);
  return out;
}

void write_params(const search_space& space, std::span<const double> values, Struct& into) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const knob_spec& knob = space.knobs()[i];
    Value& value = (*into.mutable_fields())[knob.name];
    if (knob.type == knob_type::categorical)
      value.set_string_value(knob.categories[static_cast<std::size_t>(values[i])]);
    else if (knob.type == knob_type::boolean)
      value.set_bool_value(values[i] != 0);
    else
      value.set_number_value(values[i]);
  }
}

std::expected<named_result, std::string> read_result(const search_space& space, const Value& value) {
  if (!value.has_struct_value()) return std::unexpected("a result is " + shown(value) + ", expected an object");
  named_result result;
  bool params = false;
  bool measured = false;
  for (const auto& [key, part] : value.struct_value().fields()) {
    if (key == "params") {
      if (!part.has_struct_value()) return std::unexpected("params is " + shown(part) + ", expected an object");
      for (const auto& [name, number] : part.struct_value().fields()) {
        const auto read = read_param(space, name, number);
        if (!read) return std::unexpected(read.error());
        result.values[name] = *read;
      }
      params = true;
    } else if (key == "value" || key == "cost") {
      if (!part.has_number_value()) return std::unexpected(key + " is " + shown(part) + ", expected a finite number");
      (key == "value" ? result.value : result.cost) = part.number_value();
      measured = measured || key == "value";
    } else {
      return std::unexpected("'" + key + "' is not a key of a result, expected params, value or cost");
    }
  }
  if (!params) return std::unexpected("params is missing in a result");
  if (!measured) return std::unexpected("value is missing in a result");
  return result;
}

} // namespace homeostat
