// The generator against published vectors, and what strategies rely on: the same bits everywhere, by place in a stream.
#include "policies/search/chacha8.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

namespace homeostat {
namespace {

struct vector_row {
  std::string name;
  std::string key;   ///< 32 bytes
  std::string nonce; ///< 8 bytes
  std::uint64_t counter;
  std::string expected; ///< key stream from that block on
};
void PrintTo(const vector_row& row, std::ostream* out) { *out << row.name; }

std::uint64_t little_endian(const std::string& hex, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8U | std::stoul(hex.substr(2 * (at + i), 2), nullptr, 16);
  return value;
}

std::string hex_of(const std::array<std::uint32_t, 16>& block) {
  std::string hex;
  for (std::uint32_t word : block)
    for (int byte = 0; byte < 4; ++byte, word >>= 8U) {
      constexpr std::string_view digits = "0123456789abcdef";
      hex += digits[word >> 4U & 15U];
      hex += digits[word & 15U];
    }
  return hex;
}

class ChaCha8 : public testing::TestWithParam<vector_row> {};
TEST_P(ChaCha8, IsThePublishedKeyStream) {
  const vector_row& row = GetParam();
  std::array<std::uint32_t, 8> key{};
  for (std::size_t i = 0; i < 8; ++i) key[i] = static_cast<std::uint32_t>(little_endian(row.key, 4 * i, 4));
  std::string stream;
  for (std::uint64_t block = 0; stream.size() < row.expected.size(); ++block)
    stream += hex_of(chacha8_block(key, row.counter + block, little_endian(row.nonce, 0, 8)));
  EXPECT_EQ(stream, row.expected);
}

std::string repeated(const std::string& digit, std::size_t count) {
  std::string text;
  while (count-- > 0) text += digit;
  return text;
}

// TC1 to TC8 of draft-strombergson-chacha-test-vectors-01 for 256 bit keys and 8 rounds, two blocks each; the last row
// is the vector of Bernstein's reference code, whose counter starts one below zero.
const std::vector<vector_row> vectors{
    {"TC1AllZero", repeated("0", 64), repeated("0", 16), 0,
     "3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e984ce172b9216f419f445367456d5619314a42a3da86b0013"
     "87bfdb80e0cfe42"
     "d2aefa0deaa5c151bf0adb6c01f2a5adc0fd581259f9a2aadcf20f8fd566a26b5032ec38bbc5da98ee0c6f568b872a65a08abf251deb21bb4"
     "b56e5d8821e68aa"},
    {"TC2OneBitInTheKey", "01" + repeated("0", 62), repeated("0", 16), 0,
     "cf5ee9a0494aa9613e05d5ed725b804b12f4a465ee635acc3a311de8740489ea289d04f43c7518db56eb4433e498a1238cd8464d3763ddbb9"
     "222ee3bd8fae3c8"
     "b4355a7d93dd8867089ee643558b95754efa2bd1a8a1e2d75bcdb32015542638291941feb49965587c4fdfe219cf0ec132a6cd4dc067392e6"
     "7982fe53278c0b4"},
    {"TC3OneBitInTheNonce", repeated("0", 64), "01" + repeated("0", 14), 0,
     "2b8f4bb3798306ca5130d47c4f8d4ed13aa0edccc1be6942090faeeca0d7599b7ff0fe616bb25aa0153ad6fdc88b954903c22426d478b97b2"
     "2b8f9b1db00cf06"
     "470bdffbc488a8b7c701ebf4061d75c5969186497c95367809afa80bd843b040a79abc6e73a91757f1db73c8eacfa543b38f289d065ab2f30"
     "32d377b8c37fe46"},
    {"TC4AllBits", repeated("f", 64), repeated("f", 16), 0,
     "e163bbf8c9a739d18925ee8362dad2cdc973df05225afb2aa26396f2a9849a4a445e0547d31c1623c537df4ba85c70a9884a35bcbf3dfab07"
     "7e98b0f68135f54"
     "81d4933f8b322ac0cd762c27235ce2b31534e0244a9a2f1fd5e94498d47ff108790c009cf9e1a348032a7694cb28024cd96d3498361edb178"
     "5af752d187ab54b"},
    {"TC5EveryEvenBit", repeated("5", 64), repeated("5", 16), 0,
     "7cb78214e4d3465b6dc62cf7a1538c88996952b4fb72cb6105f1243ce3442e2975a59ebcd2b2a598290d7538491fe65bdbfefd060d8879812"
     "0a70d049dc2677d"
     "d48ff5a2513e497a5d54802d7484c4f1083944d8d0d14d6482ce09f7e5ebf20b29807d62c31874d02f5d3cc85381a745ecbc60525205e300a"
     "76961bfe51ac07c"},
    {"TC6EveryOddBit", repeated("a", 64), repeated("a", 16), 0,
     "40f9ab86c8f9a1a0cdc05a75e5531b612d71ef7f0cf9e387df6ed6972f0aae21311aa581f816c90e8a99de990b6b95aac92450f4e11271266"
     "7b804c99e9c6eda"
     "f8d144f560c8c0ea36880d3b77874c9a9103d147f6ded386284801a4ee158e5ea4f9c093fc55fd344c33349dc5b699e21dc83b4296f92ee3e"
     "cabf3d51f95fe3f"},
    {"TC7Sequences", "00112233445566778899aabbccddeeffffeeddccbbaa99887766554433221100", "0f1e2d3c4b5a6978", 0,
     "db43ad9d1e842d1272e4530e276b3f568f8859b3f7cf6d9d2c74fa53808cb5157a8ebf46ad3dcc4b6c7dadde131784b0120e0e22f6d5f9ffa"
     "7407d4a21b695d9"
     "c5dd30bf55612fab9bdd118920c19816470c7f5dcd42325dbbed8c57a56281c144cb0f03e81b3004624e0650a1ce5afaf9a7cd8163f6dbd72"
     "602257dd96e471e"},
    {"TC8Text", "c46ec1b18ce8a878725a37e780dfb7351f68ed2e194c79fbc6aebee1a667975d", "1ada31d5cf688221", 0,
     "838751b42d8ddd8a3d77f48825a2ba752cf4047cb308a5978ef274973be374c96ad848065871417b08f034e681fe46a93f7d5c61d1306614d"
     "4aaf257a7cff08b"
     "16f2fda170cc18a4b58a2667ed962774af792a6e7f3c77992540711a7a136d7e8a2f8d3f93816709d45a3fa5f8ce72fde15be7b841acba3a2"
     "abd557228d9fe4f"},
    {"CounterOfSixtyFourBitsWraps", repeated("0", 64), repeated("0", 16), ~std::uint64_t{0},
     "df8a0bceca2fbb111f29978fa9a64407c68ced975ff55a24707265d0687e6aefb3597eac46e4b0a79b3a49c8b0f1775ac3edd7eb6a6d9bcb3"
     "8f276517a79e014"
     "3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e984ce172b9216f419f445367456d5619314a42a3da86b0013"
     "87bfdb80e0cfe42"},
};
INSTANTIATE_TEST_SUITE_P(Published, ChaCha8, testing::ValuesIn(vectors), by_name);

// ---- the generator
// -------------------------------------------------------------------------------------------------------

TEST(Generator, IsTheKeyStreamInWordsOf64Bits) {
  chacha8_rng rng(0);
  EXPECT_EQ(rng.next(), 0xd6405f892fef003eU);
  EXPECT_EQ(rng.next(), 0xa1a5091fe8b85b7fU);
  EXPECT_EQ(chacha8_rng(0, 0, 8).next(), 0x51c1a5ea0dfaaed2U) << "first word of the second block";
}

// From an implementation in another language.
TEST(Generator, GivesTheSameWordsOnEveryMachine) {
  chacha8_rng a(42), b(42, 7);
  for (std::uint64_t expected : {0x59273471198fa887U, 0x49238aa4169df72bU, 0x7e54361f64fc90f6U})
    EXPECT_EQ(a.next(), expected);
  for (std::uint64_t expected : {0x2f88af39a26c4769U, 0x949274b8cf88bf9fU, 0xf1ff76c365b1873fU})
    EXPECT_EQ(b.next(), expected);
  chacha8_rng far(0xdeadbeefcafef00dU, 0x0123456789abcdefU, 1'000'000);
  for (std::uint64_t expected : {0xcaa26166baa20c2bU, 0xcfc3dec3b5422094U}) EXPECT_EQ(far.next(), expected);
}

TEST(Generator, CanStartAnywhereInItsStream) {
  chacha8_rng rng(9, 3);
  for (std::uint64_t i = 0; i < 100; ++i) {
    chacha8_rng jumped(9, 3, i);
    EXPECT_EQ(jumped, rng);
    EXPECT_EQ(jumped.next(), rng.next());
    EXPECT_EQ(rng.counter(), i + 1);
  }
}

TEST(Generator, CopiesGoOnIndependentlyAndAlike) {
  chacha8_rng rng(5);
  (void)rng.next();
  chacha8_rng copy = rng;
  std::vector<std::uint64_t> first, second;
  for (int i = 0; i < 20; ++i) first.push_back(rng.next());
  EXPECT_NE(copy, rng);
  for (int i = 0; i < 20; ++i) second.push_back(copy.next());
  EXPECT_EQ(first, second);
  EXPECT_EQ(copy, rng);
}

TEST(Generator, SeedsAndStreamsDoNotShareTheirBits) {
  // Between independent streams of 64,000 bits half of the bits agree; 4 standard deviations are 506.
  const auto agreeing = [](chacha8_rng a, chacha8_rng b) {
    int bits = 0;
    for (int i = 0; i < 1000; ++i) bits += std::popcount(~(a.next() ^ b.next()));
    return bits;
  };
  for (std::uint64_t other : {1U, 2U, 1000U}) {
    EXPECT_NEAR(agreeing(chacha8_rng(0), chacha8_rng(other)), 32'000, 506);
    EXPECT_NEAR(agreeing(chacha8_rng(0, 0), chacha8_rng(0, other)), 32'000, 506);
    EXPECT_NEAR(agreeing(chacha8_rng(0, other), chacha8_rng(other, 0)), 32'000, 506);
  }
  EXPECT_NE(chacha8_rng(1ULL << 32U).next(), chacha8_rng(0).next()) << "the upper half of the seed counts";
}

TEST(Generator, UniformNumbersAreUniform) {
  chacha8_rng rng(1);
  constexpr int count = 100'000;
  std::array<int, 10> bins{};
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    ++bins[static_cast<std::size_t>(u * 10)];
    sum += u, squares += u * u;
  }
  EXPECT_NEAR(sum / count, 0.5, 4 * std::sqrt(1.0 / 12 / count));
  EXPECT_NEAR(squares / count, 1.0 / 3, 4 * std::sqrt(4.0 / 45 / count));
  for (int bin : bins) EXPECT_NEAR(bin, count / 10, 4 * std::sqrt(count * 0.09));
}

TEST(Generator, SignsAreFairAndDoNotFollowEachOther) {
  chacha8_rng rng(2);
  constexpr int count = 100'000;
  int sum = 0, products = 0, last = 1;
  for (int i = 0; i < count; ++i) {
    const int sign = rng.sign();
    ASSERT_TRUE(sign == 1 || sign == -1);
    sum += sign, products += sign * last, last = sign;
  }
  EXPECT_LE(std::abs(sum), 4 * std::sqrt(count));
  EXPECT_LE(std::abs(products), 4 * std::sqrt(count));
}

} // namespace
} // namespace homeostat
