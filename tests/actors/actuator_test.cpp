#include "actors/actuator.hpp"
#include "actors/serial_actuator.hpp"
#include "tests/actors/actor_world.hpp"
#include "tests/actors/doubles.hpp"

namespace homeostat::testing {
namespace {

actuation change_to(double value, std::uint64_t ticket = 1) {
  return {.ticket = ticket, .generation = 2, .values = {value}};
}

class actuator_test : public actor_world {
protected:
  actuator_actor start() { return system.spawn(actuator, std::static_pointer_cast<actuator_port>(plant)); }
  std::shared_ptr<fake_actuator> plant = std::make_shared<fake_actuator>(knob_values{50});
};

TEST_F(actuator_test, AppliesAndReadsBack) {
  const auto actor = start();
  const auto applied = ask<actuation_answer>(actor, change_to(55));
  const auto read = ask<actuation_answer>(actor, readback_atom::value);
  settle();
  ASSERT_TRUE(applied->value && read->value);
  EXPECT_TRUE(applied->value->ok);
  EXPECT_EQ(applied->value->read_back, knob_values{55});
  EXPECT_EQ(read->value->read_back, knob_values{55});
  end(actor);
}

TEST_F(actuator_test, AnswersAllItOwesWhenItEnds) {
  plant->applies = fake_actuator::way::silent;
  for (const auto reason : {caf::exit_reason::user_shutdown, caf::exit_reason::kill}) {
    const auto actor = start();
    const auto applied = ask<actuation_answer>(actor, change_to(55));
    settle();
    EXPECT_FALSE(applied->came());
    end(actor, reason);
    EXPECT_TRUE(applied->error);
  }
  plant->release(); // late answers reach nobody
  settle();
}

TEST_F(actuator_test, EndsWhenThePortThrowsAndTellsTheRequester) {
  plant->applies = fake_actuator::way::throwing;
  const auto actor = start();
  const auto applied = ask<actuation_answer>(actor, change_to(55));
  settle();
  EXPECT_FALSE(alive(actor));
  EXPECT_TRUE(applied->error);
}

TEST_F(actuator_test, IsFreedWhileThePortStillHoldsItsCallback) {
  plant->applies = fake_actuator::way::silent;
  auto actor = start();
  const auto trace = trace_of(actor);
  (void)ask<actuation_answer>(actor, change_to(55));
  settle();
  end(actor);
  actor = nullptr;
  settle();
  EXPECT_EQ(plant->held(), 1U);
  EXPECT_FALSE(trace.lock());
}

// ---- one_call_at_a_time
// --------------------------------------------------------------------------------------------------

class serial_actuator_test : public ::testing::Test {
protected:
  void apply(double value, std::uint64_t ticket) {
    line->apply(change_to(value, ticket), [this](actuation_answer a) { answers.push_back(std::move(a)); });
  }
  void read() {
    line->read_back([this](actuation_answer a) { answers.push_back(std::move(a)); });
  }
  std::shared_ptr<fake_actuator> plant = std::make_shared<fake_actuator>(knob_values{50});
  std::shared_ptr<actuator_port> line = one_call_at_a_time(plant);
  std::vector<actuation_answer> answers;
};

// A governor that starts again asks what is in force. It must not be told before its predecessor's change is through.
TEST_F(serial_actuator_test, LetsAReadingWaitForTheChangeBefore) {
  plant->applies = fake_actuator::way::silent;
  apply(55, 1);
  read();
  EXPECT_TRUE(answers.empty());
  plant->release();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].ticket, 1U);
  EXPECT_EQ(answers[1].read_back, knob_values{55});
  EXPECT_EQ(plant->most_open, 1);
}

TEST_F(serial_actuator_test, KeepsOnlyTheNewestCallWaiting) {
  plant->applies = fake_actuator::way::silent;
  apply(55, 1);
  apply(60, 2);
  apply(45, 3);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].ticket, 2U);
  EXPECT_FALSE(answers[0].ok);
  plant->release();
  plant->release();
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(plant->asked.size(), 2U) << "what was given up never reaches the plant";
  EXPECT_EQ(plant->in_force, knob_values{45});
  EXPECT_EQ(plant->most_open, 1);
}

TEST_F(serial_actuator_test, TurnsAnExceptionIntoAFailedAnswer) {
  plant->applies = fake_actuator::way::throwing;
  apply(55, 1);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_FALSE(answers[0].ok);
  EXPECT_EQ(answers[0].text, "the actuator failed: the plant broke");
  plant->applies = fake_actuator::way::ok;
  apply(55, 2);
  EXPECT_TRUE(answers.at(1).ok) << "the line is free again";
}

TEST_F(serial_actuator_test, IsNotWrappedTwice) { EXPECT_EQ(one_call_at_a_time(line), line); }

TEST_F(serial_actuator_test, MayGoBeforeItsPlantAnswers) {
  plant->applies = fake_actuator::way::silent;
  apply(55, 1);
  line.reset();
  plant->release();
  EXPECT_EQ(answers.size(), 1U);
}

} // namespace
} // namespace homeostat::testing
