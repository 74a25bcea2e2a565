#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace homeostat {

/// One block of ChaCha with 8 rounds, 64-bit block counter and 64-bit nonce.
/// Source: D. J. Bernstein, "ChaCha, a variant of Salsa20" (2008); vectors: draft-strombergson-chacha-test-vectors-01.
[[nodiscard]] std::array<std::uint32_t, 16> chacha8_block(std::span<const std::uint32_t, 8> key, std::uint64_t counter,
                                                          std::uint64_t nonce);

/// Counter-based random numbers: (seed, stream, counter) gives the same bits on every machine and compiler, so that a
/// decision can be derived again from its seed (I7). A value: copying it copies its place in the stream. The mappings
/// to ranges are our own, because the standard library's differ between implementations.
class chacha8_rng {
public:
  chacha8_rng() = default;
  /// @param seed  any number.  @param stream  independent sequence of that seed.  @param counter  words already drawn.
  explicit chacha8_rng(std::uint64_t seed, std::uint64_t stream = 0, std::uint64_t counter = 0)
      : seed_(seed), stream_(stream), counter_(counter) {}

  [[nodiscard]] std::uint64_t next();
  /// @returns a number in [0, 1) with 53 random bits.
  [[nodiscard]] double uniform();
  /// @returns -1 or +1 with equal chance.
  [[nodiscard]] int sign();

  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] std::uint64_t stream() const { return stream_; }
  [[nodiscard]] std::uint64_t counter() const { return counter_; }
  friend bool operator==(const chacha8_rng& a, const chacha8_rng& b) {
    return a.seed_ == b.seed_ && a.stream_ == b.stream_ && a.counter_ == b.counter_;
  }

private:
  std::uint64_t seed_{0};
  std::uint64_t stream_{0};
  std::uint64_t counter_{0};                      ///< 64-bit words drawn
  std::array<std::uint32_t, 16> block_{};         ///< cache of the block the next word lies in
  std::uint64_t cached_block_{~std::uint64_t{0}}; ///< its number; none yet
};

} // namespace homeostat
