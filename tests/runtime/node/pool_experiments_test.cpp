// The experiments of pools as a service: what people do, what ends by itself, what outlives the process.
#include "runtime/node/pool_experiments.hpp"

#include "policies/search/chacha8.hpp"
#include "policies/search/normal.hpp"
#include "tests/actors/doubles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace homeostat {
namespace {

using ::testing::ElementsAre, ::testing::HasSubstr, ::testing::IsEmpty;
using testing::fake_store;
using enum experiment_phase;

const instant epoch{std::chrono::seconds(1'800'000'000)};
const std::string key = "experiment/ml/lower";

transfer_policy plain() {
  transfer_policy p;
  p.exploration_rate = 0;
  p.learning_enabled = false;
  return p;
}

/// A daemon's life between two starts: pool and service go, the store stays.
class PoolExperiments : public ::testing::Test {
protected:
  PoolExperiments() { live(); }

  void live(const transfer_policy& policy = plain()) {
    service.reset();
    pool = std::make_unique<transfer_pool>("ml", policy);
    service = std::make_unique<pool_experiments>(
        [this](const std::string& of, const std::string& text) { log.push_back(of + ": " + text); });
    service->add(*pool);
    const auto kept = store->states;
    service->restore(store, kept, now);
  }
  static experiment_settings wanted(std::string name = "lower") {
    experiment_settings s;
    s.pool = "ml";
    s.name = std::move(name);
    s.treatment = {{"zero_copy_threshold", "4 MiB"}};
    s.traffic_split = 0.5;
    s.min_samples = 1000;
    return s;
  }
  void run(std::string name = "lower") {
    const auto drafted = service->create(wanted(name), "ann", "trial", now);
    ASSERT_TRUE(drafted) << drafted.error().text;
    const auto started = service->start("ml", name, "ann", "", now);
    ASSERT_TRUE(started) << started.error().text;
  }
  /// Sends transfers of many sessions through the pool, as its actor would.
  /// @param effect  of the treatment on the logarithm of latency.
  void traffic(int transfers, double effect, double treatment_failures = 0) {
    for (int i = 0; i < transfers; ++i) {
      const auto made = pool->decide({8 * mebibyte}, "session-" + std::to_string(rng.next() % 3000));
      const bool treated = made.place.arm == experiment_arm::treatment;
      transfer_metrics m;
      m.method = made.method;
      m.data.data_size = 8 * mebibyte;
      m.latency_us = std::exp(6 + 0.4 * normal(rng) + (treated ? effect : 0));
      m.memory_used = 1000;
      m.failed = treated && rng.uniform() < treatment_failures;
      ASSERT_TRUE(pool->record(m, made.place));
      if (i % 50 == 49) tick();
    }
    tick();
  }
  void tick(duration passed = 20ms) {
    now += passed;
    std::vector<placed_outcome> placed;
    pool->learn(now, {}, [&](const transfer_metrics& m, const experiment_place& p) { placed.push_back({m, p}); });
    service->look(*pool, placed, now);
  }
  experiment_state state(const std::string& name = "lower") { return service->find("ml", name).value(); }
  std::vector<std::string> audited() {
    std::vector<std::string> texts;
    for (const audit_record& r : store->records_of(audit_kind::experiment)) texts.push_back(r.actor + ": " + r.text);
    return texts;
  }
  int treated_sessions() {
    int count = 0;
    for (int i = 0; i < 100; ++i)
      count += pool->decide({8 * mebibyte}, std::to_string(i)).place.experiment != 0 ? 1 : 0;
    return count;
  }

  std::shared_ptr<fake_store> store = std::make_shared<fake_store>();
  std::vector<std::string> log;
  instant now{epoch};
  chacha8_rng rng{11};
  std::unique_ptr<transfer_pool> pool;
  std::unique_ptr<pool_experiments> service;
};

TEST_F(PoolExperiments, DraftsSayWhatTheyWouldChange) {
  const auto drafted = service->create(wanted(), "ann", "trial", now);
  ASSERT_TRUE(drafted);
  EXPECT_EQ(drafted->phase, draft);
  EXPECT_EQ(differences(drafted->settings.control, drafted->settings.treatment),
            (policy_settings_text{{"zero_copy_threshold", "4 MiB"}}));
  EXPECT_EQ(drafted->settings.control.at("zero_copy_threshold"), "10 MiB");
  EXPECT_EQ(treated_sessions(), 0);
  EXPECT_THAT(audited(), ElementsAre("ann: experiment lower drafted: zero_copy_threshold=4 MiB. trial"));
}

TEST_F(PoolExperiments, WhatCannotBeIsRefusedWithAStatus) {
  const auto refusal = [&](experiment_settings s) {
    const auto made = service->create(std::move(s), "ann", "", now);
    return made ? "taken" : std::to_string(made.error().status) + " " + made.error().text;
  };
  experiment_settings s = wanted();
  s.pool = "nope";
  EXPECT_THAT(refusal(s), HasSubstr("404 there is no pool 'nope'"));
  for (const std::string& name : std::vector<std::string>{"", "Upper", "a/b", "9", std::string(64, 'a')}) {
    s = wanted(name);
    EXPECT_THAT(refusal(s), HasSubstr("422 name is"));
  }
  s = wanted();
  s.treatment = {};
  EXPECT_THAT(refusal(s), HasSubstr("422 treatment is empty"));
  s.treatment = {{"threshold_overrides.text", "1 MiB"}};
  EXPECT_THAT(refusal(s), HasSubstr("422 treatment: 'threshold_overrides.text' is no key"));
  s.treatment = {{"zero_copy_threshold", "1 KiB"}};
  EXPECT_THAT(refusal(s), HasSubstr("422 treatment: zero_copy_threshold is 1024 bytes, expected"));
  s.treatment = {{"zero_copy_threshold", "10 MiB"}};
  EXPECT_THAT(refusal(s), HasSubstr("422 experiment lower: both arms are the same"));
  s = wanted();
  s.traffic_split = 0.6;
  EXPECT_THAT(refusal(s), HasSubstr("422 experiment lower: traffic_split is 0.6"));
  EXPECT_THAT(service->list("ml"), IsEmpty());
  EXPECT_EQ(refusal(wanted()), "taken");
  EXPECT_THAT(refusal(wanted()), HasSubstr("409"));
  EXPECT_EQ(service->start("ml", "other", "ann", "", now).error().status, 404U);
  EXPECT_EQ(service->find("nope", "other").error().status, 404U);
}

TEST_F(PoolExperiments, OneRunsAtATime) {
  run();
  ASSERT_TRUE(service->create(wanted("second"), "ann", "", now));
  const auto second = service->start("ml", "second", "ann", "", now);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().status, 409U);
  EXPECT_THAT(second.error().text, HasSubstr("is in experiment lower"));
  EXPECT_EQ(service->start("ml", "lower", "ann", "", now).error().status, 409U);
  ASSERT_TRUE(service->reject("ml", "lower", "ann", "enough", now));
  EXPECT_EQ(treated_sessions(), 0);
  EXPECT_TRUE(service->start("ml", "second", "ann", "", now));
  EXPECT_EQ(service->running("ml")->name, "second");
}

TEST_F(PoolExperiments, ControlIsThePolicyAtTheStart) {
  ASSERT_TRUE(service->create(wanted(), "ann", "", now));
  transfer_policy later = plain();
  later.marginal_benefit = 0.1;
  ASSERT_TRUE(pool->set_policy(later, now));
  ASSERT_TRUE(service->start("ml", "lower", "ann", "", now));
  EXPECT_EQ(state().settings.control.at("marginal_benefit"), "0.1");
  EXPECT_EQ(state().settings.treatment.at("marginal_benefit"), "0.1");
  EXPECT_EQ(state().settings.treatment.at("zero_copy_threshold"), "4 MiB");
  tick();
  EXPECT_EQ(state().phase, running);
}

TEST_F(PoolExperiments, AFasterTreatmentIsFoundAndPromotedOnceTheAuthorityTookIt) {
  run();
  for (int i = 0; i < 60 && state().phase == running; ++i) traffic(400, -0.1);
  EXPECT_EQ(state().phase, concluded);
  EXPECT_EQ(state().verdict, experiment_verdict::treatment_faster);
  EXPECT_EQ(treated_sessions(), 0) << "control until somebody decides";
  EXPECT_THAT(audited().back(), HasSubstr("homeostat: experiment lower concluded, treatment_faster: p "));

  auto promoted_as = service->promote("ml", "lower", "ann", "", now, [](const auto&) -> experiment_result<std::string> {
    return std::unexpected(authority_problem{422, "no loop governs it"});
  });
  ASSERT_FALSE(promoted_as);
  EXPECT_EQ(promoted_as.error().text, "no loop governs it");
  EXPECT_EQ(state().phase, concluded) << "the authority did not take it";

  promoted_as = service->promote(
      "ml", "lower", "ann", "good", now, [&](const experiment_promotion& p) -> experiment_result<std::string> {
        EXPECT_EQ(p.pool, "ml");
        EXPECT_EQ(p.changes, (policy_settings_text{{"zero_copy_threshold", "4 MiB"}}));
        EXPECT_GT(p.confidence, 0.95);
        EXPECT_NEAR(p.gain, 1 - std::exp(-0.1), 0.05);
        EXPECT_LT(p.gain_low, p.gain);
        EXPECT_THAT(p.evidence, HasSubstr("latency lower by"));
        EXPECT_EQ(service->promote("ml", "lower", "bob", "", now, {}).error().status, 409U) << "it is under way";
        EXPECT_EQ(service->reject("ml", "lower", "bob", "", now).error().status, 409U);
        return "17";
      });
  ASSERT_TRUE(promoted_as) << promoted_as.error().text;
  EXPECT_EQ(promoted_as->phase, promoted);
  EXPECT_EQ(promoted_as->proposal, "17");
  EXPECT_EQ(promoted_as->decided_by, "ann");
  EXPECT_EQ(audited().back(), "ann: experiment lower promoted as proposal 17. good");
  EXPECT_EQ(service->promote("ml", "lower", "bob", "", now, {}).error().status, 409U);
  live();
  EXPECT_EQ(state().proposal, "17");
}

TEST_F(PoolExperiments, IsNotPromotedOntoAnotherPolicy) {
  run();
  for (int i = 0; i < 60 && state().phase == running; ++i) traffic(400, -0.1);
  transfer_policy later = plain();
  later.maximum_threshold = 512 * mebibyte;
  ASSERT_TRUE(pool->set_policy(later, now));
  const auto refused = service->promote("ml", "lower", "ann", "", now, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("maximum_threshold was 1 GiB, is 512 MiB"));
}

TEST_F(PoolExperiments, AHarmfulTreatmentIsStoppedByAGuardWithinOneLook) {
  run();
  for (int i = 0; i < 100 && state().phase == running; ++i) traffic(50, 0, 0.3);
  EXPECT_EQ(state().phase, stopped_by_guard);
  EXPECT_THAT(state().reason, HasSubstr("failed share"));
  EXPECT_EQ(treated_sessions(), 0);
  EXPECT_EQ(service->promote("ml", "lower", "ann", "", now, {}).error().status, 409U);
  EXPECT_TRUE(service->reject("ml", "lower", "ann", "", now));
}

TEST_F(PoolExperiments, AnotherPolicyEndsItAndSaysWhy) {
  run();
  traffic(500, 0);
  transfer_policy other = plain();
  other.goal = transfer_goal::minimize_memory;
  ASSERT_TRUE(pool->set_policy(other, now));
  tick();
  EXPECT_EQ(state().phase, rejected);
  EXPECT_THAT(state().reason, HasSubstr("goal was balanced, is minimize_memory"));
  EXPECT_FALSE(service->running("ml"));
  EXPECT_THAT(audited().back(), HasSubstr("homeostat: experiment lower rejected: the pool's policy is no longer"));

  run("again");
  pool->reset(now, "rollback to rules");
  tick();
  EXPECT_EQ(state("again").phase, rejected);
  EXPECT_THAT(state("again").reason, HasSubstr("forgotten"));
}

TEST_F(PoolExperiments, EndsByTimeWithoutTraffic) {
  experiment_settings s = wanted();
  s.max_duration = 1h;
  ASSERT_TRUE(service->create(s, "ann", "", now));
  ASSERT_TRUE(service->start("ml", "lower", "ann", "", now));
  tick(59min);
  EXPECT_EQ(state().phase, running);
  tick(1min);
  EXPECT_EQ(state().phase, concluded);
  EXPECT_EQ(state().verdict, experiment_verdict::no_difference);
}

TEST_F(PoolExperiments, GoesOnAfterKill) {
  run();
  traffic(4000, 0);
  tick(5s); // counts are kept every few seconds
  const experiment_state before = state();
  EXPECT_GT(before.treatment.log_latency.count, 1500U);
  std::vector<experiment_arm> arms;
  for (int i = 0; i < 200; ++i) arms.push_back(pool->place_of(std::to_string(i)).arm);
  live();
  EXPECT_EQ(state(), before);
  EXPECT_THAT(log.back(), HasSubstr("goes on"));
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(pool->place_of(std::to_string(i)).arm, arms[static_cast<std::size_t>(i)]) << "sticky";
  traffic(1000, 0);
  EXPECT_EQ(state().control.log_latency.count + state().treatment.log_latency.count,
            before.control.log_latency.count + before.treatment.log_latency.count + 1000);
}

TEST_F(PoolExperiments, WhatWasCountedAtAnOrderlyStopIsKept) {
  run();
  traffic(500, 0);
  const experiment_state before = state();
  service->keep_all();
  live();
  EXPECT_EQ(state(), before);
}

TEST_F(PoolExperiments, DoesNotGoOnWithAnotherControl) {
  run();
  transfer_policy other = plain();
  other.zero_copy_threshold = 12 * mebibyte;
  live(other);
  EXPECT_EQ(state().phase, rejected);
  EXPECT_THAT(state().reason, HasSubstr("since the restart: zero_copy_threshold was 10 MiB, is 12 MiB"));
  EXPECT_EQ(treated_sessions(), 0);
  live();
  EXPECT_EQ(state().phase, rejected) << "that is durable too";
}

TEST_F(PoolExperiments, DamageIsLeftOutAndSaid) {
  run();
  const std::string sound = store->states.at(key);
  std::vector<std::string> damaged{"", "short", sound.substr(0, sound.size() / 2)};
  for (std::size_t at = 0; at < sound.size(); at += 97) {
    damaged.push_back(sound);
    damaged.back()[at] = static_cast<char>(damaged.back()[at] ^ 4);
  }
  for (const std::string& bytes : damaged) {
    store->states = {{key, bytes}};
    live();
    EXPECT_THAT(service->list("ml"), IsEmpty());
    EXPECT_THAT(log.back(), HasSubstr("'experiment/ml/lower' is left out"));
    EXPECT_EQ(treated_sessions(), 0);
  }
  store->states = {{"experiment/ml/other", sound}, {"experiment/gone/lower", sound}, {"experiment/", sound}};
  live();
  EXPECT_THAT(service->list("ml"), IsEmpty()) << "what lies under another name is not believed";
  store->states = {{key, sound}};
  live();
  EXPECT_EQ(state().phase, running);
}

TEST_F(PoolExperiments, WhatTheStoreRefusesIsTriedAgainWithItsRecords) {
  store->submits = fake_store::way::failing;
  run();
  EXPECT_THAT(audited(), IsEmpty());
  store->submits = fake_store::way::at_once;
  tick(100ms);
  EXPECT_THAT(audited(), IsEmpty()) << "not at every look";
  tick(1s);
  EXPECT_THAT(audited(), ElementsAre(HasSubstr("drafted"), "ann: experiment lower started"));
  live();
  EXPECT_EQ(state().phase, running);
}

TEST_F(PoolExperiments, TheOldestThatIsOverMakesRoom) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(service->create(wanted("e" + std::to_string(i)), "ann", "", now += 1s));
  const auto full = service->create(wanted("more"), "ann", "", now);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().status, 409U);
  ASSERT_TRUE(service->reject("ml", "e7", "ann", "", now));
  ASSERT_TRUE(service->create(wanted("more"), "ann", "", now += 1s));
  EXPECT_EQ(service->list("ml").size(), 50U);
  EXPECT_FALSE(service->find("ml", "e7"));
  EXPECT_FALSE(store->states.contains("experiment/ml/e7"));
  live();
  EXPECT_EQ(service->list("ml").size(), 50U);
  EXPECT_EQ(service->list("ml").back().settings.name, "more") << "by age";
}

} // namespace
} // namespace homeostat
