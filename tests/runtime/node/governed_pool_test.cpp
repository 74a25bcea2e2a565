// A pool as the loop over its policy sees it, and what of it outlives the process.
#include "runtime/node/governed_pool.hpp"

#include "messages/codec.hpp"
#include "policies/transfer/policy_knobs.hpp"

#include <gtest/gtest.h>

#include <map>

namespace homeostat {
namespace {

/// A store of a map, which fails on command.
class map_store final : public store_port {
public:
  bool submit(audit_batch batch, std::function<void(audit_answer)> done) override {
    if (full) return false;
    if (failing) return done({.ticket = 0, .status = audit_status::failed, .text = "the disk is gone"}), true;
    ++writes;
    for (const kept_state& kept : batch.kept)
      if (kept.value.empty())
        values.erase(kept.key);
      else
        values[kept.key] = kept.value;
    if (!silent) done({});
    return true;
  }
  bool save(std::string, std::string, std::function<void(audit_answer)>) override { return false; }
  void load(std::string key, std::function<void(loaded)> done) override {
    if (failing) return done(std::unexpected("the disk is gone"));
    const auto found = values.find(key);
    done(found == values.end() ? std::optional<std::string>() : std::optional(found->second));
  }
  std::map<std::string, std::string> values;
  bool failing{false};
  bool full{false};
  bool silent{false}; ///< takes everything and answers nothing
  int writes{0};
};

class governed_pool_test : public testing::Test {
protected:
  /// What a start of the node does.
  void start(const transfer_policy& configured) {
    pool = std::make_unique<transfer_pool>("tensors", recalled_policy(*store, "tensors", configured, note));
    governed = std::make_unique<governed_pool>(*pool, configured, store);
    governed->recall_learned(note);
  }
  static governed_pool::edit threshold(std::uint64_t bytes) {
    return [bytes](transfer_policy policy) {
      policy.zero_copy_threshold = bytes;
      return policy;
    };
  }
  void teach() {
    for (int i = 0; i < 20; ++i)
      for (const transfer_method method : transfer_methods) {
        transfer_metrics done;
        done.method = method;
        done.data.data_size = 2 * mebibyte;
        done.latency_us = method == transfer_method::grpc ? 9000 : 300;
        pool->record(done);
      }
    pool->learn(instant{}, {});
  }
  [[nodiscard]] bool knows() const { return pool->decide({.data_size = 2 * mebibyte}).grpc_us > 0; }

  std::shared_ptr<map_store> store = std::make_shared<map_store>();
  std::vector<std::string> notes;
  pool_note note = [this](const std::string&, const std::string& text) { notes.push_back(text); };
  std::unique_ptr<transfer_pool> pool;
  std::unique_ptr<governed_pool> governed;
};

TEST_F(governed_pool_test, applies_knobs_and_reads_them_back) {
  start({});
  named_values wanted = knobs_of(transfer_policy{});
  wanted["zero_copy_threshold"] = 3e6;
  wanted["goal"] = 1;
  EXPECT_EQ(governed->apply(wanted, 1s).value(), wanted);
  EXPECT_EQ(pool->policy().zero_copy_threshold, 3'000'000U);
  EXPECT_EQ(pool->policy().goal, transfer_goal::minimize_latency);
  EXPECT_EQ(governed->read_back(1s).value(), wanted);
  EXPECT_EQ(governed->apply({{"zero_copy_threshold", 10}}, 1s).error().what,
            "pool tensors: zero_copy_threshold is 10 bytes, expected 1048576 to 1073741824");
  EXPECT_EQ(governed->read_back(1s).value(), wanted) << "nothing of it";
}

TEST_F(governed_pool_test, reports_outcomes_once_and_an_idle_pool_reports_none) {
  start({});
  transfer_metrics done;
  done.data.data_size = 1'000'000;
  done.latency_us = 500;
  const instant begin{100s};
  (void)governed->read(begin, 1s);
  governed->observe(done);
  const reading busy = governed->read(begin + 2s, 1s).value();
  EXPECT_EQ(busy.begin, begin);
  EXPECT_EQ(busy.sample_count, 1U);
  EXPECT_EQ(busy.metrics.at("throughput_per_s"), 0.5);
  EXPECT_EQ(busy.metrics.at("goodput_mbps"), 4);
  EXPECT_EQ(busy.metrics.at("latency_p99_ms"), 0.5);
  EXPECT_EQ(busy.metrics.at("cost_ratio"), 1);
  EXPECT_EQ(governed->read(begin + 3s, 1s).value().sample_count, 0U) << "no digest counts it";
}

TEST_F(governed_pool_test, a_policy_changed_at_run_time_outlives_the_process) {
  start({});
  ASSERT_TRUE(governed->change(threshold(3 * mebibyte)));
  start({});
  EXPECT_EQ(pool->policy().zero_copy_threshold, 3 * mebibyte);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0], "begins with its policy as it was changed at run time");
}

