// Every value the codec knows comes back as it went.
#include "messages/codec.hpp"
#include "tests/messages/filled.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace homeostat {
namespace {

using testing::anything, testing::distinct, testing::expect_always, testing::fields, testing::same;

template <class T> class codec_round_trip : public ::testing::Test {};

using every_type =
    ::testing::Types<proposal, proposal_verdict, live_configuration, actuation, actuation_answer, objective_window,
                     audit_answer, audit_batch, operator_command, command_result, loop_status, sensor_status,
                     governor_state, engine_state, authority_call, authority_reply, config_proposal,
                     config_recommendation, authority_index, experiment_state>;
TYPED_TEST_SUITE(codec_round_trip, every_type);

TYPED_TEST(codec_round_trip, KeepsEveryFilledField) {
  const TypeParam sent = distinct<TypeParam>();
  const auto received = decode<TypeParam>(encode(sent));
  ASSERT_TRUE(received.has_value()) << received.error();
  EXPECT_TRUE(same(sent, *received));
}

TYPED_TEST(codec_round_trip, KeepsTheDefault) {
  if constexpr (std::is_same_v<TypeParam, proposal_verdict>) return; // neither accepted nor refused is no verdict
  const TypeParam sent{};
  const auto received = decode<TypeParam>(encode(sent));
  ASSERT_TRUE(received.has_value()) << received.error();
  EXPECT_TRUE(same(sent, *received));
}

TYPED_TEST(codec_round_trip, KeepsAnything) {
  expect_always([] {
    const TypeParam sent = anything<TypeParam>();
    const auto received = decode<TypeParam>(encode(sent));
    RC_ASSERT(received.has_value());
    RC_ASSERT(same(sent, *received));
  });
}

// The round trip says nothing about a field that the generator leaves at its default.
TYPED_TEST(codec_round_trip, IsGivenNoDefaultField) {
  if constexpr (std::is_same_v<TypeParam, proposal_verdict>) return; // one of two fields is empty
  TypeParam filled = distinct<TypeParam>();
  TypeParam plain{};
  const auto all = fields(filled);
  const auto defaults = fields(plain);
  const auto expect_other = []<class F>(std::size_t i, const F& field, const F& standard) {
    bool true_by_default = false;
    if constexpr (std::is_same_v<F, bool>) true_by_default = standard;
    EXPECT_TRUE(field != standard || true_by_default) << "field " << i;
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (expect_other(I, std::get<I>(all), std::get<I>(defaults)), ...);
  }(std::make_index_sequence<std::tuple_size_v<decltype(all)>>{});
}

TEST(codec, CarriesFlagsThatAreTrueByDefault) {
  governor_state state;
  state.live_known = false;
  EXPECT_FALSE(decode<governor_state>(encode(state))->live_known);
  proposal waiting;
  waiting.approved = false;
  EXPECT_FALSE(decode<proposal>(encode(waiting))->approved);
  audit_batch queued;
  queued.durable = false;
  EXPECT_FALSE(decode<audit_batch>(encode(queued))->durable);
}

TEST(codec, CarriesBothKindsOfVerdict) {
  const proposal_verdict accepted{.proposal_id = 3, .accepted = distinct<receipt>(), .refused = std::nullopt};
  const proposal_verdict refused{.proposal_id = 4, .accepted = std::nullopt, .refused = distinct<violation>()};
  EXPECT_TRUE(same(accepted, *decode<proposal_verdict>(encode(accepted))));
  EXPECT_TRUE(same(refused, *decode<proposal_verdict>(encode(refused))));
}

TEST(codec, CarriesEveryEnumeratorByName) {
  for (std::size_t i = 0; i < violation_code_count; ++i) {
    proposal_verdict verdict;
    verdict.refused = violation{};
    verdict.refused->code = static_cast<violation_code>(i);
    EXPECT_EQ(decode<proposal_verdict>(encode(verdict))->refused->code, verdict.refused->code);
  }
  for (std::size_t i = 0; i < audit_kind_count; ++i) {
    audit_record record;
    record.kind = static_cast<audit_kind>(i);
    EXPECT_EQ(decode<audit_record>(encode(record, "web"))->kind, record.kind);
  }
}

// I7: a strategy goes on bit for bit after a restart.
TEST(codec, KeepsTheRandomStreamOfAnEngine) {
  engine_state state;
  state.spsa.rng = chacha8_rng(42, 7);
  for (int i = 0; i < 13; ++i) (void)state.spsa.rng.next();
  auto restored = decode<engine_state>(encode(state));
  ASSERT_TRUE(restored.has_value()) << restored.error();
  for (int i = 0; i < 40; ++i) EXPECT_EQ(restored->spsa.rng.next(), state.spsa.rng.next());
}

TEST(codec, KeepsAuditRecordsWithTheirLoop) {
  expect_always([] {
    const audit_record sent = anything<audit_record>();
    const auto received = decode<audit_record>(encode(sent, "web"));
    RC_ASSERT(received.has_value());
    RC_ASSERT(*received == sent);
  });
  const audit_record sent = distinct<audit_record>();
  EXPECT_EQ(*decode<audit_record>(encode(sent, "web")), sent);
  EXPECT_NE(encode(sent, "web"), encode(sent, "db"));
}

// A refused proposal of 17 values and more is recorded too, and its record must be readable.
TEST(codec, RecordsAtMostAsManyValuesAsALoopMayHave) {
  audit_record record = distinct<audit_record>();
  record.after = knob_values(std::vector<double>(20, 0.25));
  ASSERT_GT(record.after.size(), max_knobs);
  const auto received = decode<audit_record>(encode(record, "web"));
  ASSERT_TRUE(received.has_value()) << received.error();
  EXPECT_EQ(received->after.size(), max_knobs);
}

// Text comes from people, plants and databases in any encoding. What cannot be stored as it is must not make a state or
// a record unreadable: the loop would never start again.
TEST(codec, ReplacesBytesThatAreNoText) {
  governor_state state;
  state.restore_reason = "slow \xff\xfe query";
  const auto received = decode<governor_state>(encode(state));
  ASSERT_TRUE(received.has_value()) << received.error();
  EXPECT_EQ(received->restore_reason, "slow \uFFFD\uFFFD query");

  expect_always([] {
    audit_record record;
    record.text = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    const auto once = decode<audit_record>(encode(record, "web"));
    RC_ASSERT(once.has_value());
    RC_ASSERT(decode<audit_record>(encode(*once, "web"))->text == once->text);
  });
}

TEST(codec, ShowsAnAuditRecordAsJson) {
  audit_record record = distinct<audit_record>();
  record.kind = audit_kind::intent;
  record.change = proposal_kind::update;
  record.text = "quote \" and \u20ac";
  const std::string json = audit_json(encode(record, "web"));
  for (const char* part : {R"("kind":"intent")", R"("loop":"web")", R"("change":"update")", R"("time_us":")",
                           R"("text":"quote \" and €")", R"("after":[)", R"("reason":{"code":")"})
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  EXPECT_EQ(audit_json("\x07garbage"), R"({"error":"not an audit record"})");
  EXPECT_EQ(audit_json("").front(), '{');
}

} // namespace
} // namespace homeostat
