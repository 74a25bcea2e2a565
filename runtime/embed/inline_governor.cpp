#include "runtime/embed/inline_governor.hpp"

#include <utility>

namespace homeostat {

inline_governor::inline_governor(governor_config config, atomic_config& live, bounded_queue<audit_bundle>& audit,
                                 instant now)
    : config_(std::move(config)), live_(live), audit_(audit) {
  const config_snapshot present = live_.snapshot();
  governor_step step = recover(config_, std::nullopt, knob_values(present.view()), now);
  state_ = std::move(step.state);
  (void)enact(std::move(step.effects), now);
}

/// Does what the effects say, in their order, until nothing is in flight any more.
std::optional<proposal_verdict> inline_governor::enact(governor_effects effects, instant now) {
  std::optional<proposal_verdict> verdict;
  for (;;) {
    const bool queued =
        effects.records.empty() || audit_.try_enqueue(std::move(effects.records)) == enqueue_result::enqueued;
    if (effects.verdict) verdict = std::move(effects.verdict);
    std::optional<governor_input> next;
    if (effects.durable_ticket) {
      next = audit_answer{
          .ticket = *effects.durable_ticket, .status = queued ? audit_status::durable : audit_status::full, .text = {}};
    } else if (effects.apply) {
      const bool stored =
          live_.update({effects.apply->values.begin(), effects.apply->values.size()}, effects.apply->generation)
              .has_value();
      const config_snapshot in_force = live_.snapshot();
      next = actuation_answer{
          .ticket = effects.apply->ticket, .ok = stored, .read_back = knob_values(in_force.view()), .text = {}};
    }
    if (!next) return verdict;
    governor_step step = decide(config_, std::move(state_), *next, now);
    state_ = std::move(step.state);
    effects = std::move(step.effects);
  }
}

proposal_verdict inline_governor::apply(const proposal& p, instant now) {
  governor_step step = decide(config_, std::move(state_), p, now);
  state_ = std::move(step.state);
  auto verdict = enact(std::move(step.effects), now);
  // A "no change" asks for nothing and gets the state as it is.
  if (!verdict)
    verdict = proposal_verdict{.proposal_id = p.id,
                               .accepted = receipt{.generation = state_.generation,
                                                   .revision = state_.revision,
                                                   .applied_at = now,
                                                   .values = state_.live},
                               .refused = std::nullopt};
  return std::move(*verdict);
}

governor_effects inline_governor::feed(const governor_input& input, instant now) {
  governor_step step = decide(config_, std::move(state_), input, now);
  state_ = std::move(step.state);
  governor_effects shown = step.effects;
  (void)enact(std::move(step.effects), now);
  return shown;
}

} // namespace homeostat
