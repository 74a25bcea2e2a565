#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// Quantiles of any number of values in bounded memory, each within 1 % of the exact one. A value: two sketches of the
/// same values are equal, in whatever order the values came and however the parts were merged.
///
/// Values fall into bins whose bounds grow by gamma = (1 + a) / (1 - a); the middle of a bin is within a of everything
/// in it. When more than `max_bins` bins are in use, the lowest are folded together: the error then grows for the
/// smallest values and never for the high quantiles that latencies are judged by.
/// Source: Masson, Rim, Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees",
/// VLDB 2019, algorithms 1 to 4.
class quantile_sketch {
public:
  static constexpr double relative_error = 0.01;
  /// Spans a factor of 7e8 when every bin is in use: from a microsecond to twelve minutes.
  static constexpr std::size_t max_bins = 1024;
  /// What is smaller counts as zero; in microseconds it is less than any clock tells.
  static constexpr double least_value = 1e-6;

  struct bin {
    std::int32_t index{0}; ///< holds values in (gamma^(index - 1), gamma^index]
    std::uint64_t count{0};
    friend bool operator==(const bin&, const bin&) = default;
  };

  /// @param value  finite, >= 0.  @returns false for any other value, which is not counted.
  bool add(double value);
  /// Adds everything the other one has seen.
  void merge(const quantile_sketch& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t zeros() const { return zeros_; }
  [[nodiscard]] std::span<const bin> bins() const { return bins_; }
  /// @returns the exact extremes; 0 while nothing was seen.
  [[nodiscard]] double min() const { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] double max() const { return max_; }

  /// @param q  0..1.  @returns the value of rank floor(q (count - 1)), counted from 0, within `relative_error`;
  /// nothing while nothing was seen or for another q.
  [[nodiscard]] std::optional<double> quantile(double q) const;
  /// @returns how many values lie above x; those within the error of x may be missing.
  [[nodiscard]] std::uint64_t count_above(double x) const;

  /// @returns the whole state in a few bytes per bin, the same bytes for equal sketches.
  [[nodiscard]] std::string pack() const;
  /// The inverse of pack. @errors one sentence for bytes that no sketch packs to.
  [[nodiscard]] static std::expected<quantile_sketch, std::string> unpack(std::string_view bytes);

  friend bool operator==(const quantile_sketch&, const quantile_sketch&) = default;

private:
  void fold_lowest();

  std::uint64_t count_{0};
  std::uint64_t zeros_{0};
  double min_{std::numeric_limits<double>::infinity()};
  double max_{0};
  std::vector<bin> bins_; ///< by index
};

} // namespace homeostat
