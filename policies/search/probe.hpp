#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/search/search_strategy.hpp"

#include <cstdint>

namespace homeostat {

struct probe_settings {
  std::uint64_t seed{0};
  std::uint64_t stream{0};   ///< independent shifts of one seed
  std::uint64_t shard{0};    ///< this worker, 0..shards-1
  std::uint64_t shards{1};   ///< workers that share the sequence, >= 1; their points never coincide
  double uniform_share{0.1}; ///< share of points drawn uniformly instead, 0..1: no lattice has blind spots everywhere
};

/// The index-th point of the probe: Kronecker's sequence with the fractional parts of the square roots of the first
/// primes as slopes, shifted by a random vector (Cranley-Patterson rotation) drawn from (seed, stream). Any index may
/// be computed at any time, so that a probe can stop or go on whenever it wants and be shared by index. Sources: L.
/// Kuipers, H. Niederreiter, "Uniform Distribution of Sequences", 1974, chapter 1; R. Cranley, T. Patterson,
/// "Randomization of number theoretic methods for multiple integration", SIAM J. Numer. Anal. 13, 1976.
[[nodiscard]] unit_point probe_point(const probe_settings& settings, std::uint64_t index, std::size_t dimensions);

/// Looks at probe points only. The baseline of a search, and the start of those that need a picture first.
class probe_search final : public search_strategy {
public:
  probe_search(const search_space& space, probe_settings settings) : space_(&space), settings_(settings) {}
  std::optional<candidate> propose(const search_history& history) override;
  void learn(std::size_t /*ticket*/, double /*value*/, const search_history& /*history*/) override {}

private:
  const search_space* space_;
  probe_settings settings_;
  std::uint64_t next_{0};
};

} // namespace homeostat
