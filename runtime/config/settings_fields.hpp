#pragma once

#include "runtime/config/yaml_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <expected>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace homeostat::yaml {

// Plain settings structs: one table per struct says which key sets which member, so that reading, the list of known
// keys and the place of a complaint come from one list.

template <class T> struct field {
  using member_pointer = std::variant<double T::*, std::uint32_t T::*, bool T::*, duration T::*>;
  std::string_view key;
  member_pointer member;
  std::string_view checked_as{}; ///< how the struct's check() names it, where that differs from the key
  [[nodiscard]] std::string_view name_in_check() const { return checked_as.empty() ? key : checked_as; }
};

/// @returns the keys of a table of fields, none of them required, behind `others`.
template <class T> [[nodiscard]] std::vector<key> keys_of(std::vector<key> others, std::span<const field<T>> fields) {
  for (const field<T>& f : fields) others.push_back({.name = f.key});
  return others;
}

inline void read_into(const value& v, double& target) { target = number_of(v).value_or(target); }
inline void read_into(const value& v, bool& target) { target = truth_of(v).value_or(target); }
inline void read_into(const value& v, duration& target) { target = duration_of(v).value_or(target); }
inline void read_into(const value& v, std::uint32_t& target) {
  target = static_cast<std::uint32_t>(whole_of(v, 0, std::numeric_limits<std::uint32_t>::max()).value_or(target));
}

/// Sets the members whose keys are present; the others keep their values.
template <class T> void read_fields(const mapping& m, T& settings, std::span<const field<T>> fields) {
  for (const field<T>& f : fields)
    if (auto v = m.find(f.key)) std::visit([&](auto member) { read_into(*v, settings.*member); }, f.member);
}

/// Complains at the place of a setting in the words of a check: "NAME is VALUE, expected FORM".
inline void refuse_as_checked(const value& place, const std::string& sentence) {
  constexpr std::string_view joint = ", expected ";
  const std::string rest = sentence.substr(sentence.find(' ') + 1);
  const std::size_t at = rest.find(joint);
  if (at == std::string::npos)
    place.refuse(rest);
  else
    place.refuse(rest.substr(0, at), rest.substr(at + joint.size()));
}

/// Reports what check() finds wrong, one setting after the other: each is set back to `fallback` once it is reported,
/// so that the next one shows up.
/// @param section  the mapping the settings came from; nothing: they were not written, and `otherwise` is the place.
/// @param checker  returns nothing or a sentence "NAME is VALUE, expected FORM".
template <class T, class Checker>
void report_checks(const std::optional<mapping>& section, const value& otherwise, T& settings, const T& fallback,
                   std::span<const field<T>> fields, Checker checker) {
  std::vector<std::string_view> reported; // a fallback can contradict what stays, and is then no way out
  while (true) {
    const std::expected<void, std::string> result = checker(settings);
    if (result) return;
    const std::string& sentence = result.error();
    const std::string_view name = std::string_view(sentence).substr(0, sentence.find(' '));
    const auto f = std::ranges::find(fields, name, &field<T>::name_in_check);
    value place = section ? section->self() : otherwise;
    if (f == fields.end()) return place.refuse(sentence);
    if (std::ranges::find(reported, f->key) != reported.end()) return;
    reported.push_back(f->key);
    if (section)
      place = section->place_of(f->key);
    else
      place.path += "." + std::string(f->key);
    refuse_as_checked(place, sentence);
    std::visit([&](auto member) { settings.*member = fallback.*member; }, f->member);
  }
}

} // namespace homeostat::yaml
