#pragma once

/// Names a row of a table test by its member `name`: the last argument of INSTANTIATE_TEST_SUITE_P.
inline constexpr auto row_name = [](const auto& info) { return info.param.name; };
