#pragma once

#include "policies/search/online/adaptive.hpp"

#include <vector>

namespace homeostat {

// Shared by the two halves of `adaptive`; not for others.

/// @returns the indices of the knobs with distances: the axes of the models.
[[nodiscard]] std::vector<std::size_t> axes_of(std::span<const knob_spec> knobs);

/// @returns the chief's minimum inside the trust box, as an offset from the centre, one entry per axis.
/// @param coefficients  the chief's, or a draw of them.
[[nodiscard]] std::vector<double> wanted_offset(const adaptive_state& s, const adaptive_frame& frame,
                                                std::span<const double> coefficients, double trust);

} // namespace homeostat
