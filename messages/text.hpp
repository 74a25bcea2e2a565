#pragma once

#include <string>
#include <string_view>

namespace homeostat::codec {

/// @returns the text with everything that is not UTF-8 replaced by U+FFFD. Protobuf writes any bytes but does not read
///          them back, and a state that nobody can read is a loop that never starts again.
[[nodiscard]] std::string text(std::string_view bytes);

} // namespace homeostat::codec
