#include "policies/search/online/online_strategy.hpp"

#include "policies/number_text.hpp"

#include <array>
#include <cmath>

namespace homeostat {

namespace {

/// Beyond this no cost is a measurement; squares of it must stay finite.
constexpr double largest_value = 1e100;

adaptive_frame frame_of(const online_settings& settings) {
  return {.knobs = settings.knobs,
          .tuning = settings.adaptive,
          .max_delta = settings.max_delta_per_step,
          .noise_floor = settings.noise_floor};
}

} // namespace

std::string_view name_of(online_kind kind) { return kind == online_kind::adaptive ? "adaptive" : "spsa"; }

std::optional<online_kind> online_kind_from(std::string_view name) {
  for (online_kind kind : {online_kind::adaptive, online_kind::spsa})
    if (name_of(kind) == name) return kind;
  return std::nullopt;
}

std::string_view name_of(online_reason reason) {
  constexpr std::array<std::string_view, 12> names{
      "start",          "exploit",         "explore",  "stir",      "return_to_incumbent", "travel",
      "look_at_regime", "look_at_default", "trial_on", "trial_off", "perturb_plus",        "perturb_minus"};
  return names[static_cast<std::size_t>(reason)];
}

std::string_view name_of(online_event event) {
  constexpr std::array<std::string_view, 7> names{
      "none",    "incumbent_moved", "change_detected", "regime_recalled", "look_taken_over", "returned_to_default",
      "switched"};
  return names[static_cast<std::size_t>(event)];
}

std::expected<void, std::string> check(const online_settings& settings) {
  if (settings.knobs.empty() || settings.knobs.size() > max_knobs)
    return std::unexpected("knobs has " + std::to_string(settings.knobs.size()) + " entries, expected 1 to " +
                           std::to_string(max_knobs));
  for (const knob_spec& knob : settings.knobs)
    if (auto good = check(knob); !good) return good;
  if (const auto& delta = settings.max_delta_per_step; delta && !(*delta > 0 && *delta <= 1))
    return std::unexpected("max_delta_per_step is " + number_text(*delta) + ", expected more than 0, at most 1");
  if (const auto& floor = settings.noise_floor; floor && !(std::isfinite(*floor) && *floor >= 0))
    return std::unexpected("noise_floor is " + number_text(*floor) + ", expected 0 or more");
  return settings.kind == online_kind::adaptive ? check(settings.adaptive) : check(settings.spsa);
}

online_state fresh_online(const online_settings& settings) {
  online_state state;
  state.applied = default_point(settings.knobs);
  if (settings.kind == online_kind::adaptive)
    state.adaptive = fresh_adaptive(frame_of(settings), settings.seed);
  else
    state.spsa = fresh_spsa_online(settings.knobs, settings.seed);
  return state;
}

online_step next_point(online_state& state, const online_settings& settings) {
  if (!state.asked)
    state.asked = settings.kind == online_kind::adaptive
                      ? propose(state.adaptive, frame_of(settings), state.applied)
                      : propose(state.spsa, settings.knobs, settings.spsa, settings.max_delta_per_step, state.applied);
  return *state.asked;
}

knob_values values_of(const online_step& step, const online_settings& settings) {
  knob_values values;
  for (std::size_t i = 0; i < settings.knobs.size(); ++i) values.push_back(value_at(settings.knobs[i], step.point[i]));
  return values;
}

std::expected<online_event, std::string> record(online_state& state, const online_settings& settings, double value,
                                                std::optional<double> error) {
  if (!state.asked) return std::unexpected("a result was recorded that was not asked for");
  if (!(std::abs(value) <= largest_value))
    return std::unexpected("value is " + number_text(value) + ", expected a finite number of at most 1e100");
  if (error && !(*error >= 0 && *error <= largest_value))
    return std::unexpected("error is " + number_text(*error) + ", expected 0 or more, at most 1e100");
  const online_step step = *state.asked;
  state.asked.reset();
  state.applied = step.point;
  ++state.recorded;
  const online_event event = settings.kind == online_kind::adaptive
                                 ? learn(state.adaptive, frame_of(settings), step, value, error)
                                 : learn(state.spsa, settings.knobs, settings.spsa, step, value);
  state.changes += event == online_event::change_detected;
  state.recalls += event == online_event::regime_recalled;
  state.returns += event == online_event::returned_to_default;
  return event;
}

void abandon(online_state& state, const online_settings& settings, std::optional<online_point> in_force) {
  if (in_force && in_force->size() == settings.knobs.size()) state.applied = *in_force;
  if (!state.asked) return;
  state.asked.reset();
  ++state.refused;
  if (settings.kind == online_kind::adaptive)
    abandon(state.adaptive);
  else
    abandon(state.spsa.spsa);
}

online_step incumbent(const online_state& state, const online_settings& settings) {
  const bool adaptive = settings.kind == online_kind::adaptive;
  const online_point& place = adaptive ? state.adaptive.centre : state.spsa.base;
  online_step step{.point = {}, .reason = online_reason::exploit};
  for (std::size_t i = 0; i < place.size(); ++i)
    step.point.push_back(reachable(settings.knobs[i], state.applied[i], place[i], std::nullopt));
  return step;
}

} // namespace homeostat
