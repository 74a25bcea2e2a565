#include "policies/transfer/decide.hpp"

#include "policies/number_text.hpp"
#include "policies/transfer/size_class.hpp"

#include <cmath>
#include <string_view>

namespace homeostat {

namespace {

constexpr std::array<std::string_view, decision_reason_count> reason_names{
    "below_minimum", "above_maximum", "rule",  "rule_conflict", "threshold",
    "cost_benefit",  "marginal",      "model", "exploration",   "fallback"};

/// Evidence this sure is not overruled by a model.
constexpr float beyond_doubt = 0.99F;

/// @returns the index of the deciding rule in the view, or none; `conflict` when equals disagree.
const transfer_view::rule* deciding_rule(const transfer_view& view, std::uint32_t matching, bool& conflict) noexcept {
  const transfer_view::rule* first = nullptr;
  for (const transfer_view::rule& rule : view.rules) {
    if ((matching >> static_cast<unsigned>(rule.index) & 1U) == 0) continue;
    if (first == nullptr) {
      first = &rule;
    } else {
      if (rule.priority != first->priority) break;
      conflict = conflict || rule.method != first->method;
    }
  }
  return first;
}

std::string microseconds(double us) {
  const auto three = [](double v) { return number_text(std::round(v * 100) / 100); };
  return us >= 1e6 ? three(us / 1e6) + " s" : us >= 1e3 ? three(us / 1e3) + " ms" : three(us) + " us";
}

} // namespace

std::string_view name_of(decision_reason reason) noexcept {
  const auto i = static_cast<std::size_t>(reason);
  return i < reason_names.size() ? reason_names[i] : "?";
}

decision_basis basis_of(const transfer_decision& d) noexcept {
  return {.known = true,
          .reason = d.reason,
          .under = d.under,
          .rule = d.rule,
          .confidence = d.confidence,
          .grpc_us = static_cast<float>(d.grpc_us),
          .zero_copy_us = static_cast<float>(d.zero_copy_us),
          .threshold = d.threshold};
}

transfer_decision decide(const transfer_view& view, const transfer_characteristics& data, std::uint32_t matching,
                         const model_prediction* model, double chance) noexcept {
  transfer_decision d;
  d.generation = view.generation;
  d.under = view.under;
  const auto type = std::min(static_cast<std::size_t>(data.type), data_type_count - 1);
  d.threshold = view.thresholds[type];
  if (data.data_size < view.minimum) {
    d.reason = decision_reason::below_minimum;
    return d;
  }
  if (data.data_size >= view.maximum) {
    d.reason = decision_reason::above_maximum;
    d.method = transfer_method::zero_copy;
    return d;
  }

  const transfer_view::entry& known = view.entries[type][cost_class_of(data.data_size)];
  if (known.evidence) {
    d.has_estimates = true;
    d.grpc_us = prior_cost(transfer_method::grpc, data.data_size).latency_us * known.grpc_ratio;
    d.zero_copy_us = prior_cost(transfer_method::zero_copy, data.data_size).latency_us * known.zero_copy_ratio;
  }
  if (matching != 0) {
    bool conflict = false;
    if (const transfer_view::rule* rule = deciding_rule(view, matching, conflict)) {
      d.rule = rule->index;
      d.reason = conflict ? decision_reason::rule_conflict : decision_reason::rule;
      d.method = conflict ? transfer_method::grpc : rule->method;
      return d; // an operator's word is not explored against
    }
  }

  d.reason = decision_reason::threshold;
  d.method = data.data_size >= d.threshold ? transfer_method::zero_copy : transfer_method::grpc;
  if (known.evidence) {
    d.confidence = known.confidence;
    const transfer_method better = known.gain > 0 ? transfer_method::zero_copy : transfer_method::grpc;
    const bool marginal = better == transfer_method::zero_copy && known.gain < view.marginal_benefit;
    d.reason = marginal ? decision_reason::marginal : decision_reason::cost_benefit;
    d.method = marginal ? transfer_method::grpc : better;
  }
  if (model != nullptr) {
    d.model_confidence = model->confidence;
    if (!d.has_estimates) {
      d.grpc_us = model->grpc_us;
      d.zero_copy_us = model->zero_copy_us;
    }
    const bool contradicted = known.evidence && known.confidence > beyond_doubt && model->method != d.method;
    if (model->confidence >= model->least_confidence && !contradicted) {
      d.reason = decision_reason::model;
      d.method = model->method;
      d.confidence = model->confidence;
    }
  }
  if (chance < static_cast<double>(known.explore)) {
    d.reason = decision_reason::exploration;
    d.method = other(d.method);
  }
  return d;
}

std::string explain(const transfer_decision& d, const transfer_characteristics& data, const transfer_policy& policy) {
  std::string text = std::string(name_of(d.method)) + " for " + size_text(data.data_size) + " of " +
                     std::string(name_of(data.type)) + ": ";
  const bool zero = d.method == transfer_method::zero_copy;
  const double mine = zero ? d.zero_copy_us : d.grpc_us;
  const double its = zero ? d.grpc_us : d.zero_copy_us;
  const std::string estimates =
      "expected " + microseconds(mine) + ", by " + std::string(name_of(other(d.method))) + " " + microseconds(its);
  switch (d.reason) {
  case decision_reason::below_minimum:
    text += "below the minimum threshold of " + size_text(policy.minimum_threshold);
    break;
  case decision_reason::above_maximum:
    text += "from the maximum threshold of " + size_text(policy.maximum_threshold) + " on";
    break;
  case decision_reason::rule:
  case decision_reason::rule_conflict:
    text += "rule '" +
            (d.rule >= 0 && static_cast<std::size_t>(d.rule) < policy.rules.size()
                 ? policy.rules[static_cast<std::size_t>(d.rule)].name
                 : std::string("?")) +
            "'";
    if (d.reason == decision_reason::rule_conflict) text += " and another of its priority disagree, the simpler method";
    break;
  case decision_reason::threshold:
    text += std::string(zero ? "not below" : "below") + " the threshold of " + size_text(d.threshold) +
            ", no evidence for both methods yet";
    break;
  case decision_reason::cost_benefit:
    text += estimates + ", better for " + std::string(name_of(policy.goal)) + " with confidence " +
            number_text(std::round(static_cast<double>(d.confidence) * 100)) + " %";
    break;
  case decision_reason::marginal:
    text +=
        estimates + ": the gain is below " + number_text(policy.marginal_benefit * 100) + " %, the simpler method does";
    break;
  case decision_reason::model:
    text += "the model is " + number_text(std::round(static_cast<double>(d.model_confidence) * 100)) + " % sure";
    if (d.grpc_us > 0) text += ", " + estimates;
    break;
  case decision_reason::exploration:
    text += "tried to learn" + (d.has_estimates ? ", " + estimates : std::string(", nothing is known of it here"));
    break;
  case decision_reason::fallback: text += "nothing could decide, the safe default"; break;
  }
  if (d.under != pressure::none) text += "; under pressure of " + std::string(name_of(d.under));
  return text;
}

} // namespace homeostat
