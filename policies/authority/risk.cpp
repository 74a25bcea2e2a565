#include "policies/authority/risk.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <set>

namespace homeostat {

namespace {

constexpr std::uint32_t high_steps = 2;
constexpr std::size_t many_targets = 6;

std::string listed(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

} // namespace

risk_assessment assess_risk(std::span<const moved_knob> knobs, const risk_context& context) {
  risk_assessment a;
  const auto add = [&](std::uint32_t steps, std::string text) { a.terms.push_back({std::move(text), steps}); };
  const auto riskiest = std::ranges::max_element(knobs, {}, [](const moved_knob& m) { return m.knob->risk; });
  if (riskiest != knobs.end())
    add(static_cast<std::uint32_t>(riskiest->knob->risk),
        "knob " + riskiest->knob->name + " is " + std::string(name_of(riskiest->knob->risk)));
  std::set<std::string> concerns;
  for (const moved_knob& m : knobs)
    concerns.insert(m.knob->concern.empty() ? "loop " + std::string(m.loop) : m.knob->concern);
  if (concerns.size() >= 2) add(1, "unrelated concerns change together: " + listed(concerns));
  if (context.targets >= many_targets)
    add(high_steps, std::to_string(context.targets) + " targets");
  else if (context.targets >= 2)
    add(1, std::to_string(context.targets) + " targets");
  if (context.production) add(1, "production");
  for (const moved_knob& m : knobs)
    if (m.knob->security_relevant) add(high_steps, "knob " + m.knob->name + " is relevant to security");
  if (context.deletion) add(high_steps, "something is deleted");
  std::uint32_t steps = 0;
  for (const risk_term& term : a.terms) steps += term.steps;
  a.result = risk_of_steps(steps);
  return a;
}

} // namespace homeostat
