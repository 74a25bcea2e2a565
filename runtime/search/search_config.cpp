#include "runtime/search/search_config.hpp"

#include "messages/json.hpp"
#include "policies/number_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace homeostat {

namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using done = std::expected<void, std::string>;

std::unexpected<std::string> wrong(const std::string& path, const Value& value, const std::string& expected) {
  return std::unexpected(path + " is " + shown(value) + ", expected " + expected);
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// In a fixed order: a Protobuf map has none.
std::map<std::string, Value> sorted(const Struct& object) { return {object.fields().begin(), object.fields().end()}; }

done read_number(const std::string& path, const Value& value, double& into) {
  if (!value.has_number_value() || !std::isfinite(value.number_value())) return wrong(path, value, "a finite number");
  into = value.number_value();
  return {};
}

template <class Whole> done read_whole(const std::string& path, const Value& value, Whole& into) {
  constexpr double largest = 0x1p53;
  const double number = value.has_number_value() ? value.number_value() : -1;
  if (!(number >= 0 && number <= largest) || number != std::floor(number))
    return wrong(path, value, "a whole number from 0 to 2^53");
  into = static_cast<Whole>(number);
  return {};
}

template <class Enum, std::size_t N>
done read_name(const std::string& path, const Value& value,
               const std::array<std::pair<std::string_view, Enum>, N>& names, Enum& into) {
  std::string expected;
  for (const auto& [name, meaning] : names) {
    if (value.has_string_value() && lower(value.string_value()) == name) {
      into = meaning;
      return {};
    }
    expected += (expected.empty() ? "" : ", ") + std::string(name);
  }
  return wrong(path, value, "one of " + expected);
}

constexpr std::array scale_names{std::pair{std::string_view("linear"), knob_scale::linear},
                                 std::pair{std::string_view("log"), knob_scale::log},
                                 std::pair{std::string_view("periodic"), knob_scale::periodic}};
constexpr std::array type_names{std::pair{std::string_view("continuous"), knob_type::continuous},
                                std::pair{std::string_view("integer"), knob_type::integer},
                                std::pair{std::string_view("boolean"), knob_type::boolean},
                                std::pair{std::string_view("categorical"), knob_type::categorical}};

done read_categories(const std::string& path, const Value& value, knob_spec& knob) {
  if (!value.has_list_value()) return wrong(path, value, "a list of names");
  for (const Value& name : value.list_value().values()) {
    if (!name.has_string_value()) return wrong(path, name, "a name in quotes");
    if (std::ranges::find(knob.categories, name.string_value()) != knob.categories.end())
      return wrong(path, name, "different names");
    knob.categories.push_back(name.string_value());
  }
  return {};
}

done read_field(const std::string& path, const std::string& key, const Value& value, knob_spec& knob) {
  if (key == "min") return read_number(path, value, knob.min);
  if (key == "max") return read_number(path, value, knob.max);
  if (key == "default") return read_number(path, value, knob.initial);
  if (key == "step") return read_number(path, value, knob.step.emplace());
  if (key == "scale") return read_name(path, value, scale_names, knob.scale);
  if (key == "type") return read_name(path, value, type_names, knob.type);
  if (key == "categories") return read_categories(path, value, knob);
  return std::unexpected(path + " is not a key, expected min, max, scale, type, step, default or categories");
}

std::expected<knob_spec, std::string> read_knob(const std::string& name, const Value& value) {
  const std::string path = "bounds." + name;
  if (!value.has_struct_value()) return wrong(path, value, R"(an object such as {"min":0,"max":1})");
  knob_spec knob;
  knob.name = name;
  const auto fields = sorted(value.struct_value());
  for (const auto& [key, field] : fields)
    if (auto read = read_field(path + "." + key, key, field, knob); !read) return std::unexpected(read.error());
  if (!fields.contains("type") && fields.contains("categories")) knob.type = knob_type::categorical;
  if (is_ordered(knob))
    for (const char* bound : {"min", "max"})
      if (!fields.contains(bound)) return std::unexpected(path + "." + bound + " is missing, expected a number");
  if (knob.type == knob_type::categorical && !fields.contains("max") && !knob.categories.empty())
    knob.max = static_cast<double>(knob.categories.size() - 1);
  if (!fields.contains("default")) knob.initial = knob.min < knob.max ? value_at(knob, 0.5) : knob.min;
  if (auto sound = check(knob); !sound) return std::unexpected(path + ": " + sound.error());
  return knob;
}

done read_bounds(const Value& value, solver_settings& into) {
  if (!value.has_struct_value() || value.struct_value().fields().empty())
    return wrong("bounds", value, "an object with one entry for each knob");
  for (const auto& [name, field] : sorted(value.struct_value())) {
    auto knob = read_knob(name, field);
    if (!knob) return std::unexpected(knob.error());
    into.space.push_back(std::move(*knob));
  }
  return {};
}

done read_params(const Value& value, solver_settings& into) {
  if (!value.has_struct_value()) return wrong("strategy_params", value, "an object of numbers");
  for (const auto& [name, field] : sorted(value.struct_value()))
    if (auto read = read_number("strategy_params." + name, field, into.strategy_params[name]); !read) return read;
  return {};
}

done read_key(const std::string& key, const Value& value, solver_settings& into) {
  if (key == "bounds") return read_bounds(value, into);
  if (key == "seed") return read_whole(key, value, into.seed);
  if (key == "budget") return read_whole(key, value, into.budget.emplace());
  if (key == "probe_ratio") return read_number(key, value, into.probe_ratio);
  if (key == "batch_size") return read_whole(key, value, into.batch_size);
  if (key == "history_cap") return read_whole(key, value, into.history_cap);
  if (key == "strategy_params") return read_params(value, into);
  if (key == "strategy") {
    if (!value.has_string_value()) return wrong(key, value, "a name in quotes");
    into.strategy = value.string_value();
    return {};
  }
  return std::unexpected(key + " is not a key, expected bounds, seed, budget, probe_ratio, batch_size, strategy, "
                               "strategy_params or history_cap");
}

} // namespace

std::string shown(const Value& value) {
  switch (value.kind_case()) {
  case Value::kNumberValue: return number_text(value.number_value());
  case Value::kStringValue: return '"' + value.string_value() + '"';
  case Value::kBoolValue: return value.bool_value() ? "true" : "false";
  case Value::kListValue: return "a list";
  case Value::kStructValue: return "an object";
  default: return "null";
  }
}

std::expected<solver_settings, std::string> read_search_config(const std::string& json) {
  Struct object;
  if (auto parsed = from_json(json, object); !parsed)
    return std::unexpected("the configuration is not a JSON object: " + parsed.error());
  solver_settings settings;
  for (const auto& [key, value] : sorted(object))
    if (auto read = read_key(key, value, settings); !read) return std::unexpected(read.error());
  if (settings.space.empty())
    return std::unexpected("bounds is missing, expected an object with one entry for each knob");
  return settings;
}

} // namespace homeostat
