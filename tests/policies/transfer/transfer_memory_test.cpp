#include "cost_world.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace homeostat {
namespace {

/// A machine on which shared memory wins from some 300 KiB on.
cost_world world() {
  return {[](transfer_method m, const transfer_characteristics& data) {
            const auto bytes = static_cast<double>(data.data_size);
            return m == transfer_method::grpc ? 100 + 3e-3 * bytes : 900 + 0.3e-3 * bytes;
          },
          0.1, chacha8_rng(7, 3)};
}

transfer_learner taught() {
  transfer_learner learner(latency_policy());
  cost_world machine = world();
  instant now{};
  run_transfers(learner, machine, 2000, 256, 128 * mebibyte, now);
  run_transfers(learner, machine, 500, 256, 128 * mebibyte, now, data_type::tensor);
  return learner;
}

TEST(transfer_memory, decides_after_a_restart_as_before) {
  transfer_learner before = taught();
  transfer_learner after(latency_policy());
  ASSERT_TRUE(after.remember(before.memory(), instant{}));
  const transfer_view was = before.look(instant{});
  const transfer_view is = after.look(instant{});
  for (std::size_t t = 0; t < data_type_count; ++t) {
    EXPECT_EQ(is.thresholds[t], was.thresholds[t]);
    for (std::size_t c = 0; c < cost_class_count; ++c) {
      EXPECT_EQ(is.entries[t][c].gain, was.entries[t][c].gain);
      EXPECT_EQ(is.entries[t][c].evidence, was.entries[t][c].evidence);
      EXPECT_EQ(is.entries[t][c].confidence, was.entries[t][c].confidence);
      EXPECT_EQ(is.entries[t][c].explore, was.entries[t][c].explore) << "the ledger of exploration";
    }
  }
  EXPECT_GT(is.generation, was.generation) << "outcomes of before are told apart";
  EXPECT_EQ(after.recent_slowdown(), before.recent_slowdown());
  EXPECT_EQ(after.memory().costs, before.memory().costs);
}

TEST(transfer_memory, of_a_fresh_learner_is_sound_and_changes_nothing) {
  transfer_learner learner(latency_policy());
  const transfer_memory none = learner.memory();
  EXPECT_TRUE(check(none));
  EXPECT_TRUE(none.costs.cells.empty());
  ASSERT_TRUE(learner.remember(none, instant{}));
  EXPECT_EQ(learner.look(instant{}).thresholds[0], latency_policy().zero_copy_threshold);
}

TEST(transfer_memory, is_bounded_whatever_was_learned) {
  transfer_learner learner(latency_policy());
  for (std::size_t p = 0; p < pressure_count; ++p)
    for (std::size_t t = 0; t < data_type_count; ++t)
      for (const transfer_method m : transfer_methods)
        for (std::size_t c = 0; c < cost_class_count; ++c) {
          transfer_metrics done;
          done.method = m;
          done.data = {cost_class_begin(c), static_cast<data_type>(t), data_format::raw, false};
          done.latency_us = 100;
          done.explored = true;
          learner.conditions({.cpu_load = (p & 2U) != 0 ? 1.0 : 0, .memory_used = (p & 1U) != 0 ? 1.0 : 0});
          learner.record(done);
        }
  const transfer_memory all = learner.memory();
  EXPECT_TRUE(check(all));
  // Of the 2 x 72 classes below 2 bytes some share a size.
  EXPECT_LE(all.costs.cells.size(), pressure_count * data_type_count * transfer_method_count * cost_class_count);
  EXPECT_GT(all.costs.cells.size(), pressure_count * data_type_count * transfer_method_count * (cost_class_count - 3));
}

struct damage {
  const char* name;
  std::function<void(transfer_memory&)> make;
  const char* sentence;
};

TEST(transfer_memory, that_is_damaged_is_refused_whole) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinite = std::numeric_limits<double>::infinity();
  const std::vector<damage> damages{
      {"latency of no number", [=](auto& m) { m.costs.cells[3].latency = nan; }, "latency is "},
      {"latency of nothing", [](auto& m) { m.costs.cells[3].latency = 0; }, "latency is 0"},
      {"infinite square", [=](auto& m) { m.costs.cells[3].square = infinite; }, "square is inf"},
      {"negative processor time", [](auto& m) { m.costs.cells[3].cpu = -1; }, "cpu is -1"},
      {"weight of nothing", [](auto& m) { m.costs.cells[3].weight = 0; }, "weight is 0"},
      {"weight beyond a cell's", [](auto& m) { m.costs.cells[3].weight = 31; }, "weight is 31"},
      {"more than was recorded", [](auto& m) { m.costs.cells[3].last = m.costs.recorded[0] + 1; }, "last is "},
      {"a class there is not", [](auto& m) { m.costs.cells[3].size_class = cost_class_count; }, "size class is 72"},
      {"a pressure there is not", [](auto& m) { m.costs.cells[3].under = static_cast<pressure>(4); }, "pressure is 4"},
      {"a cell twice", [](auto& m) { m.costs.cells.push_back(m.costs.cells[0]); }, "a cell is there twice"},
      {"a run beyond the longest", [](auto& m) { m.costs.cells[3].run = 4; }, "run is 4"},
      {"a count that overflows", [](auto& m) { m.costs.recorded[2] = ~std::uint64_t{0}; }, "recorded is "},
      {"threshold factor of no number", [=](auto& m) { m.performance[1] = nan; }, "performance is "},
      {"threshold factor below 0", [](auto& m) { m.performance[1] = -1; }, "performance is -1"},
      {"loss below 0", [](auto& m) { m.accounts.at(0).loss_us = -1; }, "loss_us is -1"},
      {"infinite time", [=](auto& m) { m.accounts.at(0).time_us = infinite; }, "time_us is inf"},
      {"an account twice", [](auto& m) { m.accounts.push_back(m.accounts.at(0)); }, "an account is there twice"},
      {"more tries than a promise has", [](auto& m) { m.promises.push_back({{}, {}, 5, {}, 4}); }, "tries is 4"},
      {"slowdown of no number", [=](auto& m) { m.slowdown = nan; }, "slowdown is "},
      {"a generation that overflows", [](auto& m) { m.generation = ~std::uint64_t{0}; }, "generation is "},
  };
  transfer_learner source = taught();
  const transfer_memory sound = source.memory();
  ASSERT_TRUE(check(sound)) << check(sound).error();
  for (const damage& d : damages) {
    transfer_memory bad = sound;
    d.make(bad);
    transfer_learner learner(latency_policy());
    const auto taken = learner.remember(bad, instant{});
    ASSERT_FALSE(taken) << d.name;
    EXPECT_TRUE(taken.error().starts_with(d.sentence)) << d.name << ": " << taken.error();
    EXPECT_TRUE(learner.memory().costs.cells.empty()) << d.name << ": nothing of it is taken";
  }
}

TEST(transfer_memory, keeps_what_was_learned_under_another_policy_within_its_bounds) {
  transfer_learner before = taught();
  transfer_policy narrow = latency_policy();
  narrow.zero_copy_threshold = narrow.minimum_threshold = 8 * mebibyte;
  narrow.maximum_threshold = 16 * mebibyte;
  transfer_learner after(narrow);
  ASSERT_TRUE(after.remember(before.memory(), instant{}));
  for (const std::uint64_t threshold : after.look(instant{}).thresholds) {
    EXPECT_GE(threshold, 8 * mebibyte);
    EXPECT_LE(threshold, 16 * mebibyte);
  }
}

} // namespace
} // namespace homeostat
