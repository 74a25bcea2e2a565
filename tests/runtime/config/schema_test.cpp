#include "runtime/config/readers.hpp"

#include <gmock/gmock.h>
#include <yaml-cpp/yaml.h>

#include <set>
#include <string>

// The JSON Schema that editors use is written by hand. These tests keep it to what the loader knows.
namespace homeostat::yaml {
namespace {

const YAML::Node& schema() {
  static const YAML::Node node = YAML::LoadFile(HOMEOSTAT_SOURCE_DIR "/deploy/schema/homeostat-v1.json");
  return node;
}

std::set<std::string> keys_in(const YAML::Node& mapping) {
  std::set<std::string> keys;
  for (const auto& pair : mapping) keys.insert(pair.first.as<std::string>());
  return keys;
}

std::set<std::string> texts_in(const YAML::Node& list) {
  std::set<std::string> texts;
  for (const auto& item : list) texts.insert(item.as<std::string>());
  return texts;
}

TEST(Schema, EveryMappingHasTheKeysTheLoaderKnows) {
  for (const key_table* table : all_key_tables()) {
    const YAML::Node entry = schema()["$defs"][std::string(table->name)];
    ASSERT_TRUE(entry) << table->name;
    std::set<std::string> known;
    std::set<std::string> required;
    for (const key& k : table->keys) {
      if (!k.refused.empty()) continue;
      known.insert(std::string(k.name));
      if (!k.form.empty()) required.insert(std::string(k.name));
    }
    EXPECT_EQ(keys_in(entry["properties"]), known) << table->name;
    EXPECT_EQ(texts_in(entry["required"]), required) << table->name;
    EXPECT_EQ(entry["additionalProperties"].as<std::string>(), "false") << table->name;
  }
}

TEST(Schema, EveryMappingOfTheSchemaIsKnownToTheLoader) {
  std::set<std::string> known;
  for (const key_table* table : all_key_tables()) known.insert(std::string(table->name));
  std::set<std::string> found;
  for (const auto& entry : schema()["$defs"])
    if (entry.second["properties"]) found.insert(entry.first.as<std::string>());
  EXPECT_EQ(found, known);
}

TEST(Schema, EveryChoiceHasTheWordsTheLoaderKnows) {
  std::set<std::string> known;
  for (const word_set* set : all_word_sets()) {
    known.insert(std::string(set->name));
    std::set<std::string> words;
    for (std::string_view word : set->words) words.insert(std::string(word));
    EXPECT_EQ(texts_in(schema()["$defs"][std::string(set->name)]["enum"]), words) << set->name;
  }
  std::set<std::string> found;
  for (const auto& entry : schema()["$defs"])
    if (entry.second["enum"]) found.insert(entry.first.as<std::string>());
  EXPECT_EQ(found, known);
}

void collect_references(const YAML::Node& node, std::set<std::string>& into) {
  for (const auto& item : node) {
    if (node.IsMap() && item.first.as<std::string>() == "$ref") into.insert(item.second.as<std::string>());
    collect_references(node.IsMap() ? item.second : static_cast<const YAML::Node&>(item), into);
  }
}

TEST(Schema, EveryReferenceLeadsSomewhereAndEveryDefinitionIsUsed) {
  std::set<std::string> references;
  collect_references(schema(), references);
  std::set<std::string> definitions;
  for (const std::string& name : keys_in(schema()["$defs"])) definitions.insert("#/$defs/" + name);
  EXPECT_EQ(references, definitions);
}

TEST(Schema, EveryKindHasItsSpec) {
  std::set<std::string> kinds;
  for (const auto& rule : schema()["$defs"]["document"]["allOf"]) {
    const std::string kind = rule["if"]["properties"]["kind"]["const"].as<std::string>();
    kinds.insert(kind);
    std::string spec = kind;
    spec[0] = static_cast<char>(spec[0] - 'A' + 'a');
    EXPECT_EQ(rule["then"]["properties"]["spec"]["$ref"].as<std::string>(), "#/$defs/" + spec);
  }
  std::set<std::string> known;
  for (std::string_view word : kind_words().words) known.insert(std::string(word));
  EXPECT_EQ(kinds, known);
}

} // namespace
} // namespace homeostat::yaml
