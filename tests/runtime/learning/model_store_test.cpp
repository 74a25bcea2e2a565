// Model files: what was saved comes back; anything else is an error with file and reason, never a crash.
#include "runtime/learning/model_store.hpp"
#include "runtime/learning/stored_model.pb.h"
#include "tests/runtime/learning/small_model.hpp"
#include "tests/runtime/store/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <openssl/sha.h>

#include <fstream>
#include <functional>

namespace homeostat {
namespace {

using testing::HasSubstr;

const stored_model& sample() {
  static const stored_model model = small_model();
  return model;
}
void write(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A file with a right checksum around whatever body: somebody meant it.
std::string sealed(const std::string& body) {
  std::string bytes = encode_model_file(sample()).substr(0, 12);
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(body.size() >> (8 * i)));
  unsigned char digest[32];
  SHA256(reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest);
  return bytes.append(reinterpret_cast<const char*>(digest), 32).append(body);
}

TEST(ModelFile, ComesBackAsItWas) {
  const auto back = decode_model_file(encode_model_file(sample()));
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(back->lineage, sample().lineage);
  EXPECT_EQ(back->latency_json, sample().latency_json);
  EXPECT_EQ(back->choice_json, sample().choice_json);
  const transfer_world world;
  chacha8_rng rng(1);
  for (int i = 0; i < 100; ++i) {
    const transfer_metrics m = world.draw(rng, world_begin, 1);
    EXPECT_EQ(back->model.predict(m.data, m.conditions).latency_us,
              sample().model.predict(m.data, m.conditions).latency_us);
  }
}

TEST(ModelFile, EveryFlippedByteIsNoticed) {
  const std::string bytes = encode_model_file(sample());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string harmed = bytes;
    harmed[i] = static_cast<char>(~harmed[i]);
    ASSERT_FALSE(decode_model_file(harmed)) << "byte " << i;
  }
  for (std::size_t i = 0; i < 64; ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string harmed = bytes;
      harmed[i] = static_cast<char>(harmed[i] ^ (1 << bit));
      ASSERT_FALSE(decode_model_file(harmed)) << "byte " << i << ", bit " << bit;
    }
}

TEST(ModelFile, EveryTruncationAndEveryTailIsNoticed) {
  const std::string bytes = encode_model_file(sample());
  for (std::size_t length = 0; length < bytes.size(); ++length)
    ASSERT_FALSE(decode_model_file(std::string_view(bytes).substr(0, length))) << length;
  EXPECT_FALSE(decode_model_file(bytes + '\0'));
  EXPECT_FALSE(decode_model_file(bytes + bytes));
}

struct sealed_row {
  std::string name;
  std::function<void(learning::stored_model&)> harm;
  std::string words;
};
void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no " + from);
  text.replace(at, from.size(), to);
}

TEST(ModelFile, ARightChecksumIsNotBelieved) {
  using message = learning::stored_model;
  const std::vector<sealed_row> rows{
      {"NoChange", [](message&) {}, ""},
      {"LatencyEmpty", [](message& m) { m.clear_latency_model(); }, "bad latency model"},
      {"ChoiceEmpty", [](message& m) { m.clear_choice_model(); }, "bad choice model"},
      {"Swapped", [](message& m) { m.mutable_latency_model()->swap(*m.mutable_choice_model()); },
       "wrong kind of output"},
      {"OtherLayout", [](message& m) { m.mutable_lineage()->set_feature_layout(2); }, "feature layout 2, expected 1"},
      {"GateRefused", [](message& m) { m.mutable_lineage()->set_gate_passed(false); }, "did not pass its gate"},
      {"NoLineage", [](message& m) { m.clear_lineage(); }, "feature layout 0"},
      {"ChildLoop",
       [](message& m) { replace(*m.mutable_latency_model(), "\"left_children\":[1,", "\"left_children\":[0,"); },
       "left child is 0"},
      {"ChildFar",
       [](message& m) { replace(*m.mutable_choice_model(), "\"left_children\":[1,", "\"left_children\":[70000,"); },
       "left child is 70000"},
      {"Feature500",
       [](message& m) { replace(*m.mutable_choice_model(), "\"split_indices\":[", "\"split_indices\":[500,"); },
       "length of split_indices"},
      {"NotANumber",
       [](message& m) { replace(*m.mutable_latency_model(), "\"base_score\":\"", "\"base_score\":\"NaN\",\"x\":\""); },
       "base is nan"}};
  for (const sealed_row& row : rows) {
    const std::string bytes = encode_model_file(sample());
    message m;
    ASSERT_TRUE(m.ParseFromString(bytes.substr(52)));
    row.harm(m);
    const auto model = decode_model_file(sealed(m.SerializeAsString()));
    EXPECT_EQ(model.has_value(), row.words.empty()) << row.name;
    EXPECT_THAT(model ? std::string() : model.error(), HasSubstr(row.words)) << row.name;
  }
  EXPECT_FALSE(decode_model_file(sealed(""))) << "an empty body";
  EXPECT_FALSE(decode_model_file(sealed(std::string(1000, '\xff'))));
}

