// What is not a message is an error that names the message expected; it is never a default and never a crash.
#include "messages/audit.pb.h"
#include "messages/change.pb.h"
#include "messages/codec.hpp"
#include "messages/control.pb.h"
#include "messages/experiments.pb.h"
#include "messages/state.pb.h"
#include "tests/messages/filled.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace homeostat {
namespace {

using testing::anything, testing::distinct, testing::expect_always;

template <class T> class malformed_bytes : public ::testing::Test {};

using every_type =
    ::testing::Types<proposal, proposal_verdict, live_configuration, actuation, actuation_answer, objective_window,
                     audit_answer, audit_batch, operator_command, command_result, loop_status, sensor_status,
                     audit_record, governor_state, engine_state, experiment_state>;
TYPED_TEST_SUITE(malformed_bytes, every_type);

template <class T> std::string bytes_of(const T& x) {
  if constexpr (std::is_same_v<T, audit_record>)
    return encode(x, "web");
  else
    return encode(x);
}

TYPED_TEST(malformed_bytes, OfNoProtobufNameTheMessage) {
  const auto result = decode<TypeParam>("\x07\x07\x07");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().rfind("not a homeostat.v1.", 0), 0U) << result.error();
}

TYPED_TEST(malformed_bytes, OfAnyKindDoNotCrash) {
  expect_always([] {
    const auto garbage = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    const auto result = decode<TypeParam>(garbage);
    if (!result) RC_ASSERT(result.error().find("homeostat.v1.") != std::string::npos);
  });
}

TYPED_TEST(malformed_bytes, DamagedAnywhereDoNotCrash) {
  expect_always([] {
    std::string bytes = bytes_of(anything<TypeParam>());
    RC_PRE(!bytes.empty());
    const auto at = *rc::gen::resize(100, rc::gen::inRange<std::size_t>(0, bytes.size()));
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
    const auto result = decode<TypeParam>(bytes);
    if (!result) RC_ASSERT(result.error().find("homeostat.v1.") != std::string::npos);
  });
}

// A state cut short would be a loop that forgets its safe mode. Protobuf alone takes a cut between two fields for the
// end.
template <class T> void every_truncation_is_an_error() {
  const std::string bytes = encode(distinct<T>());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto result = decode<T>(std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(result.has_value()) << "cut after " << length << " of " << bytes.size() << " bytes";
    EXPECT_NE(result.error().find("homeostat.v1."), std::string::npos) << result.error();
  }
}
TEST(malformed, GovernorStateCutShortIsAnError) { every_truncation_is_an_error<governor_state>(); }
TEST(malformed, EngineStateCutShortIsAnError) { every_truncation_is_an_error<engine_state>(); }
TEST(malformed, ExperimentCutShortIsAnError) { every_truncation_is_an_error<experiment_state>(); }

template <class Message, class T, class Change>
void expect_error(const T& x, Change change, std::string_view expected) {
  Message message;
  ASSERT_TRUE(message.ParseFromString(bytes_of(x)));
  change(message);
  const auto result = decode<T>(message.SerializeAsString());
  ASSERT_FALSE(result.has_value()) << expected;
  EXPECT_EQ(result.error(), expected);
}

TEST(malformed, UnknownNamesAreErrors) {
  expect_error<v1::Proposal>(
      proposal{}, [](auto& m) { m.set_kind("jump"); },
      "homeostat.v1.Proposal: proposal kind is 'jump', expected a known name");
  expect_error<v1::Proposal>(
      proposal{}, [](auto& m) { m.set_classification(""); },
      "homeostat.v1.Proposal: classification is '', expected a known name");
  expect_error<v1::Verdict>(
      distinct<proposal_verdict>(),
      [](auto& m) {
        m.clear_accepted();
        m.mutable_refused()->set_code("TooBad");
      },
      "homeostat.v1.Verdict: violation code is 'TooBad', expected a known name");
  expect_error<v1::AuditAnswer>(
      audit_answer{}, [](auto& m) { m.set_status("maybe"); },
      "homeostat.v1.AuditAnswer: status is 'maybe', expected durable, full or failed");
  expect_error<v1::OperatorCommand>(
      operator_command{}, [](auto& m) { m.set_action("explode"); },
      "homeostat.v1.OperatorCommand: action is 'explode', expected a known action");
  expect_error<v1::AuditRecord>(
      audit_record{}, [](auto& m) { m.set_kind("hm"); },
      "homeostat.v1.AuditRecord: audit kind is 'hm', expected a known name");
  expect_error<v1::AuditBatch>(
      distinct<audit_batch>(), [](auto& m) { m.mutable_records(1)->set_change("x"); },
      "homeostat.v1.AuditBatch: change is 'x', expected a known name");
}

