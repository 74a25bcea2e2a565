// /openapi.json against the real server: what it promises is what is answered.
#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "runtime/gateway/access.hpp"
#include "runtime/gateway/api.hpp"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/gateway/event_hub.hpp"
#include "runtime/gateway/http_client.hpp"
#include "tests/runtime/gateway/still_node.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/struct.pb.h>

#include <set>

namespace homeostat {
namespace {

using google::protobuf::Struct, google::protobuf::Value;

/// @returns the value at a path of keys; an empty one where there is none.
Value at(Value from, std::initializer_list<std::string> keys) {
  for (const std::string& key : keys) {
    const auto& fields = from.struct_value().fields();
    if (!fields.contains(key)) return {};
    from = Value(fields.at(key));
  }
  return from;
}
bool has(const Value& from, const std::string& key) { return from.struct_value().fields().contains(key); }

class OpenApi : public ::testing::Test {
protected:
  OpenApi() {
    server = serve_api(*n).value();
    address = "127.0.0.1:" + std::to_string(server->port());
    Struct document;
    if (auto ok = from_json(http_fetch(address, "GET", "/openapi.json").value().body, document); !ok)
      throw std::runtime_error(ok.error());
    *root.mutable_struct_value() = document;
  }
  ~OpenApi() override { server->stop(); }
  /// Checks that a text is the JSON that a schema of the document describes, by the message of that name.
  static void expect_message(const std::string& text, const std::string& reference) {
    const std::string name = "homeostat.v1." + reference.substr(reference.rfind('/') + 1);
    const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
    ASSERT_NE(descriptor, nullptr) << name;
    google::protobuf::DynamicMessageFactory factory;
    const std::unique_ptr<google::protobuf::Message> message(factory.GetPrototype(descriptor)->New());
    const auto parsed = from_json(text, *message);
    EXPECT_TRUE(parsed) << name << ": " << parsed.error() << "\n" << text;
  }
  /// Checks a value against a schema of the document: the part of JSON Schema that the document uses.
  void expect_fits(const Value& value, const Value& schema, const std::string& where) {
    if (has(schema, "$ref")) {
      const std::string reference = at(schema, {"$ref"}).string_value();
      const std::string name = reference.substr(reference.rfind('/') + 1);
      const Value target = at(root, {"components", "schemas", name});
      ASSERT_TRUE(target.has_struct_value()) << where << ": " << reference << " leads nowhere";
      return expect_fits(value, target, where);
    }
    if (has(schema, "oneOf")) { // doubles
      EXPECT_TRUE(value.has_number_value() || value.has_string_value()) << where;
      return;
    }
    const std::string type = at(schema, {"type"}).string_value();
    EXPECT_TRUE(type != "boolean" || value.has_bool_value()) << where;
    EXPECT_TRUE(type != "integer" || value.has_number_value()) << where;
    EXPECT_TRUE(type != "string" || value.has_string_value()) << where;
    if (type == "array") {
      ASSERT_TRUE(value.has_list_value()) << where;
      for (const Value& item : value.list_value().values()) expect_fits(item, at(schema, {"items"}), where + "[]");
    }
    if (type != "object") return;
    ASSERT_TRUE(value.has_struct_value()) << where;
    for (const auto& [key, part] : value.struct_value().fields()) {
      const bool named = has(at(schema, {"properties"}), key);
      EXPECT_TRUE(named || at(schema, {"additionalProperties"}).has_struct_value()) << where << "." << key;
      expect_fits(part, named ? at(schema, {"properties", key}) : at(schema, {"additionalProperties"}),
                  where + "." + key);
    }
    const Value required_keys = at(schema, {"required"}); // not in the loop's head: g++ 12 would not keep it alive
    for (const Value& required : required_keys.list_value().values())
      EXPECT_TRUE(has(value, required.string_value())) << where << " lacks " << required.string_value();
  }