TEST(ModelFile, SealedNoiseNeverCrashes) {
  chacha8_rng rng(12);
  const std::string bytes = encode_model_file(sample());
  for (int i = 0; i < 2000; ++i) {
    std::string body = bytes.substr(52);
    for (int k = 0; k < 3; ++k) body[rng.next() % body.size()] = static_cast<char>(rng.next());
    if (i % 4 == 0) body.resize(rng.next() % body.size());
    const auto model = decode_model_file(sealed(body));
    if (!model) continue; // a changed digit of a leaf is a sound model; it must predict
    EXPECT_GT(model->model.predict({.data_size = 1 << 22}, {}).confidence, 0.49);
  }
}

TEST(ModelFile, WrongFormatIsNamed) {
  std::string bytes = encode_model_file(sample());
  bytes[8] = 2;
  EXPECT_THAT(decode_model_file(bytes).error(), HasSubstr("format 2, expected 1"));
}

// ---- the folder

TEST(ModelStore, SavesUnderRisingIdsAndKeepsTheLatest) {
  const temporary_folder folder;
  auto store = model_store::open(folder / "pool", 3);
  ASSERT_TRUE(store) << store.error();
  for (std::uint64_t id = 1; id <= 5; ++id) {
    stored_model m = sample();
    m.lineage.parent = id - 1;
    EXPECT_EQ(store->save(m).value(), id);
  }
  EXPECT_EQ(store->list().value(), (std::vector<std::uint64_t>{3, 4, 5}));
  EXPECT_EQ(store->load_latest()->lineage.id, 5U);
  EXPECT_EQ(store->load(4)->lineage.parent, 3U);
  EXPECT_FALSE(store->load(1));
}

TEST(ModelStore, AnEmptyFolderAndAMissingFileAreNamed) {
  const temporary_folder folder;
  const auto store = model_store::open(folder / "pool");
  ASSERT_TRUE(store);
  EXPECT_THAT(store->load_latest().error(), HasSubstr("pool holds no model"));
  EXPECT_THAT(store->load(7).error(), HasSubstr("model-000000000007.hsmodel cannot be read"));
}

TEST(ModelStore, ADamagedLatestModelIsAnErrorAndNoOlderOneIsServed) {
  const temporary_folder folder;
  auto store = model_store::open(folder / "pool");
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->save(sample()) && store->save(sample()));
  const auto path = store->file_of(2);
  for (const std::string& bytes : {std::string(), std::string("hsmodel\n"), encode_model_file(sample()).substr(0, 5000),
                                   std::string(1000, '\0')}) {
    write(path, bytes);
    const auto model = store->load_latest();
    ASSERT_FALSE(model);
    EXPECT_THAT(model.error(), HasSubstr("model-000000000002.hsmodel"));
  }
  EXPECT_TRUE(store->load(1));
  EXPECT_EQ(store->save(sample()).value(), 3U) << "the next training repairs it";
  EXPECT_TRUE(store->load_latest());
}

TEST(ModelStore, AFileUnderAnotherNameIsRefused) {
  const temporary_folder folder;
  auto store = model_store::open(folder / "pool");
  ASSERT_TRUE(store && store->save(sample()));
  std::filesystem::copy_file(store->file_of(1), store->file_of(9));
  EXPECT_THAT(store->load_latest().error(), HasSubstr("holds model 1"));
}

TEST(ModelStore, WhatACrashLeftBehindAndForeignFilesAreNoModels) {
  const temporary_folder folder;
  auto store = model_store::open(folder / "pool");
  ASSERT_TRUE(store && store->save(sample()));
  for (const char* name :
       {"unfinished", "model-.hsmodel", "model-12x.hsmodel", "model-5.hsmodel", "model-000000000000.hsmodel",
        "model-0.hsmodel", "notes.txt", "model-99999999999999999999999.hsmodel"})
    write(folder / "pool" / name, "half a mod");
  EXPECT_EQ(store->list().value(), std::vector<std::uint64_t>{1});
  EXPECT_EQ(store->save(sample()).value(), 2U);
  EXPECT_TRUE(store->load_latest());
  EXPECT_FALSE(std::filesystem::exists(folder / "pool" / "unfinished"));
}

TEST(ModelStore, OnlyWhatPassedItsGateIsStored) {
  const temporary_folder folder;
  auto store = model_store::open(folder / "pool");
  stored_model refused = sample();
  refused.lineage.gate.passed = false;
  EXPECT_THAT(store->save(refused).error(), HasSubstr("did not pass its gate"));
  EXPECT_TRUE(store->list()->empty());
}

TEST(ModelStore, AFolderThatCannotBeIsAnError) {
  const temporary_folder folder;
  write(folder / "file", "x");
  EXPECT_THAT(model_store::open(folder / "file" / "pool").error(), HasSubstr("cannot be made"));
  auto store = model_store::open(folder / "pool");
  ASSERT_TRUE(store);
  std::filesystem::remove_all(folder / "pool");
  EXPECT_THAT(store->save(sample()).error(), HasSubstr("cannot be"));
  EXPECT_FALSE(store->load_latest());
}

} // namespace
} // namespace homeostat