TEST(malformed, ExperimentWithoutAllItsCellsIsAnError) {
  expect_error<v1::StoredExperiment>(
      distinct<experiment_state>(), [](auto& m) { m.mutable_control_arm()->mutable_cell_counts()->RemoveLast(); },
      "homeostat.v1.StoredExperiment: has 255 cells, expected 256");
  expect_error<v1::StoredExperiment>(
      distinct<experiment_state>(), [](auto& m) { m.set_phase("paused"); },
      "homeostat.v1.StoredExperiment: phase is 'paused', expected a known name");
}

TEST(malformed, UnknownNumbersAreErrors) {
  expect_error<v1::GovernorState>(
      distinct<governor_state>(), [](auto& m) { m.set_restore(3); },
      "homeostat.v1.GovernorState: restore is 3, expected less than 3");
  expect_error<v1::GovernorState>(
      distinct<governor_state>(), [](auto& m) { m.mutable_pending()->set_phase(2); },
      "homeostat.v1.GovernorState: phase is 2, expected less than 2");
  expect_error<v1::GovernorState>(
      distinct<governor_state>(), [](auto& m) { m.mutable_pending()->set_origin(99); },
      "homeostat.v1.GovernorState: origin is 99, expected less than 5");
  expect_error<v1::GovernorState>(
      distinct<governor_state>(), [](auto& m) { m.mutable_safe_mode()->mutable_holds(0)->set_reason(9); },
      "homeostat.v1.GovernorState: safe mode reason is 9, expected less than 9");
  expect_error<v1::EngineState>(
      distinct<engine_state>(), [](auto& m) { m.set_expects(3); },
      "homeostat.v1.EngineState: expectation is 3, expected less than 3");
  expect_error<v1::EngineState>(
      distinct<engine_state>(), [](auto& m) { m.mutable_spsa()->set_phase(3); },
      "homeostat.v1.EngineState: spsa phase is 3, expected less than 3");
  expect_error<v1::EngineState>(
      distinct<engine_state>(), [](auto& m) { m.set_strategy("oracle"); },
      "homeostat.v1.EngineState: strategy is 'oracle', expected a known name");
  expect_error<v1::EngineState>(
      distinct<engine_state>(), [](auto& m) { m.mutable_online()->mutable_asked()->set_reason(12); },
      "homeostat.v1.EngineState: reason is 12, expected less than 12");
}

// Sums and differences of such times overflow: a policy that goes on from them would do anything.
TEST(malformed, TimesThatNoClockShowsAreErrors) {
  constexpr std::int64_t farthest = std::int64_t{1} << 56;
  for (const std::int64_t us : {farthest + 1, -farthest - 1, INT64_MAX, INT64_MIN}) {
    const std::string rest = ": has a time of " + std::to_string(us) + ", expected at most " + std::to_string(farthest);
    expect_error<v1::GovernorState>(
        governor_state{}, [&](auto& m) { m.set_last_now_us(us); }, "homeostat.v1.GovernorState" + rest);
    expect_error<v1::GovernorState>(
        governor_state{}, [&](auto& m) { m.mutable_updates()->add_accepted_us(us); },
        "homeostat.v1.GovernorState" + rest);
    expect_error<v1::GovernorState>(
        governor_state{}, [&](auto& m) { m.mutable_updates()->set_span_us(us); }, "homeostat.v1.GovernorState" + rest);
    expect_error<v1::EngineState>(
        engine_state{}, [&](auto& m) { m.set_held_until_us(us); }, "homeostat.v1.EngineState" + rest);
    expect_error<v1::ConfigProposal>(
        config_proposal{}, [&](auto& m) { m.set_created_us(us); }, "homeostat.v1.ConfigProposal" + rest);
  }
  const auto moved_at = [](std::int64_t second) {
    return [second](auto& m) {
      m.add_movement()->add_seconds(second);
      m.mutable_movement(0)->add_distances(0.1);
    };
  };
  expect_error<v1::GovernorState>(governor_state{}, moved_at(INT64_MIN),
                                  "homeostat.v1.GovernorState: has a time of -9223372036854775808, expected at most "
                                  "72057594037");
  governor_state on_the_limit;
  on_the_limit.last_now = instant(duration(farthest));
  EXPECT_TRUE(decode<governor_state>(encode(on_the_limit)));
}

