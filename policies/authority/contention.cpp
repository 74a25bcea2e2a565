#include "policies/authority/contention.hpp"

#include <algorithm>

namespace homeostat {

std::optional<contention> observe(axis_history& history, const contention_settings& settings, std::string_view loop,
                                  bool up, instant now, std::string_view cause) {
  auto& moves = history.moves;
  std::erase_if(moves, [&](const axis_move& m) { return now - m.at > settings.span; });
  const auto same_cause = std::ranges::find_if(
      moves, [&](const axis_move& m) { return !cause.empty() && m.loop == loop && m.cause == cause; });
  if (same_cause != moves.end()) return std::nullopt;
  if (!moves.empty()) {
    axis_move& last = moves.back();
    if (last.loop == loop && last.up == up) {
      last.at = now;
      return std::nullopt;
    }
    // Not the other loop's answer, or a third loop: what came before is no fight of two.
    const bool answered = last.loop != loop && last.up != up;
    const bool third = moves.size() >= 2 && moves[moves.size() - 2].loop != loop;
    if (!answered || third) moves.erase(moves.begin(), answered ? moves.end() - 1 : moves.end());
  }
  moves.push_back({.loop = std::string(loop), .up = up, .at = now, .cause = std::string(cause)});
  if (moves.size() <= settings.alternations) return std::nullopt;
  contention fight{.axis = history.axis,
                   .first = moves[moves.size() - 2].loop,
                   .second = moves.back().loop,
                   .alternations = static_cast<std::uint32_t>(moves.size() - 1)};
  moves.clear();
  return fight;
}

} // namespace homeostat
