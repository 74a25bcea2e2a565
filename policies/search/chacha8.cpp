#include "policies/search/chacha8.hpp"

#include <bit>

namespace homeostat {

namespace {

[[gnu::always_inline]] inline void quarter_round(std::uint32_t& a, std::uint32_t& b, std::uint32_t& c,
                                                 std::uint32_t& d) {
  a += b, d = std::rotl(d ^ a, 16);
  c += d, b = std::rotl(b ^ c, 12);
  a += b, d = std::rotl(d ^ a, 8);
  c += d, b = std::rotl(b ^ c, 7);
}

constexpr std::uint64_t words_per_block = 8;

} // namespace

std::array<std::uint32_t, 16> chacha8_block(std::span<const std::uint32_t, 8> key, std::uint64_t counter,
                                            std::uint64_t nonce) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32U); };
  const std::array<std::uint32_t, 16> input{0x61707865,   0x3320646e,    0x79622d32, 0x6b206574, // "expand 32-byte k"
                                            key[0],       key[1],        key[2],     key[3],
                                            key[4],       key[5],        key[6],     key[7],
                                            low(counter), high(counter), low(nonce), high(nonce)};
  auto x = input;
  for (int double_round = 0; double_round < 4; ++double_round) {
    quarter_round(x[0], x[4], x[8], x[12]);
    quarter_round(x[1], x[5], x[9], x[13]);
    quarter_round(x[2], x[6], x[10], x[14]);
    quarter_round(x[3], x[7], x[11], x[15]);
    quarter_round(x[0], x[5], x[10], x[15]);
    quarter_round(x[1], x[6], x[11], x[12]);
    quarter_round(x[2], x[7], x[8], x[13]);
    quarter_round(x[3], x[4], x[9], x[14]);
  }
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += input[i];
  return x;
}

std::uint64_t chacha8_rng::next() {
  const std::uint64_t block = counter_ / words_per_block;
  if (block != cached_block_) {
    const std::array<std::uint32_t, 8> key{static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32U)};
    block_ = chacha8_block(key, block, stream_);
    cached_block_ = block;
  }
  const std::size_t word = 2 * static_cast<std::size_t>(counter_ % words_per_block);
  ++counter_;
  return block_[word] | static_cast<std::uint64_t>(block_[word + 1]) << 32U;
}

double chacha8_rng::uniform() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

int chacha8_rng::sign() { return (next() & 1U) != 0 ? 1 : -1; }

} // namespace homeostat
