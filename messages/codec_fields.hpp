#pragma once

// Field-level conversions shared by the codec's parts. Internal to messages/.

#include "messages/text.hpp"
#include "policies/safety/governor.hpp"
#include "policies/time.hpp"

#include <google/protobuf/repeated_field.h>

#include <expected>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat::codec {

/// Thrown inside the codec only; `decode` turns it into its error.
struct malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using doubles = google::protobuf::RepeatedField<double>;

[[nodiscard]] inline std::int64_t to_us(instant t) { return t.time_since_epoch().count(); }

/// 2,283 years either side of 1970: far beyond any clock, and near enough that sums and differences of a few times do
/// not overflow. Policies count on it.
inline constexpr std::int64_t farthest_us = std::int64_t{1} << 56;

/// @returns the number, if it is between -limit and limit.
[[nodiscard]] inline std::int64_t near(std::int64_t number, std::int64_t limit) {
  if (number < -limit || number > limit)
    throw malformed("has a time of " + std::to_string(number) + ", expected at most " + std::to_string(limit));
  return number;
}

[[nodiscard]] inline duration to_duration(std::int64_t us) { return duration(near(us, farthest_us)); }

[[nodiscard]] inline instant to_instant(std::int64_t us) { return instant(to_duration(us)); }

template <class Range> void put(doubles* out, const Range& values) {
  for (double v : values) out->Add(v);
}

inline void get(const doubles& in, knob_values& out) {
  if (in.size() > static_cast<int>(max_knobs))
    throw malformed("has " + std::to_string(in.size()) + " knob values, expected at most " + std::to_string(max_knobs));
  out = knob_values(std::span<const double>(in.data(), static_cast<std::size_t>(in.size())));
}

inline void get(const doubles& in, std::vector<double>& out) { out.assign(in.begin(), in.end()); }

/// @returns the enumerator whose name_of() is `name`, searching the first `count` ones.
template <class Enum> [[nodiscard]] Enum enum_of(std::string_view name, std::size_t count, const char* what) {
  for (std::size_t i = 0; i < count; ++i)
    if (name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  throw malformed(std::string(what) + " is '" + std::string(name) + "', expected a known name");
}

/// @returns a stored number as the enumerator it stands for.
template <class Enum> [[nodiscard]] Enum enum_at(std::uint32_t number, std::size_t count, const char* what) {
  if (number >= count)
    throw malformed(std::string(what) + " is " + std::to_string(number) + ", expected less than " +
                    std::to_string(count));
  return static_cast<Enum>(number);
}

/// @returns true if the bytes are a message of that kind.
template <class Message> [[nodiscard]] bool parse(Message& message, std::string_view bytes) {
  return bytes.size() <= std::numeric_limits<int>::max() &&
         message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

/// @param get  copies the message into the value; throws `malformed`.
template <class Message, class T, class Get>
[[nodiscard]] std::expected<T, std::string> from_bytes(std::string_view bytes, Get get) {
  Message message;
  const std::string& name = Message::descriptor()->full_name();
  if (!parse(message, bytes)) return std::unexpected("not a " + name + " (" + std::to_string(bytes.size()) + " bytes)");
  try {
    T x;
    get(message, x);
    return x;
  } catch (const malformed& e) { return std::unexpected(name + ": " + e.what()); }
}

} // namespace homeostat::codec
