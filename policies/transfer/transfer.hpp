#pragma once

#include "policies/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// What is known of one transfer: before it (characteristics, conditions) and after it (metrics).
/// Source: the performance source's transfer metrics; design, section 9.
namespace homeostat {

/// The two ways to move a buffer to a peer process on the same machine.
enum class transfer_method : std::uint8_t {
  grpc,      ///< serialised: Protobuf chunks over gRPC
  zero_copy, ///< shared memory: a sealed memfd segment, passed over a Unix socket
};
inline constexpr std::size_t transfer_method_count = 2;
inline constexpr std::array<transfer_method, transfer_method_count> transfer_methods{transfer_method::grpc,
                                                                                     transfer_method::zero_copy};

/// What the bytes are.
enum class data_type : std::uint8_t { binary, tensor, dataframe, text, other };
inline constexpr std::size_t data_type_count = 5;

/// How the bytes are laid out.
enum class data_format : std::uint8_t { raw, arrow, numpy, protobuf, other };
inline constexpr std::size_t data_format_count = 5;

/// @returns the name in configurations, commands and audits.
[[nodiscard]] constexpr std::string_view name_of(transfer_method method) noexcept {
  return method == transfer_method::grpc ? "grpc" : "zero_copy";
}
[[nodiscard]] constexpr std::string_view name_of(data_type type) noexcept {
  constexpr std::array<std::string_view, data_type_count> names{"binary", "tensor", "dataframe", "text", "other"};
  const auto i = static_cast<std::size_t>(type);
  return i < names.size() ? names[i] : "?";
}
[[nodiscard]] constexpr std::string_view name_of(data_format format) noexcept {
  constexpr std::array<std::string_view, data_format_count> names{"raw", "arrow", "numpy", "protobuf", "other"};
  const auto i = static_cast<std::size_t>(format);
  return i < names.size() ? names[i] : "?";
}

/// @returns the other method.
[[nodiscard]] constexpr transfer_method other(transfer_method method) noexcept {
  return method == transfer_method::grpc ? transfer_method::zero_copy : transfer_method::grpc;
}

/// What the caller knows of a buffer before it goes.
struct transfer_characteristics {
  std::uint64_t data_size{0}; ///< bytes
  data_type type{data_type::binary};
  data_format format{data_format::raw};
  bool compressed{false};
  friend bool operator==(const transfer_characteristics&, const transfer_characteristics&) = default;
};

/// The machine and the pool at the time of a decision.
struct system_conditions {
  double cpu_load{0};                ///< share of all processors in use, 0..1
  double memory_used{0};             ///< share of the memory this process may use, 0..1
  std::uint64_t available_memory{0}; ///< bytes; 0: unknown
  std::uint32_t in_flight{0};        ///< transfers of the pool under way
  double hour{0};                    ///< time of day in UTC, 0..24
  double recent_slowdown{1};         ///< moving mean of actual over expected latency of the pool; 1: as expected
  friend bool operator==(const system_conditions&, const system_conditions&) = default;
};

enum class decision_reason : std::uint8_t; // policies/transfer/decide.hpp
enum class pressure : std::uint8_t;        // policies/transfer/pressure.hpp

/// Why a transfer went the way it did: what its decision rested on, for whoever asks afterwards.
struct decision_basis {
  bool known{false}; ///< false: whoever reported the transfer did not say
  decision_reason reason{};
  pressure under{};
  std::int8_t rule{-1}; ///< place in the policy of that generation; -1: no rule
  float confidence{0};  ///< that the method is the better one; 0: nothing spoke for either
  float grpc_us{0};     ///< expected latencies; 0 without an estimate
  float zero_copy_us{0};
  std::uint64_t threshold{0}; ///< bytes, of the data's type
  friend bool operator==(const decision_basis&, const decision_basis&) = default;
};

/// One finished transfer.
struct transfer_metrics {
  std::uint64_t transfer_id{0};
  instant timestamp{}; ///< when it ended
  transfer_method method{transfer_method::grpc};
  transfer_characteristics data{};
  system_conditions conditions{}; ///< as they were at the decision
  double latency_us{0};           ///< from the call to the receiver's acknowledgement
  double cpu_time_us{0};
  std::uint64_t memory_used{0}; ///< bytes held for this transfer by both sides beside the data itself
  double decision_time_us{0};
  double predicted_latency_us{0}; ///< 0: nothing was predicted
  bool explored{false};           ///< chosen to learn, not because it looked better
  bool failed{false};             ///< not delivered by this method; latency is the time lost
  std::uint64_t generation{0};    ///< of the pool's policy and thresholds in force
  decision_basis why{};
  friend bool operator==(const transfer_metrics&, const transfer_metrics&) = default;

  /// @returns megabits per second; 0 for a transfer without a duration.
  [[nodiscard]] double throughput_mbps() const noexcept {
    return latency_us > 0 ? static_cast<double>(data.data_size) * 8.0 / latency_us : 0;
  }
  /// @returns |predicted - actual| / actual; 0 where nothing was predicted.
  [[nodiscard]] double prediction_error() const noexcept {
    if (predicted_latency_us <= 0 || latency_us <= 0) return 0;
    const double gap = predicted_latency_us - latency_us;
    return (gap < 0 ? -gap : gap) / latency_us;
  }
};

} // namespace homeostat