TEST(malformed, MoreValuesThanALoopMayHaveAreErrors) {
  const auto add_17 = [](auto* values) {
    values->Clear();
    for (int i = 0; i < 17; ++i) values->Add(i);
  };
  const std::string rest = ": has 17 knob values, expected at most 16";
  expect_error<v1::Proposal>(proposal{}, [&](auto& m) { add_17(m.mutable_values()); }, "homeostat.v1.Proposal" + rest);
  expect_error<v1::Proposal>(
      proposal{}, [&](auto& m) { add_17(m.mutable_gradient()); }, "homeostat.v1.Proposal" + rest);
  expect_error<v1::Actuation>(
      actuation{}, [&](auto& m) { add_17(m.mutable_values()); }, "homeostat.v1.Actuation" + rest);
  expect_error<v1::ActuationAnswer>(
      actuation_answer{}, [&](auto& m) { add_17(m.mutable_read_back()); }, "homeostat.v1.ActuationAnswer" + rest);
  expect_error<v1::LiveConfiguration>(
      live_configuration{}, [&](auto& m) { add_17(m.mutable_base()); }, "homeostat.v1.LiveConfiguration" + rest);
  expect_error<v1::OperatorCommand>(
      operator_command{}, [&](auto& m) { add_17(m.mutable_values()); }, "homeostat.v1.OperatorCommand" + rest);
  expect_error<v1::GovernorState>(
      governor_state{}, [&](auto& m) { add_17(m.mutable_live()); }, "homeostat.v1.GovernorState" + rest);
  expect_error<v1::GovernorState>(
      governor_state{},
      [](auto& m) {
        for (int i = 0; i < 17; ++i) m.add_movement();
      },
      "homeostat.v1.GovernorState: movement of more than 16 knobs");
  // Values that do not come from the wire: a proposal with 17 of them is refused by whoever reads it, never shortened.
  proposal wide;
  wide.values = knob_values(std::vector<double>(17, 1.0));
  EXPECT_FALSE(decode<proposal>(encode(wide)).has_value());
}

// Hostile bytes must not become a state that fills the memory.
TEST(malformed, StrategyStatesLargerThanAnyAreErrors) {
  const auto expect = [](auto change, std::string_view what) {
    expect_error<v1::EngineState>(
        distinct<engine_state>(), [&](auto& m) { change(*m.mutable_online()->mutable_adaptive()); },
        "homeostat.v1.EngineState: " + std::string(what));
  };
  const auto times = [](int count, auto add) {
    for (int i = 0; i < count; ++i) add();
  };
  expect([&](auto& a) { times(19, [&] { a.mutable_bank()->add_members(); }); },
         "members has 21 entries, expected at most 20");
  expect([&](auto& a) { times(63, [&] { a.mutable_memory()->add_regimes(); }); },
         "regimes has 65 entries, expected at most 64");
  expect([&](auto& a) { times(99, [&] { a.add_first(1); }); }, "first has 101 entries, expected at most 100");
  expect([&](auto& a) { times(64, [&] { a.add_looks(); }); }, "looks has 66 entries, expected at most 65");
  expect([&](auto& a) { times(15, [&] { a.add_centre(0.5); }); }, "centre has 17 entries, expected at most 16");
  expect([&](auto& a) { times(15, [&] { a.add_still(1); }); }, "still has 17 entries, expected at most 16");
  expect([&](auto& a) { times(168, [&] { a.mutable_quiet_model()->mutable_filter()->add_mean(1); }); },
         "mean has 170 entries, expected at most 169");
  expect([&](auto& a) { times(169 * 169, [&] { a.mutable_quiet_model()->mutable_filter()->add_covariance(1); }); },
         "covariance has 28563 entries, expected at most 28561");
}

// A state that was written before there was a choice is one of the only strategy there was.
TEST(malformed, NoStrategyMeansSpsa) {
  v1::EngineState message;
  ASSERT_TRUE(message.ParseFromString(encode(distinct<engine_state>())));
  message.clear_strategy();
  EXPECT_EQ(decode<engine_state>(message.SerializeAsString())->strategy, online_kind::spsa);
}

TEST(malformed, ContradictionsAreErrors) {
  const std::string either = "homeostat.v1.Verdict: a verdict is either accepted or refused";
  expect_error<v1::Verdict>(
      distinct<proposal_verdict>(),
      [](auto& m) {
        m.mutable_accepted();
        m.mutable_refused()->set_code("OutOfBounds");
      },
      either);
  EXPECT_EQ(decode<proposal_verdict>(encode(proposal_verdict{})).error(), either);
  expect_error<v1::GovernorState>(
      distinct<governor_state>(), [](auto& m) { m.mutable_movement(0)->add_seconds(1); },
      "homeostat.v1.GovernorState: movement has unequal lists");
  expect_error<v1::EngineState>(
      distinct<engine_state>(), [](auto& m) { m.mutable_spsa()->set_dimensions(17); },
      "homeostat.v1.EngineState: spsa has 17 dimensions, expected at most 16");
}

} // namespace
} // namespace homeostat
