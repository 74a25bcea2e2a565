#include "runtime/transfer/metrics_export.hpp"

#include "tests/runtime/store/temporary_folder.hpp"
#include "tests/runtime/transfer/sample_pool.hpp"

#include <algorithm>
#include <sstream>

namespace homeostat {
namespace {

TEST(metrics_export, ALineTellsEverythingOfATransfer) {
  transfer_metrics m = numbered_transfer(3);
  m.transfer_id = ~std::uint64_t{0};
  EXPECT_EQ(
      export_line("ml", m, export_format::json_lines),
      R"({"time_us":1800000000300000,"pool":"ml","transfer_id":18446744073709551615,"method":"zero_copy",)"
      R"("data_size":4000,"data_type":"tensor","data_format":"arrow","compressed":true,"latency_us":103.125,)"
      R"("throughput_mbps":310.3030303030303,"cpu_time_us":0.3333333333333333,"memory_used":5003,)"
      R"("decision_time_us":0.5,"predicted_latency_us":99,"prediction_error":0.04,"explored":true,"failed":false,)"
      R"("generation":3,"reason":"rule","rule":2,"confidence":0.75,"expected_grpc_us":120.5,)"
      R"("expected_zero_copy_us":99.25,"threshold":10485760,"pressure":"cpu","cpu_load":0.25,"memory_pressure":0.5,"available_memory":18446744073709551612,)"
      R"("in_flight":7,"hour":13.5,"recent_slowdown":1.25})");
  const std::string csv = export_line("ml", m, export_format::csv), header = csv_header();
  EXPECT_EQ(std::ranges::count(csv, ','), std::ranges::count(header, ','));
  EXPECT_TRUE(header.starts_with("time_us,pool,transfer_id,method,data_size,")) << header;
  EXPECT_TRUE(csv.starts_with("1800000000300000,ml,18446744073709551615,zero_copy,4000,")) << csv;
}

TEST(metrics_export, WhatNobodySaidIsEmpty) {
  transfer_metrics m = numbered_transfer(3);
  m.why = {};
  EXPECT_NE(export_line("ml", m, export_format::json_lines).find(R"("reason":"","rule":-1,"confidence":0,)"),
            std::string::npos);
  EXPECT_NE(export_line("ml", m, export_format::csv).find(",3,,-1,0,0,0,0,,0.25,"), std::string::npos);
}

TEST(metrics_export, NamesThatWouldBreakTheFormatAreEscaped) {
  const transfer_metrics m = numbered_transfer(1);
  EXPECT_NE(export_line("a,\"b\"\n", m, export_format::csv).find(",\"a,\"\"b\"\"\n\","), std::string::npos);
  EXPECT_NE(export_line("a\"\\\x01", m, export_format::json_lines).find(R"("pool":"a\"\\\u0001")"), std::string::npos);
}

TEST(metrics_export, WritesARangeInOrderAndSaysWhenTheStreamFails) {
  const temporary_folder folder;
  metrics_store store;
  const auto file = opened({.path = folder / "metrics.db"});
  const metrics_batch batch = recorded(store, 0, 100);
  ASSERT_TRUE(file->write({&batch, 1}));
  std::ostringstream out;
  EXPECT_EQ(export_samples(*file, "ml", pool_epoch + 1s, pool_epoch + 2s, export_format::csv, out).value(), 10U);
  const std::string text = out.str();
  EXPECT_EQ(std::ranges::count(text, '\n'), 11);
  EXPECT_TRUE(text.starts_with(csv_header() + "\n" + export_line("ml", numbered_transfer(10), export_format::csv)));
  out.setstate(std::ios::badbit);
  EXPECT_FALSE(export_samples(*file, "ml", pool_epoch, pool_epoch + 2s, export_format::json_lines, out));
}

} // namespace
} // namespace homeostat
