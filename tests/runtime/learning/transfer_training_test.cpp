// From transfers to a judged model: a world that can be learnt passes, one without anything to learn does not.
#include "runtime/learning/model_json.hpp"
#include "runtime/learning/transfer_training.hpp"
#include "tests/policies/learning/transfer_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace homeostat {
namespace {

using testing::HasSubstr;

training_set::parts parts_of(const std::vector<transfer_metrics>& samples) {
  training_set set({});
  for (const transfer_metrics& m : samples) set.add(m);
  return set.split().value();
}

/// @returns the share of new transfers for which the model names the truly faster method, near ties left out.
double true_accuracy(const transfer_model& model, const transfer_world& world) {
  double right = 0, all = 0;
  for (const transfer_metrics& m : world.draw_many(5000, 77)) {
    const double grpc = world.expected_us(m.data, m.conditions, transfer_method::grpc);
    const double zero_copy = world.expected_us(m.data, m.conditions, transfer_method::zero_copy);
    if (std::max(grpc, zero_copy) / std::min(grpc, zero_copy) < 1.05) continue;
    ++all;
    right += model.predict(m.data, m.conditions).choice == world.faster(m.data, m.conditions) ? 1 : 0;
  }
  return right / all;
}

TEST(TransferTraining, AWorldThatCanBeLearntPasses) {
  const transfer_world world{.exploration = 0.5};
  const auto trained = train_transfer_model(parts_of(world.draw_many(6000, 1)), {}, nullptr, world_begin + 1h);
  ASSERT_TRUE(trained) << trained.error();
  const model_lineage& lineage = trained->stored.lineage;
  EXPECT_TRUE(lineage.gate.passed) << lineage.gate.text();
  EXPECT_GT(true_accuracy(trained->stored.model, world), 0.95)
      << "the labels' accuracy is not just agreement with itself";
  EXPECT_EQ(lineage.parent, 0U);
  EXPECT_EQ(lineage.created, world_begin + 1h);
  EXPECT_LT(lineage.first_sample, lineage.last_sample);
  EXPECT_NEAR(static_cast<double>(lineage.held_out_samples),
              static_cast<double>(lineage.training_samples + lineage.held_out_samples) / 5, 1);
}

TEST(TransferTraining, FivePercentExplorationSufficesWithTime) {
  const transfer_world world;
  const auto trained = train_transfer_model(parts_of(world.draw_many(20'000, 2)), {}, nullptr, world_begin);
  ASSERT_TRUE(trained) << trained.error();
  EXPECT_TRUE(trained->stored.lineage.gate.passed) << trained->stored.lineage.gate.text();
  EXPECT_GT(true_accuracy(trained->stored.model, world), 0.95);
}

TEST(TransferTraining, LatenciesThatCannotBeForetoldAreRefused) {
  const transfer_world world{.noise = 1.0, .exploration = 0.5};
  const auto trained = train_transfer_model(parts_of(world.draw_many(6000, 3)), {}, nullptr, world_begin);
  ASSERT_TRUE(trained) << trained.error();
  EXPECT_FALSE(trained->stored.lineage.gate.passed);
  EXPECT_THAT(trained->stored.lineage.gate.text(), HasSubstr("latencies foretold within 15 %, at least 90 %"));
}

TEST(TransferTraining, MethodsThatDoNotDifferAreRefused) {
  for (const double noise : {0.04, 0.5}) {
    const transfer_world world{.noise = noise, .exploration = 0.5, .same = true};
    const auto trained = train_transfer_model(parts_of(world.draw_many(6000, 4)), {}, nullptr, world_begin);
    ASSERT_TRUE(trained) << trained.error();
    EXPECT_FALSE(trained->stored.lineage.gate.passed) << trained->stored.lineage.gate.text();
    EXPECT_LT(trained->stored.lineage.gate.figures[0].value, 0.75)
        << "a coin's choice cannot be right nine times in ten";
  }
}

TEST(TransferTraining, AThousandTransfersWithoutExplorationTeachNoChoice) {
  const transfer_world world{.exploration = 0};
  const auto trained = train_transfer_model(parts_of(world.draw_many(1000, 5)), {}, nullptr, world_begin);
  ASSERT_TRUE(trained) << trained.error();
  EXPECT_FALSE(trained->stored.lineage.gate.passed);
  EXPECT_THAT(trained->stored.lineage.gate.text(), HasSubstr("choices could be judged, at least 100 needed"));
}

TEST(TransferTraining, OneMethodAloneTeachesNoChoice) {
  const transfer_world world{.exploration = 0, .threshold = 1e12};
  const auto trained = train_transfer_model(parts_of(world.draw_many(1000, 5)), {}, nullptr, world_begin);
  ASSERT_FALSE(trained);
  EXPECT_THAT(trained.error(), HasSubstr("choice model: nothing to learn from"));
}

TEST(TransferTraining, StallsAreDrawnInAndTheRestIsLeftAlone) {
  std::vector<float> labels{1.0F, 2.1F, 2.9F, 4.0F, 50.0F};
  const std::vector<float> fitted{1.1F, 2.0F, 3.0F, 3.9F, 5.0F};
  winsorize(labels, fitted, 4);
  EXPECT_EQ(std::vector(labels.begin(), labels.end() - 1), (std::vector{1.0F, 2.1F, 2.9F, 4.0F}));
  EXPECT_NEAR(labels.back(), 5 + 4 * 1.4826 * 0.1, 1e-4);
  winsorize({}, {}, 4);
}

TEST(TransferTraining, ContinuesAModelOnANewDay) {
  transfer_world world{.exploration = 0.5};
  const auto first = train_transfer_model(parts_of(world.draw_many(6000, 6)), {}, nullptr, world_begin);
  ASSERT_TRUE(first) << first.error();
  stored_model saved = first->stored;
  saved.lineage.id = 41;
  const auto second = train_transfer_model(parts_of(world.draw_many(6000, 7)), {}, &saved, world_begin + 1h);
  ASSERT_TRUE(second) << second.error();
  EXPECT_EQ(second->stored.lineage.parent, 41U);
  EXPECT_EQ(second->stored.model.latency_forest().tree_count(), 100U);
  EXPECT_TRUE(second->stored.lineage.gate.passed) << second->stored.lineage.gate.text();
}

TEST(TransferTraining, AContinuedModelFollowsAMachineThatBecameFaster) {
  transfer_world world{.exploration = 0.5};
  const auto first = train_transfer_model(parts_of(world.draw_many(6000, 8)), {}, nullptr, world_begin);
  ASSERT_TRUE(first) << first.error();
  world.speed = 1.5;
  const auto now = parts_of(world.draw_many(6000, 9));
  const double before = within_share(judge(first->stored.model, now.held_out, {}).latencies, 0.15);
  const auto second = train_transfer_model(now, {}, &first->stored, world_begin);
  ASSERT_TRUE(second) << second.error();
  const double after = within_share(second->judgement.latencies, 0.15);
  EXPECT_LT(before, 0.05);
  EXPECT_GT(after, 0.80);
}

TEST(TransferTraining, SameTransfersSameModel) {
  const auto parts = parts_of(transfer_world{.exploration = 0.5}.draw_many(3000, 10));
  const auto a = train_transfer_model(parts, {}, nullptr, world_begin);
  const auto b = train_transfer_model(parts, {}, nullptr, world_begin);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->stored.latency_json, b->stored.latency_json);
  EXPECT_EQ(a->stored.choice_json, b->stored.choice_json);
  EXPECT_EQ(a->stored.lineage, b->stored.lineage);
}

TEST(TransferTraining, AnEmptyTrainingPartIsAnError) {
  EXPECT_FALSE(train_transfer_model({}, {}, nullptr, world_begin));
}

} // namespace
} // namespace homeostat
