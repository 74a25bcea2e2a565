#include "runtime/gateway/openapi.hpp"

#include "messages/control.pb.h"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/version.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <map>
#include <set>

namespace homeostat {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + '"';
}

/// A JSON object under construction. Values are JSON already.
class object {
public:
  object& add(std::string_view key, const std::string& json) {
    text_ += (text_.empty() ? "" : ",") + json_text(key) + ":" + json;
    return *this;
  }
  object& text(std::string_view key, std::string_view value) { return add(key, json_text(value)); }
  [[nodiscard]] std::string json() const { return "{" + text_ + "}"; }

private:
  std::string text_;
};

template <class Range, class To> std::string array(const Range& items, To to) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ",") + to(item);
  return "[" + text + "]";
}

std::string reference(std::string_view kind, std::string_view name) {
  return object().text("$ref", "#/components/" + std::string(kind) + "/" + std::string(name)).json();
}

/// "homeostat.v1.DemoSummary.Part" -> "DemoSummary.Part"
std::string name_of_message(const Descriptor* d) {
  const std::string& full = d->full_name();
  const std::string& package = d->file()->package();
  return package.empty() ? full : full.substr(package.size() + 1);
}

/// The schema of one value of a field, without regard to repetition.
std::string value_schema(const FieldDescriptor* f) {
  switch (f->cpp_type()) {
  case FieldDescriptor::CPPTYPE_BOOL: return R"({"type":"boolean"})";
  case FieldDescriptor::CPPTYPE_INT32: return R"({"type":"integer","format":"int32"})";
  case FieldDescriptor::CPPTYPE_UINT32: return R"({"type":"integer","format":"int64","minimum":0})";
  case FieldDescriptor::CPPTYPE_INT64: return R"({"type":"string","format":"int64","pattern":"^-?[0-9]+$"})";
  case FieldDescriptor::CPPTYPE_UINT64: return R"({"type":"string","format":"uint64","pattern":"^[0-9]+$"})";
  case FieldDescriptor::CPPTYPE_FLOAT:
  case FieldDescriptor::CPPTYPE_DOUBLE:
    return R"({"oneOf":[{"type":"number"},{"type":"string","enum":["NaN","Infinity","-Infinity"]}]})";
  case FieldDescriptor::CPPTYPE_STRING:
    return f->type() == FieldDescriptor::TYPE_BYTES ? R"({"type":"string","contentEncoding":"base64"})"
                                                    : R"({"type":"string"})";
  case FieldDescriptor::CPPTYPE_ENUM: {
    std::vector<std::string> names;
    for (int i = 0; i < f->enum_type()->value_count(); ++i) names.push_back(f->enum_type()->value(i)->name());
    return object().text("type", "string").add("enum", array(names, json_text)).json();
  }
  case FieldDescriptor::CPPTYPE_MESSAGE:
    // Any JSON value is what google.protobuf.Value stands for.
    if (f->message_type()->full_name() == "google.protobuf.Value") return "{}";
    return reference("schemas", name_of_message(f->message_type()));
  }
  return "{}";
}

std::string field_schema(const FieldDescriptor* f) {
  if (f->is_map())
    return object()
        .text("type", "object")
        .add("additionalProperties", value_schema(f->message_type()->FindFieldByName("value")))
        .json();
  if (f->is_repeated()) return object().text("type", "array").add("items", value_schema(f)).json();
  return value_schema(f);
}

/// The message and everything it is made of, by name.
void collect(const Descriptor* d, std::map<std::string, const Descriptor*>& into) {
  if (d == nullptr || d->full_name() == "google.protobuf.Value") return;
  if (!d->options().map_entry() && !into.emplace(name_of_message(d), d).second) return;
  for (int i = 0; i < d->field_count(); ++i) collect(d->field(i)->message_type(), into);
}

/// @param answered  only an answer always has its fields: requests may leave out any.
std::string message_schema(const Descriptor* d, bool answered) {
  object properties;
  std::vector<std::string> present;
  for (int i = 0; i < d->field_count(); ++i) {
    const FieldDescriptor* f = d->field(i);
    properties.add(f->name(), field_schema(f));
    const bool single_message = f->message_type() != nullptr && !f->is_repeated();
    if (!f->has_optional_keyword() && !single_message) present.push_back(f->name());
  }
  object schema;
  schema.text("type", "object").add("additionalProperties", "false").add("properties", properties.json());
  if (answered && !present.empty()) schema.add("required", array(present, json_text));
  return schema.json();
}

/// What one status comes with: types and their schemas.
class bodies {
public:
  bodies& add(const std::string& type, const std::string& schema) {
    types_.add(type, object().add("schema", schema).json());
    return *this;
  }
  [[nodiscard]] std::string response(std::string_view text) const {
    return object().text("description", text).add("content", types_.json()).json();
  }
  [[nodiscard]] std::string json() const { return types_.json(); }

private:
  object types_;
};

