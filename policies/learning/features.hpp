#pragma once

#include "policies/transfer/transfer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace homeostat {

/// What a model sees of a transfer, in this order. A model file names the layout it was trained on.
enum class feature : std::uint8_t {
  size,            ///< log2 of bytes, 0 for an empty buffer; 0..64
  type,            ///< number of the data_type
  format,          ///< number of the data_format
  compressed,      ///< 0 or 1
  cpu_load,        ///< 0..1
  memory,          ///< log2 of the available bytes, 0 where unknown; 0..64
  hour,            ///< UTC, 0..24
  in_flight,       ///< transfers, 0..65,536
  recent_slowdown, ///< 0..1000
  method,          ///< 1: zero-copy; only the latency model has it
};
inline constexpr std::size_t choice_feature_count = 9;
inline constexpr std::size_t latency_feature_count = 10;

/// Number of this layout: a model of another one is refused, because its columns mean something else.
inline constexpr std::uint32_t feature_layout = 1;

using choice_row = std::array<float, choice_feature_count>;
using latency_row = std::array<float, latency_feature_count>;

[[nodiscard]] std::string_view name_of(feature f) noexcept;

/// @returns the row of the method choice: always finite. Numbers beyond their range are brought to its edge; one that
///          is not finite becomes what "nothing known" means (load 0, hour 0, slowdown 1).
[[nodiscard]] choice_row choice_features(const transfer_characteristics& data, const system_conditions& now) noexcept;

/// @returns the row of the latency by one method: the row of the choice, and the method.
[[nodiscard]] latency_row latency_features(const transfer_characteristics& data, const system_conditions& now,
                                           transfer_method method) noexcept;
[[nodiscard]] latency_row latency_features(const choice_row& row, transfer_method method) noexcept;

} // namespace homeostat