  testing::still_node still;
  node* n{still.get()};
  std::unique_ptr<http_server> server;
  std::string address;
  Value root;
};

TEST_F(OpenApi, HasEveryRouteOfTheTableAndNoOther) {
  const auto hub = event_hub::make("e");
  const auto access = std::make_shared<access_control>(nullptr, [](audit_record) {}, [] { return instant{}; });
  router table;
  add_all_routes(table, *n, hub, access);
  std::set<std::string> wanted, found;
  for (const api_route& route : table.routes()) wanted.insert(route.method + " " + route.path);
  const Value paths = at(root, {"paths"});
  for (const auto& [path, item] : paths.struct_value().fields())
    for (const auto& [method, operation] : item.struct_value().fields())
      found.insert((method == "get" ? "GET " : method == "post" ? "POST " : method + " ") + path);
  EXPECT_EQ(found, wanted);
  for (const api_route& route : table.routes()) EXPECT_FALSE(route.text.empty()) << route.path;
}

TEST_F(OpenApi, EveryPathAnswersAsDocumented) {
  const Value paths = at(root, {"paths"});
  std::size_t messages = 0;
  for (const auto& [path, item] : paths.struct_value().fields())
    for (const auto& [method, operation] : item.struct_value().fields()) {
      const Value responses = at(operation, {"responses"});
      if (has(at(responses, {"200", "content"}), "text/event-stream")) continue; // has no end: see the e2e test
      for (const char* loop : {"web", "nothing%20here"}) {
        std::string target = path;
        for (auto open = target.find('{'); open != std::string::npos; open = target.find('{'))
          target.replace(open, target.find('}') - open + 1, loop);
        SCOPED_TRACE(method + " " + target);
        const auto answer = http_fetch(address, method == "post" ? "POST" : "GET", target);
        ASSERT_TRUE(answer) << answer.error();
        const std::string status = std::to_string(answer->status);
        ASSERT_TRUE(has(responses, status)) << status << " is not documented: " << answer->body;
        const std::string type = answer->content_type.substr(0, answer->content_type.find(';'));
        const Value content = at(responses, {status, "content", type});
        ASSERT_TRUE(has(content, "schema")) << status << " as " << type << " is not documented";
        if (!has(at(content, {"schema"}), "$ref")) continue;
        ++messages;
        expect_message(answer->body, at(content, {"schema", "$ref"}).string_value());
        Struct body;
        ASSERT_TRUE(from_json(answer->body, body));
        Value value;
        *value.mutable_struct_value() = body;
        expect_fits(value, at(content, {"schema"}), target);
      }
      const std::string here = path.substr(0, path.find('{')) + (path.contains('{') ? "web" : "") +
                               path.substr(path.contains('}') ? path.find('}') + 1 : path.size());
      const auto unknown = http_fetch(address, method == "post" ? "POST" : "GET", here + "?no_such_key=1");
      ASSERT_TRUE(unknown) << unknown.error();
      EXPECT_EQ(unknown->status, 400U) << here;
    }
  EXPECT_GE(messages, 14U) << "two answers of each path that has a message";
}

TEST_F(OpenApi, WhatIsMadeIsA201) {
  for (const char* path : {"/api/v1/proposals", "/api/v1/recommendations"}) {
    const auto made = http_fetch(address, "POST", path, R"({"changes":[{"loop":"web","knobs":{"workers":9}}]})");
    ASSERT_TRUE(made) << made.error();
    EXPECT_EQ(made->status, 201U) << made->body;
    const Value content = at(root, {"paths", path, "post", "responses", "201", "content", "application/json"});
    ASSERT_TRUE(has(at(content, {"schema"}), "$ref")) << path;
    expect_message(made->body, at(content, {"schema", "$ref"}).string_value());
    EXPECT_FALSE(has(at(root, {"paths", path, "post", "responses"}), "200")) << path;
  }
}

TEST_F(OpenApi, NamesThePermissionOfEveryGuardedPath) {
  const Value paths = at(root, {"paths"});
  EXPECT_EQ(at(paths, {"/api/v1/status", "get", "x-permission"}).string_value(), "read");
  EXPECT_EQ(at(paths, {"/api/v1/loops/{loop}/rollback", "post", "x-permission"}).string_value(), "command");
  EXPECT_FALSE(has(at(paths, {"/healthz", "get"}), "x-permission"));
  EXPECT_TRUE(has(at(paths, {"/api/v1/status", "get", "responses"}), "401"));
  EXPECT_FALSE(has(at(paths, {"/healthz", "get", "responses"}), "401"));
}

TEST_F(OpenApi, WideIntegersAreStrings) {
  const Value loop = at(root, {"components", "schemas", "LoopStatus", "properties"});
  EXPECT_EQ(at(loop, {"applied", "type"}).string_value(), "string");
  EXPECT_EQ(at(loop, {"rejected", "additionalProperties", "type"}).string_value(), "string");
  EXPECT_EQ(at(root, {"components", "schemas", "Problem", "properties", "status", "type"}).string_value(), "integer");
}

} // namespace
} // namespace homeostat