TEST_F(governed_pool_test, what_the_store_does_not_take_is_not_in_force) {
  start({});
  for (bool* trouble : {&store->failing, &store->full}) {
    *trouble = true;
    EXPECT_FALSE(governed->change(threshold(3 * mebibyte)));
    EXPECT_EQ(pool->policy(), transfer_policy{});
    *trouble = false;
  }
}

TEST_F(governed_pool_test, after_a_change_whose_end_nobody_knows_the_store_is_told_what_holds) {
  start({});
  store->silent = true;
  EXPECT_FALSE(governed->change(threshold(3 * mebibyte), 1ms)) << "written, but nobody says so";
  store->silent = false;
  ASSERT_TRUE(governed->change(threshold(10 * mebibyte))); // as it is: the governor's undo
  start({});
  EXPECT_EQ(pool->policy(), transfer_policy{});
}

TEST_F(governed_pool_test, a_wrong_policy_is_neither_in_force_nor_kept) {
  start({});
  const auto bad_rule = [](transfer_policy policy) {
    policy.rules = {{"r", 1, transfer_method::grpc, "no_such_metric > 1"}};
    return policy;
  };
  EXPECT_FALSE(governed->change(bad_rule));
  EXPECT_FALSE(governed->change(threshold(1)));
  EXPECT_EQ(store->writes, 0);
}

TEST_F(governed_pool_test, another_configuration_wins_and_for_good) {
  start({});
  ASSERT_TRUE(governed->change(threshold(3 * mebibyte)));
  transfer_policy other;
  other.exploration_rate = 0.2;
  start(other);
  EXPECT_EQ(pool->policy(), other);
  EXPECT_EQ(notes.at(0), "the transfer section of the configuration has changed: it holds, and changes made at run "
                         "time are gone");
  start({});
  EXPECT_EQ(pool->policy(), transfer_policy{}) << "what was kept does not come back with the old configuration";
  EXPECT_EQ(notes.size(), 1U);
}

TEST_F(governed_pool_test, a_damaged_policy_is_said_and_left_out) {
  start({});
  ASSERT_TRUE(governed->change(threshold(3 * mebibyte)));
  store->values["pool/tensors/policy"].resize(20);
  start({});
  EXPECT_EQ(pool->policy(), transfer_policy{});
  EXPECT_TRUE(notes.at(0).starts_with("its policy as changed at run time is damaged")) << notes.at(0);
}

TEST_F(governed_pool_test, a_store_that_cannot_be_read_is_no_start) {
  store->failing = true;
  EXPECT_THROW(start({}), std::runtime_error);
}

TEST_F(governed_pool_test, what_was_learned_outlives_the_process) {
  start({});
  EXPECT_FALSE(knows());
  teach();
  ASSERT_TRUE(knows());
  governed->keep_learned();
  start({});
  EXPECT_TRUE(knows());
  EXPECT_TRUE(notes.empty());
}

TEST_F(governed_pool_test, a_pool_at_rest_is_kept_once) {
  start({});
  teach();
  governed->keep_learned();
  governed->keep_learned();
  EXPECT_EQ(store->writes, 1);
  store->full = true;
  teach();
  governed->keep_learned();
  store->full = false;
  governed->keep_learned();
  EXPECT_EQ(store->writes, 2) << "what found no room is tried again";
}

TEST_F(governed_pool_test, what_was_forgotten_does_not_come_back) {
  start({});
  teach();
  governed->keep_learned();
  ASSERT_TRUE(governed->forget_learned("test"));
  EXPECT_FALSE(knows());
  start({});
  EXPECT_FALSE(knows());
}

TEST_F(governed_pool_test, without_learning_nothing_of_it_is_kept_or_taken_up) {
  start({});
  teach();
  governed->keep_learned();
  transfer_policy off;
  off.learning_enabled = false;
  start(off);
  EXPECT_EQ(pool->memory().costs.cells.size(), 0U);
  teach();
  governed->keep_learned();
  EXPECT_EQ(store->writes, 1);
}

TEST_F(governed_pool_test, damaged_learning_is_said_and_left_out) {
  start({});
  teach();
  governed->keep_learned();
  transfer_memory bad = pool->memory();
  bad.costs.cells.at(0).latency = -1;
  for (const std::string& bytes : {encode(bad), std::string("nonsense"), encode(pool->memory()).substr(0, 50)}) {
    store->values["pool/tensors/learned"] = bytes;
    notes.clear();
    start({});
    EXPECT_FALSE(knows());
    ASSERT_EQ(notes.size(), 1U);
    EXPECT_TRUE(notes[0].starts_with("what it learned is damaged, it begins afresh: ")) << notes[0];
  }
}

} // namespace
} // namespace homeostat
