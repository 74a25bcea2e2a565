#include "runtime/store/audit_chain.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace homeostat {
namespace {

chain_store_id counting_id() {
  chain_store_id id;
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::byte>(i);
  return id;
}

chain_hash filled(int value) {
  chain_hash h;
  h.fill(static_cast<std::byte>(value));
  return h;
}

// The expected hashes were computed from the documented layout by another program (Python's hashlib and struct).
TEST(audit_chain, HashesAreThoseOfTheDocumentedFormat) {
  chain_hasher hasher;
  const chain_hash genesis = hasher.genesis(counting_id(), instant{duration{1'700'000'000'000'000}});
  EXPECT_EQ(to_hex(genesis), "f15a9a02ad77712312b4f2375ed49d98f91c70ab0f999c9097298fcb6c092cce");
  EXPECT_EQ(to_hex(hasher.record(genesis,
                                 {1, instant{duration{1'700'000'000'000'001}}, "checkout", "applied", 7, "payload"})),
            "9255c97ab545e0c1ed40b7a1952bcc224552ff456203cc86f15fed97c0aef9a0");
  EXPECT_EQ(to_hex(hasher.record(filled(255), {UINT64_MAX, instant{duration{-1}}, "", "k", 1ULL << 63U, ""})),
            "d37e92909540e02df3b51c6841d2fdd91f52dd91e753be7e0c5575d05d6499db");
}

TEST(audit_chain, EveryFieldChangesTheHash) {
  chain_hasher hasher;
  const record_fields base{5, instant{duration{6}}, "loop", "kind", 7, "payload"};
  const chain_hash hash = hasher.record(filled(1), base);
  const auto differs = [&](auto change) {
    record_fields other = base;
    change(other);
    return hasher.record(filled(1), other) != hash;
  };
  EXPECT_TRUE(differs([](record_fields& f) { f.sequence = 4; }));
  EXPECT_TRUE(differs([](record_fields& f) { f.time += duration{1}; }));
  EXPECT_TRUE(differs([](record_fields& f) { f.loop = "loo"; }));
  EXPECT_TRUE(differs([](record_fields& f) { f.kind = "kinD"; }));
  EXPECT_TRUE(differs([](record_fields& f) { f.generation = 8; }));
  EXPECT_TRUE(differs([](record_fields& f) { f.payload = "payload "; }));
  EXPECT_NE(hasher.record(filled(2), base), hash);
  EXPECT_FALSE(differs([](record_fields&) {}));
}

TEST(audit_chain, BytesCannotMoveFromOneFieldToTheNext) {
  chain_hasher hasher;
  EXPECT_NE(hasher.record({}, {1, {}, "ab", "c", 1, "d"}), hasher.record({}, {1, {}, "a", "bc", 1, "d"}));
}

TEST(audit_chain, HexComesBackAndAnythingElseIsRefused) {
  const chain_hash h = filled(0xa7);
  EXPECT_EQ(parse_chain_hash(to_hex(h)), h);
  std::string text = to_hex(h);
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
  EXPECT_EQ(parse_chain_hash(text), h);
  for (const std::string& wrong :
       {std::string{}, text.substr(1), text + "0", "g" + text.substr(1), " " + text.substr(1)})
    EXPECT_EQ(parse_chain_hash(wrong), std::nullopt) << wrong;
}

TEST(audit_chain, StoreIdsDiffer) { EXPECT_NE(draw_store_id(), draw_store_id()); }

TEST(finding_list, KeepsTheLowestSequencesAndCountsTheRest) {
  finding_list list{3};
  for (const std::uint64_t n : {9U, 2U, 7U, 1U}) list.add({chain_fault::altered, n, "", ""});
  finding_list other{3};
  for (const std::uint64_t n : {8U, 3U, 20U, 30U}) other.add({chain_fault::altered, n, "", ""});
  list.merge(std::move(other));
  EXPECT_EQ(list.total(), 8U);
  std::vector<std::uint64_t> kept;
  for (const chain_finding& f : list.take()) kept.push_back(f.sequence);
  EXPECT_EQ(kept, (std::vector<std::uint64_t>{1, 2, 3}));
}

// ---- limits of a batch
// -----------------------------------------------------------------------------------------------

struct batch_row {
  const char* name;
  store_batch batch;
  bool accepted;
};

store_batch with_record(std::string loop, std::string kind, std::size_t payload = 0) {
  store_batch b;
  b.records.push_back({{}, std::move(loop), std::move(kind), 0, std::string(payload, 'x')});
  return b;
}

store_batch with_state(std::string key, std::size_t value) {
  store_batch b;
  b.state.push_back({std::move(key), std::string(value, 'x')});
  return b;
}

store_batch with_revision(std::string loop, std::uint64_t number, std::optional<std::string> name, std::size_t values) {
  store_batch b;
  b.revisions.push_back({std::move(loop), number, 0, std::string(values, 'x'), std::move(name), false, {}});
  return b;
}

store_batch with_mark(std::string loop, std::uint64_t number, std::optional<std::string> name) {
  store_batch b;
  b.marks.push_back({std::move(loop), number, std::move(name), {}});
  return b;
}

class batch_limits : public testing::TestWithParam<batch_row> {};

TEST_P(batch_limits, Hold) {
  const auto checked = check_batch(GetParam().batch);
  EXPECT_EQ(checked.has_value(), GetParam().accepted) << (checked ? "" : checked.error().what);
  EXPECT_TRUE(checked || checked.error().kind == store_error_kind::invalid);
}

std::string text(std::size_t n) { return std::string(n, 'x'); }

INSTANTIATE_TEST_SUITE_P(
    store, batch_limits,
    testing::Values(batch_row{"NothingIsFine", {}, true}, batch_row{"LoopMayBeEmpty", with_record("", "k"), true},
                    batch_row{"LongestLoop", with_record(text(max_loop_bytes), "k"), true},
                    batch_row{"LoopTooLong", with_record(text(max_loop_bytes + 1), "k"), false},
                    batch_row{"KindMustBeThere", with_record("l", ""), false},
                    batch_row{"LongestKind", with_record("l", text(max_kind_bytes)), true},
                    batch_row{"KindTooLong", with_record("l", text(max_kind_bytes + 1)), false},
                    batch_row{"LargestPayload", with_record("l", "k", max_payload_bytes), true},
                    batch_row{"PayloadTooLarge", with_record("l", "k", max_payload_bytes + 1), false},
                    batch_row{"NonAsciiText", with_record("käse \xf0\x9f\x9c\x81 \xe2\x82\xac", "k"), true},
                    batch_row{"NulInText", with_record(std::string{"a\0b", 3}, "k"), false},
                    batch_row{"NewlineInText", with_record("a\nb", "k"), false},
                    batch_row{"DeleteInText", with_record("a\x7f", "k"), false},
                    batch_row{"StrayContinuation", with_record("a\x80", "k"), false},
                    batch_row{"TruncatedCharacter", with_record("a\xe2\x82", "k"), false},
                    batch_row{"OverlongSlash", with_record("\xc0\xaf", "k"), false},
                    batch_row{"OverlongThreeBytes", with_record("\xe0\x9f\xbf", "k"), false},
                    batch_row{"OverlongFourBytes", with_record("\xf0\x8f\xbf\xbf", "k"), false},
                    batch_row{"Surrogate", with_record("\xed\xa0\x80", "k"), false},
                    batch_row{"LastCodePoint", with_record("\xf4\x8f\xbf\xbf", "k"), true},
                    batch_row{"BeyondTheLastCodePoint", with_record("\xf4\x90\x80\x80", "k"), false},
                    batch_row{"KeyMustBeThere", with_state("", 1), false},
                    batch_row{"LongestKey", with_state(text(max_key_bytes), 1), true},
                    batch_row{"KeyTooLong", with_state(text(max_key_bytes + 1), 1), false},
                    batch_row{"LargestValue", with_state("k", max_value_bytes), true},
                    batch_row{"ValueTooLarge", with_state("k", max_value_bytes + 1), false},
                    batch_row{"RevisionNeedsALoop", with_revision("", 1, {}, 0), false},
                    batch_row{"RevisionZero", with_revision("l", 0, {}, 0), false},
                    batch_row{"FirstRevision", with_revision("l", 1, {}, 0), true},
                    batch_row{"LastRevision", with_revision("l", INT64_MAX, {}, 0), true},
                    batch_row{"RevisionTooHigh", with_revision("l", 1ULL << 63U, {}, 0), false},
                    batch_row{"EmptyName", with_revision("l", 1, "", 0), false},
                    batch_row{"LongestName", with_revision("l", 1, text(max_key_bytes), 0), true},
                    batch_row{"NameTooLong", with_revision("l", 1, text(max_key_bytes + 1), 0), false},
                    batch_row{"LargestRevision", with_revision("l", 1, {}, max_value_bytes), true},
                    batch_row{"RevisionTooLarge", with_revision("l", 1, {}, max_value_bytes + 1), false},
                    batch_row{"MarkNeedsALoop", with_mark("", 1, {}), false},
                    batch_row{"MarkZero", with_mark("l", 0, {}), false},
                    batch_row{"MarkWithAnEmptyName", with_mark("l", 1, ""), false},
                    batch_row{"MarkWithoutAName", with_mark("l", 1, {}), true}),
    [](const auto& row) { return std::string{row.param.name}; });

} // namespace
} // namespace homeostat
