#include "runtime/node/pool_advisor.hpp"

#include "policies/search/chacha8.hpp"
#include "policies/search/normal.hpp"
#include "tests/runtime/store/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

namespace homeostat {
namespace {

constexpr instant epoch{std::chrono::seconds(1'800'000'000)}; // a whole minute

/// A store in memory, which can be made to refuse.
class memory_store final : public store_port {
public:
  bool submit(audit_batch batch, std::function<void(audit_answer)> done) override {
    audit_answer answer;
    {
      const std::lock_guard hold(mutex_);
      if (fails) {
        answer = {.ticket = 0, .status = audit_status::failed, .text = "the disk is on fire"};
      } else {
        for (const kept_state& k : batch.kept) kept_[k.key] = k.value;
        for (const audit_record& r : batch.records) texts_.push_back(r.actor + ": " + r.text);
      }
    }
    done(answer);
    return true;
  }
  bool save(std::string, std::string, std::function<void(audit_answer)>) override { return false; }
  void load(std::string key, std::function<void(loaded)> done) override { done(state(key)); }
  std::optional<std::string> state(const std::string& key) {
    const std::lock_guard hold(mutex_);
    const auto found = kept_.find(key);
    return found == kept_.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<std::string> texts() {
    const std::lock_guard hold(mutex_);
    return texts_;
  }
  std::atomic<bool> fails{false};

private:
  std::mutex mutex_;
  std::map<std::string, std::string> kept_;
  std::vector<std::string> texts_;
};

/// One pool whose methods cross at 40 MiB, while its threshold says 10 MiB; an authority and a clock in the test's
/// hand.
class pool_advice : public ::testing::Test {
protected:
  pool_advice() { advise(); }

  void advise() {
    advisor_.reset();
    advisor_ = std::make_unique<pool_advisor>(
        pools_, pool_advisor::ports{
                    .fate = [this](const std::string& id) -> std::optional<proposal_fate> {
                      const std::lock_guard hold(mutex_);
                      return id == "7" ? fate_ : std::nullopt;
                    },
                    .store = store_.get(),
                    .load = [this](const std::string& key) -> std::expected<std::optional<std::string>, std::string> {
                      return store_->state(key);
                    },
                    .now = [this] { return epoch + duration(now_.load()); },
                    .note = [](const std::string&, const std::string&) {}});
  }
  void go(duration by) { now_ += by.count(); }
  void fate(const char* state) {
    const std::lock_guard hold(mutex_);
    fate_ = proposal_fate{.state = state, .decision = "bob"};
  }

  /// Minutes of transfers up to now: most the way of the threshold, a few the other.
  void transfers(int minutes) {
    const std::uint64_t threshold = pools_.find("ml")->policy().zero_copy_threshold;
    for (int minute = 0; minute < minutes; ++minute, go(1min))
      for (const std::uint64_t mib : {4U, 16U, 24U, 64U, 128U})
        for (int i = 0; i < 22; ++i) {
          transfer_metrics m;
          m.timestamp = epoch + duration(now_.load());
          m.data.data_size = mib << 20U;
          const bool usual = i < 20;
          m.method = (m.data.data_size >= threshold) == usual ? transfer_method::zero_copy : transfer_method::grpc;
          m.latency_us = 1000.0 * (m.method == transfer_method::grpc ? static_cast<double>(mib) : 40.0) *
                         std::exp(0.05 * normal(rng_));
          m.explored = !usual;
          m.generation = 1;
          pools_.metrics().observe("ml", m, m.timestamp);
        }
  }

  transfer_recommendation advised() {
    for (const transfer_recommendation& r : advisor_->advice("ml"))
      if (r.key == "zero_copy_threshold") return r;
    ADD_FAILURE() << "no advice on the threshold";
    return {};
  }
  std::expected<transfer_recommendation, pool_advisor::refusal> decide(const std::string& id, advice_verb verb,
                                                                       std::optional<instant> until = {}) {
    audit_record record;
    record.actor = "ann";
    record.text = "decided";
    return advisor_->decide("ml", id, verb, std::move(record), "because", until);
  }
  /// Waits for the thread to follow the proposal.
  transfer_recommendation followed(const std::function<bool(const transfer_recommendation&)>& as_wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    transfer_recommendation r = advised();
    while (!as_wanted(r) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      r = advised();
    }
    EXPECT_TRUE(as_wanted(r)) << name_of(r.state) << " " << r.decision;
    return r;
  }

  temporary_folder folder_;
  chacha8_rng rng_{5};
  std::atomic<std::int64_t> now_{0};
  std::mutex mutex_; ///< guards the fate
  std::optional<proposal_fate> fate_;
  std::shared_ptr<memory_store> store_{std::make_shared<memory_store>()};
  transfer_pools pools_{{pool_config{.name = "ml", .supervision = {}, .transfer = transfer_policy{}}},
                        1,
                        (folder_ / "node").string(),
                        store_,
                        epoch,
                        {}};
  std::unique_ptr<pool_advisor> advisor_;
};

TEST_F(pool_advice, WhatIsDismissedStaysDismissedAlsoAfterARestart) {
  transfers(120);
  const transfer_recommendation found = advised();
  EXPECT_EQ(found.state, advice_state::open);
  ASSERT_TRUE(found.gain);
  const auto decided = decide(found.id, advice_verb::dismiss);
  ASSERT_TRUE(decided) << decided.error().text;
  EXPECT_EQ(store_->texts(), std::vector<std::string>{"ann: decided"});
  EXPECT_EQ(decide(found.id, advice_verb::accept).error().status, 409U);
  EXPECT_EQ(decide("none", advice_verb::accept).error().status, 404U);
  advise();
  go(1min);
  const transfer_recommendation again = advised();
  EXPECT_EQ(again.state, advice_state::dismissed);
  EXPECT_EQ(again.decided_by, "ann");
  EXPECT_EQ(again.decision, "because");
}

TEST_F(pool_advice, TheSnippetIsAConfiguration) {
  transfers(120);
  const transfer_recommendation found = advised();
  const auto config = load_config_text("node.yaml", R"(apiVersion: homeostat/v1
kind: Node
metadata: {name: n}
spec: {store: {path: /tmp/none.db}}
---
)" + found.snippet);
  ASSERT_TRUE(config) << to_string(config.error().front());
  const auto pool = std::ranges::find(config->pools, std::string("ml"), &pool_config::name);
  ASSERT_NE(pool, config->pools.end());
  EXPECT_EQ(std::to_string(pool->transfer->zero_copy_threshold), found.value);
}

TEST_F(pool_advice, WhatCannotBeRecordedIsNotDecided) {
  transfers(120);
  const std::string id = advised().id;
  store_->fails = true;
  const auto refused = decide(id, advice_verb::dismiss);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 503U);
  EXPECT_EQ(refused.error().text, "the decision could not be recorded: the disk is on fire");
  EXPECT_EQ(advised().state, advice_state::open);
  store_->fails = false;
  EXPECT_EQ(decide(id, advice_verb::snooze).error().status, 422U);
  EXPECT_TRUE(decide(id, advice_verb::snooze, epoch + 24h));
}

TEST_F(pool_advice, WhatIsAppliedIsMeasuredAndItsOutcomeStays) {
  transfers(120);
  const transfer_recommendation found = advised();
  ASSERT_TRUE(decide(found.id, advice_verb::accept));
  EXPECT_EQ(advisor_->proposed("ml", found.id, "7").proposal, "7");
  fate("pending");
  EXPECT_EQ(advised().state, advice_state::accepted);

  transfer_policy policy = pools_.find("ml")->policy();
  policy.zero_copy_threshold = std::stoull(found.value);
  ASSERT_TRUE(pools_.find("ml")->set_policy(policy, epoch));
  fate("applied");
  const instant before = epoch + duration(now_.load());
  const transfer_recommendation applied = followed([](const auto& r) { return r.applied.has_value(); });
  EXPECT_GE(*applied.applied, before);

  transfers(120);
  advise(); // a restart loses nothing of it
  const transfer_recommendation so_far = advised();
  ASSERT_TRUE(so_far.outcome);
  EXPECT_FALSE(so_far.measured);
  EXPECT_GT(so_far.outcome->measured.low, 0) << so_far.outcome->text;
  EXPECT_NEAR(so_far.outcome->measured.share, so_far.gain->share, 0.15) << so_far.outcome->text;
  go(24h);
  const transfer_recommendation last = advised();
  EXPECT_TRUE(last.measured);
  EXPECT_EQ(name_of(last.outcome->verdict), name_of(so_far.outcome->verdict));
  advise();
  EXPECT_EQ(advised().outcome, last.outcome) << "kept";
}

TEST_F(pool_advice, ARejectedProposalDismissesAndALostOneOpensAgain) {
  transfers(120);
  const std::string id = advised().id;
  ASSERT_TRUE(decide(id, advice_verb::accept));
  advisor_->not_proposed("ml", id, "no proposal came of it: the authority is away");
  EXPECT_EQ(advised().state, advice_state::open);
  ASSERT_TRUE(decide(id, advice_verb::accept));
  (void)advisor_->proposed("ml", id, "7");
  fate("rejected");
  EXPECT_EQ(followed([](const auto& r) { return r.state == advice_state::dismissed; }).decision,
            "proposal 7 rejected: bob");
}

TEST_F(pool_advice, DamagedMemoryIsLeftOut) {
  transfers(120);
  ASSERT_TRUE(decide(advised().id, advice_verb::dismiss));
  audit_batch damaged;
  damaged.kept = {{.key = "transfer_advice/ml", .value = "\xff\xff"}};
  ASSERT_TRUE(store_->submit(damaged, [](const audit_answer&) {}));
  advise();
  EXPECT_EQ(advised().state, advice_state::open);
}

} // namespace
} // namespace homeostat
