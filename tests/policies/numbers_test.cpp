// Small things that many policies stand on.
#include "policies/bit_mix.hpp"
#include "policies/enum_names.hpp"
#include "policies/median.hpp"
#include "policies/transfer/transfer.hpp"

#include <gtest/gtest.h>

namespace homeostat {
namespace {

// Published outputs of SplitMix64 for the seed 1234567 (rosettacode.org, "Pseudo-random numbers/Splitmix64").
TEST(MixedBits, AreSplitMix64s) {
  constexpr std::uint64_t outputs[] = {6457827717110365317U, 3203168211198807973U, 9817491932198370423U,
                                       4593380528125082431U, 16408922859458223821U};
  std::uint64_t state = 1234567;
  for (const std::uint64_t expected : outputs) EXPECT_EQ(mixed_bits(state += golden_step), expected);
}

TEST(Median, OfAnEvenCountIsTheMeanOrTheUpperOne) {
  EXPECT_EQ(median({7}), 7);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({9, 1, 5, 2}), 3.5);
  EXPECT_EQ(upper_median({9, 1, 5}), 5);
  EXPECT_EQ(upper_median({9, 1, 5, 2}), 5);
}

TEST(EnumNames, AreFoundOrListed) {
  EXPECT_EQ((named<data_type, data_type_count>("tensor")), data_type::tensor);
  EXPECT_EQ((named<transfer_method, transfer_method_count>("smtp")).error(), "is 'smtp', expected grpc or zero_copy");
  EXPECT_EQ((named<data_type, data_type_count>("")).error(),
            "is '', expected binary, tensor, dataframe, text or other");
}

} // namespace
} // namespace homeostat
