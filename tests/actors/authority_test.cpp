// The authority between its clients, the store and the governors: durable first, and nobody is left without an answer.
#include "messages/authority.pb.h"
#include "tests/actors/loops.hpp"

#include <gmock/gmock.h>

namespace homeostat::testing {
namespace {

using ::testing::ElementsAre, ::testing::HasSubstr;

class authority_test : public actor_world {
protected:
  authority_test() {
    setup.name = "node";
    setup.store = store;
    setup.time = time;
    pool_setup& pool = setup.pools.emplace_back(pool_setup{.name = "pool", .loops = {}});
    loop_setup& loop = pool.loops.emplace_back(loop_of("web", time, plant, telemetry));
    loop.searches = false;
    loop.governor.config.watch_telemetry = false;
    governed_loop& terms = setup.authority.config.loops.emplace_back();
    terms.name = "web";
    terms.pool = "pool";
    terms.knobs = loop.governor.config.knobs;
    setup.authority.time = time;
    setup.authority.notify = [this](const std::string& kind, const std::string& text) {
      notices.push_back(kind + ": " + text);
    };
    node = system.spawn(node_supervisor, setup);
    settle();
  }
  void TearDown() override {
    store->release();
    end(node);
    advance(30s, 1s);
    node = nullptr;
    actor_world::TearDown();
  }

  std::shared_ptr<reply<authority_reply>> call(const std::string& verb, const std::string& id, const std::string& actor,
                                               const google::protobuf::Message& body) {
    auto answer = ask<authority_reply>(
        node,
        authority_call{.verb = verb, .id = id, .actor = actor, .may_approve = true, .body = body.SerializeAsString()});
    settle();
    return answer;
  }
  std::shared_ptr<reply<authority_reply>> propose(double x, const std::string& actor = "ann") {
    v1::ProposalRequest request;
    v1::ChangeRequest* change = request.add_changes();
    change->set_loop("web");
    (*change->mutable_knobs())["x"].set_number_value(x);
    return call("propose", "", actor, request);
  }
  std::shared_ptr<reply<authority_reply>> decide(const std::string& verb, const std::string& id = "1",
                                                 const std::string& actor = "bob") {
    return call(verb, id, actor, v1::DecisionRequest());
  }
  std::string state_of(const std::string& id = "1") {
    const auto answer = call("proposal", id, "-", v1::DecisionRequest());
    v1::ProposalView view;
    return answer->value && view.ParseFromString(answer->value->body) ? view.state() : "none";
  }

  std::shared_ptr<journal> log = std::make_shared<journal>();
  std::shared_ptr<fake_store> store = std::make_shared<fake_store>(log);
  std::shared_ptr<fake_actuator> plant = std::make_shared<fake_actuator>(knob_values{50, 50}, log);
  std::shared_ptr<fake_telemetry> telemetry = std::make_shared<fake_telemetry>();
  std::vector<std::string> notices;
  node_setup setup;
  supervisor_actor node;
};

TEST_F(authority_test, AppliesWhatIsApproved) {
  const auto opened = propose(55);
  ASSERT_TRUE(opened->value) << *opened->error;
  EXPECT_EQ(opened->value->status, 200U) << opened->value->problem;
  EXPECT_EQ(plant->asked.size(), 0U);
  EXPECT_EQ(decide("approve")->value->status, 200U);
  advance(1s);
  EXPECT_EQ(state_of(), "applied");
  EXPECT_EQ(plant->in_force, (knob_values{55, 50}));
}

TEST_F(authority_test, AnswersAndAsksOnlyWhatIsDurable) {
  ASSERT_TRUE(propose(55)->came());
  store->submits = fake_store::way::held;
  const auto approved = decide("approve");
  advance(1s);
  EXPECT_FALSE(approved->came());
  EXPECT_TRUE(plant->asked.empty());
  const auto again =
      decide("approve", "1", "eve"); // nothing of its own to keep, but it follows from what is not durable
  EXPECT_FALSE(again->came());
  store->submits = fake_store::way::at_once;
  store->release();
  settle();
  EXPECT_TRUE(approved->came());
  ASSERT_TRUE(again->value);
  EXPECT_EQ(again->value->status, 409U);
  advance(1s);
  EXPECT_EQ(state_of(), "applied");
}

TEST_F(authority_test, WhatCannotBeKeptIsRefusedAndForgotten) {
  ASSERT_TRUE(propose(55)->came());
  store->submits = fake_store::way::failing;
  const auto approved = decide("approve");
  ASSERT_TRUE(approved->value);
  EXPECT_EQ(approved->value->status, 503U);
  EXPECT_THAT(approved->value->problem, HasSubstr("AuditUnavailable"));
  store->submits = fake_store::way::at_once;
  advance(10s, 100ms); // it starts again from what was kept
  EXPECT_EQ(state_of(), "pending");
  EXPECT_EQ(plant->in_force, (knob_values{50, 50}));
  EXPECT_EQ(decide("approve")->value->status, 200U);
  advance(1s);
  EXPECT_EQ(state_of(), "applied");
}

TEST_F(authority_test, ItsFailureIsNobodyElses) {
  ASSERT_TRUE(propose(55)->came());
  (void)ended();
  end(running("authority"), caf::exit_reason::kill);
  advance(10s, 100ms);
  EXPECT_THAT(ended(), ElementsAre("authority")) << "the loops run on";
  EXPECT_EQ(state_of(), "pending");
  EXPECT_EQ(decide("approve")->value->status, 200U);
  advance(1s);
  EXPECT_EQ(state_of(), "applied");
  EXPECT_EQ(plant->asked.size(), 1U);
}

TEST_F(authority_test, AKillBetweenChangeAndReceiptAppliesNothingTwice) {
  ASSERT_TRUE(propose(80)->came()); // three steps
  plant->applies = fake_actuator::way::silent;
  ASSERT_TRUE(decide("approve")->came());
  ASSERT_EQ(plant->asked.size(), 1U);
  end(running("authority"), caf::exit_reason::kill);
  plant->applies = fake_actuator::way::ok;
  plant->release();
  advance(30s, 100ms);
  EXPECT_EQ(state_of(), "applied");
  EXPECT_EQ(plant->in_force, (knob_values{80, 50}));
  EXPECT_EQ(plant->asked.size(), 3U);
}

TEST_F(authority_test, AClientIsNeverLeftWithoutAnAnswer) {
  stuck.push_back(running("governor"));
  const auto opened = propose(55); // it looks at the loop first
  advance(10s, 100ms);
  ASSERT_TRUE(opened->came());
  stuck.clear();
  settle();
  const auto unknown = call("frobnicate", "", "ann", v1::DecisionRequest());
  ASSERT_TRUE(unknown->value);
  EXPECT_EQ(unknown->value->status, 404U);
  EXPECT_EQ(decide("approve", "17")->value->status, 404U);
  EXPECT_EQ(decide("approve", "seventeen")->value->status, 404U);
}

TEST_F(authority_test, TimersGoOff) {
  ASSERT_TRUE(propose(55)->came());
  advance(5min + 1s, 1s);
  EXPECT_EQ(state_of(), "applied") << "LOW applies by itself";
}

} // namespace
} // namespace homeostat::testing
