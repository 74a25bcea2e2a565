#include "policies/supervision/restart.hpp"

#include <algorithm>

namespace homeostat {

namespace {

duration backoff_of(const supervision_settings& settings, supervision_state& state) {
  const auto earlier = static_cast<unsigned>(std::min<std::size_t>(state.restarts.size() - 1, 30));
  const double delay = std::min(static_cast<double>(settings.backoff_limit.count()),
                                static_cast<double>(settings.backoff.count()) * static_cast<double>(1U << earlier));
  const double factor = 1 + settings.jitter * (2 * state.rng.uniform() - 1);
  return duration(static_cast<std::int64_t>(delay * factor));
}

} // namespace

supervision_decision on_child_end(const supervision_settings& settings, supervision_state& state,
                                  const std::vector<child_restart>& children, const std::vector<bool>& running,
                                  std::size_t ended, bool abnormal, instant now) {
  supervision_decision decision;
  const bool wanted =
      children[ended] == child_restart::permanent || (children[ended] == child_restart::transient && abnormal);
  if (!wanted) return decision;

  std::erase_if(state.restarts, [&](instant at) { return now - at > settings.period; });
  state.restarts.push_back(now);
  const bool exhausted = state.restarts.size() > settings.intensity;
  if (exhausted) state.restarts.erase(state.restarts.begin());

  const auto concerned = [&](std::size_t i) {
    switch (settings.strategy) {
    case restart_strategy::one_for_one: return i == ended;
    case restart_strategy::one_for_all: return true;
    case restart_strategy::rest_for_one: return i >= ended;
    }
    return false;
  };
  for (std::size_t i = children.size(); i-- > 0;)
    if (running[i] && (exhausted || concerned(i))) decision.stop.push_back(i);
  if (exhausted) {
    decision.what = supervision_decision::verdict::give_up;
    return decision;
  }
  for (std::size_t i = 0; i < children.size(); ++i)
    if (i == ended || (concerned(i) && children[i] != child_restart::temporary)) decision.start.push_back(i);
  decision.what = supervision_decision::verdict::restart;
  decision.delay = backoff_of(settings, state);
  return decision;
}

} // namespace homeostat
