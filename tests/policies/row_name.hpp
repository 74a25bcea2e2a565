#pragma once

namespace homeostat {

/// Names a parameterised test after its row.
inline constexpr auto by_name = [](const auto& row) { return row.param.name; };

} // namespace homeostat
