#include "runtime/transfer/metrics_writer.hpp"

#include "tests/runtime/store/temporary_folder.hpp"
#include "tests/runtime/transfer/sample_pool.hpp"

#include <chrono>
#include <thread>

namespace homeostat {
namespace {

/// Waits for what another thread does; the test fails if it never comes.
template <class condition> void await(condition met) {
  for (int i = 0; i < 20'000 && !met(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(met());
}

TEST(metrics_writer, WritesEverythingBeforeItEndsInFewerTransactionsThanBatches) {
  const temporary_folder folder;
  metrics_store store;
  {
    metrics_writer writer(opened({.path = folder / "metrics.db"}));
    for (std::uint64_t n = 0; n < 2000; n += 10) ASSERT_TRUE(writer.submit(recorded(store, n, 10)));
    writer.stop(std::chrono::seconds(60));
    const metrics_writer_stats s = writer.stats();
    EXPECT_EQ(s.written, 200U);
    EXPECT_LT(s.groups, 200U);
    EXPECT_EQ(s.pending_rows, 0U);
    EXPECT_EQ(s.abandoned, 0U);
    EXPECT_FALSE(writer.submit(recorded(store, 2000, 10)));
    EXPECT_EQ(writer.stats().refused_samples, 10U);
  }
  metrics_store again;
  EXPECT_EQ(opened({.path = folder / "metrics.db"})->load("ml", again, pool_epoch)->samples, 2000U);
}

TEST(metrics_writer, AFullDiskIsCountedWhileSubmittersGoOnUntilTheLimit) {
  const temporary_folder folder;
  metrics_store store;
  metrics_writer writer(opened({.path = folder / "metrics.db", .max_bytes = 100'000}),
                        {.max_pending_rows = 5000,
                         .first_retry = std::chrono::milliseconds(1),
                         .last_retry = std::chrono::milliseconds(5)});
  std::uint64_t refused = 0;
  for (std::uint64_t n = 0; n < 20'000; n += 100) {
    metrics_batch batch = recorded(store, n, 100);
    std::vector<metrics_store::bucket_id> ids;
    for (const auto& [id, bucket] : batch.buckets) ids.push_back(id);
    if (writer.submit(std::move(batch))) continue;
    ++refused;
    store.put_back(ids);
  }
  await([&] { return writer.stats().failures >= 3; });
  const metrics_writer_stats s = writer.stats();
  EXPECT_GT(refused, 0U);
  EXPECT_EQ(s.refused, refused);
  EXPECT_LE(s.pending_rows, 5000U);
  EXPECT_NE(s.last_error.find("full"), std::string::npos) << s.last_error;
  EXPECT_FALSE(store.take_changed().empty()) << "what was refused is written with the next batch";
  writer.stop(std::chrono::seconds(1));
  EXPECT_GT(writer.stats().abandoned, 0U);
  EXPECT_EQ(writer.stats().written + writer.stats().abandoned, writer.stats().accepted);
}

TEST(metrics_writer, AFileThatIsGoneIsCountedAndDoesNotStopIt) {
  const temporary_folder folder;
  metrics_store store;
  metrics_writer writer(opened({.path = folder / "metrics.db"}), {.first_retry = std::chrono::milliseconds(1)});
  ASSERT_TRUE(writer.submit(recorded(store, 0, 10)));
  await([&] { return writer.stats().written == 1; });
  std::filesystem::remove(folder / "metrics.db");
  ASSERT_TRUE(writer.submit(recorded(store, 10, 10)));
  await([&] { return writer.stats().failures >= 2; });
  EXPECT_TRUE(writer.submit(recorded(store, 20, 10)));
}

TEST(metrics_writer, DeletesWhatIsPastTheRetention) {
  const temporary_folder folder;
  metrics_store store;
  metrics_writer writer(opened({.path = folder / "metrics.db"}));
  ASSERT_TRUE(writer.submit(recorded(store, 0, 10)));
  await([&] { return writer.stats().written == 1; });
  ASSERT_TRUE(writer.submit({.pool = "ml", .now = pool_epoch + 169h, .samples = {}, .buckets = {}}));
  await([&] { return writer.stats().expired >= 11; });
}

} // namespace
} // namespace homeostat
