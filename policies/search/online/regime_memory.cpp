#include "policies/search/online/regime_memory.hpp"

#include <algorithm>

namespace homeostat {

std::uint64_t remember(regime_memory& memory, std::span<const knob_spec> knobs, const online_point& centre,
                       const bank_member& model, std::uint64_t step, const memory_tuning& tuning) {
  regime entry;
  const auto same = std::ranges::find_if(
      memory.regimes, [&](const regime& r) { return distance_between(knobs, r.centre, centre) < tuning.separation; });
  if (same != memory.regimes.end()) {
    entry = *same;
    memory.regimes.erase(same);
  } else {
    entry.id = ++memory.written;
  }
  ++entry.version;
  entry.centre = centre;
  entry.model = model;
  entry.used_at = step;
  memory.regimes.push_back(entry);
  if (memory.regimes.size() > tuning.capacity) memory.regimes.erase(memory.regimes.begin());
  return entry.id;
}

std::vector<std::uint64_t> worth_a_look(regime_memory& memory, std::span<const knob_spec> knobs,
                                        const online_point& centre, std::uint64_t step, bool urgent,
                                        const memory_tuning& tuning) {
  std::erase_if(memory.regimes, [&](const regime& r) { return step - r.used_at > tuning.lifetime; });
  const std::size_t most = urgent ? tuning.urgent_looks : tuning.looks;
  std::vector<std::uint64_t> ids;
  for (auto r = memory.regimes.rbegin(); r != memory.regimes.rend() && ids.size() < most; ++r) {
    if (distance_between(knobs, r->centre, centre) < tuning.separation) continue;
    if (r->passed_over > 0 && !urgent)
      --r->passed_over;
    else
      ids.push_back(r->id);
  }
  return ids;
}

const regime* find(const regime_memory& memory, std::uint64_t id) {
  const auto r = std::ranges::find(memory.regimes, id, &regime::id);
  return r == memory.regimes.end() ? nullptr : &*r;
}

void credit(regime_memory& memory, std::uint64_t id, bool recalled, std::uint64_t step, const memory_tuning& tuning) {
  const auto r = std::ranges::find(memory.regimes, id, &regime::id);
  if (r == memory.regimes.end()) return;
  if (!recalled) {
    r->useless_looks = std::min(r->useless_looks + 1, 7U);
    r->passed_over = std::min((1U << (r->useless_looks - 1)) - 1, tuning.patience);
    return;
  }
  r->useless_looks = r->passed_over = 0;
  r->used_at = step;
  std::rotate(r, r + 1, memory.regimes.end());
}

} // namespace homeostat
