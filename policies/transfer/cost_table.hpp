#pragma once

#include "policies/transfer/pressure.hpp"
#include "policies/transfer/transfer_memory.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

/// What transfers cost by each method, learned from those that were made.
///
/// A cell holds what was measured for one (pressure, type, size class, method), as ratios to a simple prior: fixed time
/// plus time per byte. Ratios change slowly with the size, so that a cell without evidence borrows from its neighbours
/// in size, then from other types, then from other pressure. Evidence weighs less the older it is, counted in transfers
/// of the pool: what was measured last, here or nearby, outweighs what was measured long ago. Three surprises in a row
/// in one direction start a cell anew; two cells of a method so surprised, in the same direction and shortly after each
/// other, make all evidence of that method old. If it became faster, old cells are taken to have become so too, for
/// only what looks good is tried; if it became slower, not, for it would not be found out where that is wrong.
namespace homeostat {

/// Half octaves: 1, 1.5, 2, 3, 4, 6 ... bytes. Coarser than the classes that statistics are kept for (size_class.hpp),
/// because what is learned here has to be learned soon.
inline constexpr std::size_t cost_class_count = 72; ///< the last holds all from 64 GiB

[[nodiscard]] constexpr std::size_t cost_class_of(std::uint64_t size) noexcept {
  if (size < 2) return 0;
  const auto octave = static_cast<std::size_t>(std::bit_width(size)) - 1;
  const auto upper = static_cast<std::size_t>((size >> (octave - 1)) & 1U);
  const std::size_t index = 2 * octave + upper;
  return index < cost_class_count ? index : cost_class_count - 1;
}
/// @returns the smallest size of a class, bytes.
[[nodiscard]] constexpr std::uint64_t cost_class_begin(std::size_t index) noexcept {
  const std::uint64_t octave = std::uint64_t{1} << (index / 2);
  return index == 0 ? 0 : octave + (index % 2 == 1 ? octave / 2 : 0);
}

/// What a transfer is expected to cost.
struct method_cost {
  double latency_us{0};
  double cpu_time_us{0};
  double memory{0};              ///< bytes held beside the caller's buffer
  double setup_overhead_us{0};   ///< of the latency: before the first byte moves
  double cleanup_overhead_us{0}; ///< of the latency: after the last
};

/// @returns what the performance source assumes, before anything was measured: at 100 MB, 500 ms by grpc (400 ms of it
/// serialisation) against 15.7 ms by zero_copy (0.5 ms setup, 0.2 ms clean-up), and three times the memory.
[[nodiscard]] method_cost prior_cost(transfer_method method, std::uint64_t size) noexcept;

/// @returns nothing, or one sentence on what no table can have learned.
[[nodiscard]] std::expected<void, std::string> check(const learned_costs& costs);

/// An estimate with what it rests on.
struct cost_estimate {
  method_cost cost;
  double weight{0}; ///< effective number of transfers behind it; borrowed and old ones count less than one
  double known{0};  ///< the same without regard to age: old evidence is better than none
  double spread{0}; ///< standard deviation of the log latency of one transfer
};

class cost_table {
public:
  cost_table();

  /// Learns from one finished transfer. A failed one costs the time lost and the other method's transfer after it.
  void record(const transfer_metrics& done, pressure under);

  /// @returns the estimate for a size class under a pressure; the prior, with weight 0, where nothing is known.
  [[nodiscard]] cost_estimate estimate(pressure under, data_type type, std::size_t cost_class, transfer_method method,
                                       std::uint64_t size) const;

  /// @returns whether anything was measured of a type. Types without all have the same, borrowed estimates.
  [[nodiscard]] bool measured(data_type type) const;

  /// Forgets everything.
  void clear();
  /// @returns all that was learned.
  [[nodiscard]] learned_costs learned() const;
  /// Takes up again what another table has learned, in place of its own. @pre check() passes it
  void learn_again(const learned_costs& costs);
  /// @returns how often a cell was started anew by surprises.
  [[nodiscard]] std::uint64_t surprises() const { return surprises_; }

  static constexpr double memory_of_a_cell = 30; ///< transfers
  static constexpr int longest_run = 3;          ///< surprises that start a cell anew

private:
  struct cell {
    double weight{0};      ///< when it was last measured
    std::uint64_t last{0}; ///< transfer of the pool at that time
    double latency{0};     ///< geometric mean of the ratio to the prior
    double square{0};      ///< its square times e to the variance of the log ratio
    double cpu{0};
    double memory{0};
    double run_sum{0};                   ///< latency ratios of the present run of surprises
    std::int8_t run{0};                  ///< its length, negative: faster than expected
    [[nodiscard]] double spread() const; ///< standard deviation of the log ratio. @pre weight > 0
  };
  using row = std::array<cell, cost_class_count>;

  [[nodiscard]] static std::size_t index(pressure under, data_type type, transfer_method method) noexcept;
  [[nodiscard]] row& at(pressure under, data_type type, transfer_method method) {
    return cells_[index(under, type, method)];
  }
  [[nodiscard]] const row& at(pressure under, data_type type, transfer_method method) const {
    return cells_[index(under, type, method)];
  }
  /// @returns by what factor the latency changed when a run of surprises has just started the cell anew; else 1.
  double learn(cell& into, std::uint64_t now, double latency, double cpu, double memory);
  void age(pressure under, transfer_method method, double factor);

  std::vector<row> cells_;
  std::vector<bool> used_; ///< rows with evidence: most have none, and are passed over
  std::uint64_t surprises_{0};
  struct alarm {
    std::uint64_t at{0}; ///< count of transfers
    double factor{1};    ///< by which the latency changed; 1: none yet
  };
  std::array<std::array<alarm, transfer_method_count>, pressure_count> last_alarm_{};
  std::array<std::uint64_t, pressure_count>
      recorded_{}; ///< transfers: what is known of one pressure does not age under another
};

} // namespace homeostat