constexpr std::pair<unsigned, const char*> problem_texts[] = {
    {400, "The request is not what this takes."},
    {401, "No valid token."},
    {403, "The token's role lacks the permission."},
    {404, "There is no such thing."},
    {409, "Refused in the present state, or the same request is being carried out."},
    {413, "The body is above 64 KiB."},
    {431, "The headers are above 16 KiB."},
    {412, "Somebody else changed it meanwhile."},
    {422, "The idempotency key belongs to another request."},
    {429, "Too many requests; see Retry-After."},
    {503, "No answer now; try again."},
};

std::string text_of_problem(unsigned status) {
  for (const auto& [known, text] : problem_texts)
    if (known == status) return text;
  return "Refused.";
}

std::string parameters_of(const api_route& route) {
  std::vector<std::string> all;
  const auto parameter = [&](std::string_view name, std::string_view in, bool required, std::string_view text) {
    object p;
    p.text("name", name).text("in", in).add("required", required ? "true" : "false");
    if (!text.empty()) p.text("description", text);
    all.push_back(p.add("schema", R"({"type":"string"})").json());
  };
  for (std::size_t at = route.path.find('{'); at != std::string::npos; at = route.path.find('{', at + 1))
    parameter(route.path.substr(at + 1, route.path.find('}', at) - at - 1), "path", true, "");
  for (const query_key& key : route.query) parameter(key.name, "query", false, key.text);
  if (route.method == "POST")
    parameter("Idempotency-Key", "header", false, "the same request under the same key is carried out once in 24 h");
  return array(all, [](const std::string& json) { return json; });
}

std::string responses_of(const api_route& route) {
  object responses;
  const std::string body = route.answers != nullptr ? reference("schemas", name_of_message(route.answers))
                           : route.content_type == "application/json" ? R"({"type":"object"})"
                                                                      : R"({"type":"string"})";
  responses.add(std::to_string(route.success), bodies().add(route.content_type, body).response("As asked."));
  std::set<unsigned> statuses(route.problems.begin(), route.problems.end());
  statuses.insert({400, 429, 431, 503});
  if (route.needs) statuses.insert({401, 403});
  if (route.method == "POST") statuses.insert({409, 413, 422});
  statuses.insert(route.refusals.begin(), route.refusals.end());
  for (const unsigned status : statuses) {
    bodies with;
    with.add("application/problem+json", reference("schemas", "Problem"));
    if (std::ranges::find(route.refusals, status) != route.refusals.end()) with.add(route.content_type, body);
    responses.add(std::to_string(status), with.response(text_of_problem(status)));
  }
  return responses.json();
}

std::string operation_of(const api_route& route) {
  object operation;
  operation.text("summary", route.text);
  const std::string needs(route.needs ? name_of(*route.needs) : "");
  // Roles are not OAuth scopes, yet OpenAPI 3.1 allows their names here for any scheme.
  operation.add("security", route.needs ? "[{\"token\":[" + json_text(needs) + "]}]" : "[]");
  if (route.needs) operation.text("x-permission", needs);
  operation.add("parameters", parameters_of(route));
  if (route.takes != nullptr)
    operation.add(
        "requestBody",
        object()
            .add("content", bodies().add("application/json", reference("schemas", name_of_message(route.takes))).json())
            .json());
  return operation.add("responses", responses_of(route)).json();
}

} // namespace

std::string openapi_document(const std::vector<api_route>& routes) {
  std::map<std::string, const Descriptor*> answered, taken;
  std::map<std::string, std::map<std::string, std::string>> paths;
  collect(v1::Problem::descriptor(), answered);
  for (const api_route& route : routes) {
    collect(route.answers, answered);
    collect(route.takes, taken);
    std::string method = route.method;
    std::ranges::transform(method, method.begin(), [](char c) { return static_cast<char>(c | 0x20); });
    paths[route.path][method] = operation_of(route);
  }
  object path_items;
  for (const auto& [path, operations] : paths) {
    object item;
    for (const auto& [method, operation] : operations) item.add(method, operation);
    path_items.add(path, item.json());
  }
  object schemas;
  for (const auto& [name, d] : answered) schemas.add(name, message_schema(d, !taken.contains(name)));
  for (const auto& [name, d] : taken)
    if (!answered.contains(name)) schemas.add(name, message_schema(d, false));
  const std::string token = object().text("type", "http").text("scheme", "bearer").json();
  const std::string components =
      object().add("schemas", schemas.json()).add("securitySchemes", object().add("token", token).json()).json();
  return object()
      .text("openapi", "3.1.0")
      .add("info", object().text("title", "Homeostat").text("version", version).json())
      .add("paths", path_items.json())
      .add("components", components)
      .json();
}

void add_openapi_route(router& r) {
  const auto document = std::make_shared<std::string>();
  r.add({.method = "GET",
         .path = "/openapi.json",
         .text = "This description.",
         .needs = permission::read,
         .handle = [document](const api_request&) { return http_response{.status = 200, .body = *document}; }});
  *document = openapi_document(r.routes());
}

} // namespace homeostat
