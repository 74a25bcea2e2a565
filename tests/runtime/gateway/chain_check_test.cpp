#include "runtime/gateway/chain_check.hpp"

#include "runtime/store/sqlite_store.hpp"
#include "tests/runtime/gateway/scratch_folder.hpp"
#include "tests/runtime/store/raw_database.hpp"
#include "tests/runtime/store/store_contract.hpp"

namespace homeostat {
namespace {

constexpr auto long_enough = std::chrono::minutes(5);

class ChainCheck : public ::testing::Test {
protected:
  void append(std::uint64_t n) { commit_one(*audit, records({entry(n)})); }

  homeostat::testing::scratch_folder folder;
  std::unique_ptr<store> audit = open_sqlite_store({.path = folder.path / "a.db"}, instant{duration{1}}).value();
};

TEST_F(ChainCheck, OneResultAnswersForAWhile) {
  append(1);
  chain_check check(*audit, std::chrono::hours(24));
  EXPECT_EQ(check.latest(long_enough).value()->checked(), 1U);
  append(2);
  EXPECT_EQ(check.latest(long_enough).value()->checked(), 1U);
}

TEST_F(ChainCheck, AnOldResultIsMadeAnew) {
  append(1);
  chain_check check(*audit, std::chrono::milliseconds(0));
  EXPECT_EQ(check.latest(long_enough).value()->checked(), 1U);
  append(2);
  EXPECT_EQ(check.latest(long_enough).value()->checked(), 2U);
}

TEST_F(ChainCheck, SaysWhereTheChainIsBroken) {
  append(1);
  append(2);
  raw_database(folder.path / "a.db").execute("UPDATE audit SET time = time + 1 WHERE sequence = 2");
  chain_check check(*audit);
  const auto answer = check.latest(long_enough);
  ASSERT_TRUE(answer && *answer);
  EXPECT_FALSE((*answer)->intact());
  ASSERT_EQ((*answer)->findings_size(), 1);
  EXPECT_EQ((*answer)->findings(0).fault(), "altered");
  EXPECT_EQ((*answer)->findings(0).sequence(), 2U);
}

TEST_F(ChainCheck, AClosedStoreIsAnError) {
  audit->close();
  chain_check check(*audit);
  const auto answer = check.latest(long_enough);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(*answer);
}

} // namespace
} // namespace homeostat
