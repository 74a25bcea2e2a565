#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace homeostat {

/// One candidate and what became of it.
struct trial {
  std::uint64_t id{0};         ///< from 0, in the order in which candidates were asked or declared
  std::vector<double> values;  ///< one per knob, in the space's order and each knob's unit
  std::optional<double> value; ///< the measured objective, less is better; absent until told
  double cost{1};              ///< what the evaluation cost, >= 0, in the caller's unit
  bool seed{false};            ///< declared by the caller (warm start) rather than asked for
  friend bool operator==(const trial&, const trial&) = default;
};

/// A measured result as people and protocols write it: by knob name.
struct named_result {
  std::map<std::string, double> values; ///< every knob, exactly once; categories by index
  double value{0};                      ///< finite
  double cost{1};                       ///< >= 0, finite
};

} // namespace homeostat
