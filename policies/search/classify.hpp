#pragma once

#include "policies/search/search_strategy.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace homeostat {

enum class landscape_kind : std::uint8_t {
  structured, ///< a quadratic of the knobs foretells how good an unseen point is: local models pay
  chaotic,    ///< it does not (ripples, noise, cliffs), or nothing is known: explore
};
[[nodiscard]] std::string_view name_of(landscape_kind kind);

struct landscape {
  landscape_kind kind{landscape_kind::chaotic};
  double score{0};   ///< share of the ranks' variance that is foretold at left-out points, 0..1
  bool known{false}; ///< false: too few points or no differences; kind is then chaotic, the careful answer
};

/// Classifies a landscape from measured points: a ridge regression of the values' ranks on a quadratic of the knobs,
/// scored at left-out points. Ranks, because outliers and steep walls then weigh no more than others, and points of a
/// plateau share a rank; left-out points, because a quadratic has many weights and fits anything when there are few.
/// The best of three ridges counts, each with and without the products of the knobs. The regression is done in its dual
/// form, whose size is the number of points: a rotated valley of 20 knobs has 231 weights and shows all the same.
/// @param told  at least n + 3 points for n knobs are needed; at most the 256 latest are looked at.
/// @returns the kind; structured from a score of 0.3 on. Errors, measured over generated landscapes: see the table in
///          docs/search-strategies.md.
/// Sources: probe, classify, refine of the ArqonHPO documents; D. Allen, "The relationship between variable selection
/// and data augmentation and a method for prediction" (PRESS), Technometrics 16, 1974; C. Saunders, A. Gammerman,
/// V. Vovk, "Ridge regression learning algorithm in dual variables", ICML 1998.
[[nodiscard]] landscape classify(const search_space& space, std::span<const observation> told);

} // namespace homeostat
