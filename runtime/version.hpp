#pragma once

namespace homeostat {

inline constexpr const char* version = "0.1.0";

} // namespace homeostat
