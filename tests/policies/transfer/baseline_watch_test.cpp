#include "policies/transfer/baseline_watch.hpp"

#include "tests/policies/transfer/transfer_rig.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace homeostat::testing {
namespace {

/// What baseline_watch saves: every series is cut from its first minute on, every time.
void show_full_cut(std::map<series_key, performance_baseline>& baselines, const metrics_store& store,
                   const std::vector<generation_start>& starts, instant now) {
  for (const auto& [key, minutes] : store.series(instant{}, std::chrono::floor<std::chrono::minutes>(now)))
    for (const metrics_window& window : windows_of(minutes, {}))
      if (window.end > baselines[key].last) (void)observe(baselines[key], window, starts, {});
}

/// Half a day of series of every pace, among them one too rare for windows and one that rests for hours.
struct traffic {
  chacha8_rng rng{7};
  std::uint64_t generation{1};

  void second(instant now, const std::function<void(const transfer_metrics&)>& each) {
    const auto hour = std::chrono::floor<std::chrono::hours>(now - epoch).count();
    const double per_second[] = {3, 0.5, 0.05, 0.002, hour % 4 == 1 ? 2.0 : 0.0};
    for (std::size_t i = 0; i < std::size(per_second); ++i) {
      if (rng.uniform() >= per_second[i]) continue;
      const duration late{static_cast<std::int64_t>(5e6 * rng.uniform())};
      transfer_metrics m = transfer_at(now - late, 100 * std::exp(0.1 * normal(rng)),
                                       i % 2 == 0 ? transfer_method::grpc : transfer_method::zero_copy, 1U << (12 + i));
      m.generation = generation;
      each(m);
    }
  }
};

TEST(BaselineWatch, FormsWhatAFullCutOfEverySeriesForms) {
  baseline_watch watch;
  std::map<series_key, performance_baseline> full;
  metrics_store store;
  std::vector<generation_start> starts{{1, epoch}};
  traffic of;
  for (instant now = epoch; now < epoch + 12h; now += 1s) {
    of.second(now, [&](const transfer_metrics& m) {
      ASSERT_EQ(store.record(m, now), record_outcome::recorded);
      watch.note(key_of(m), now);
    });
    if ((now - epoch) % 3h == 20min) starts.push_back({++of.generation, now});
    // Looks come now and then a minute late, as an actor's do, and when every late transfer of the minute is in.
    if ((now - epoch) % 1min != 7s || of.rng.uniform() < 0.1) continue;
    watch.show(store, starts, now, {});
    show_full_cut(full, store, starts, now);
  }
  watch.show(store, starts, epoch + 13h, {});
  show_full_cut(full, store, starts, epoch + 13h);
  std::erase_if(watch.baselines, [](const auto& one) { return one.second == performance_baseline{}; });
  std::erase_if(full, [](const auto& one) { return one.second == performance_baseline{}; });
  EXPECT_EQ(watch.baselines.size(), 4U) << "the rarest gives no window";
  for (const auto& [key, baseline] : full) {
    EXPECT_EQ(watch.baselines[key], baseline) << text_of(key);
    EXPECT_GT(baseline.accepted + baseline.windows.size(), 0U) << text_of(key);
  }
  EXPECT_EQ(watch.baselines.size(), full.size());
}

TEST(BaselineWatch, ALateTransferCountsInTheWindowThatIsOpen) {
  baseline_watch watch;
  metrics_store store;
  const auto record = [&](instant at, instant now, int count) {
    for (int i = 0; i < count; ++i) {
      const transfer_metrics m = transfer_at(at, 100);
      ASSERT_EQ(store.record(m, now), record_outcome::recorded);
      watch.note(key_of(m), now);
    }
  };
  record(epoch, epoch, 10);
  watch.show(store, {}, epoch + 2min, {});
  record(epoch + 1s, epoch + 2min, 10); // 10 + 10: the first minute is a window after all
  watch.show(store, {}, epoch + 3min, {});
  EXPECT_EQ(watch.baselines.begin()->second.last, epoch + 1min);
  record(epoch + 2s, epoch + 4min, 20); // too late for that one
  watch.show(store, {}, epoch + 5min, {});
  EXPECT_EQ(watch.baselines.begin()->second.last, epoch + 1min);
  EXPECT_EQ(watch.baselines.begin()->second.out_of_order, 0U);
}

TEST(BaselineWatch, ARestoredStoreIsShownWhole) {
  metrics_store store;
  for (int minute = 0; minute < 40; ++minute)
    for (int i = 0; i < 20; ++i)
      ASSERT_EQ(store.record(transfer_at(epoch + minute * 1min, 100), epoch + minute * 1min), record_outcome::recorded);
  baseline_watch watch;
  watch.show(store, {}, epoch + 1h, {});
  EXPECT_TRUE(watch.baselines.empty()) << "nothing was noted";
  watch.show_all(store, {}, epoch + 1h, {});
  EXPECT_TRUE(watch.baselines.begin()->second.anchor);
}

} // namespace
} // namespace homeostat::testing
