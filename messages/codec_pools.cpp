// What pools that decide on transfers start from again.
#include "messages/codec.hpp"
#include "messages/codec_fields.hpp"
#include "messages/pool_policy.hpp"
#include "messages/pool_state.pb.h"
#include "policies/transfer/transfer_learner.hpp"

namespace homeostat {

namespace {

using codec::enum_at, codec::malformed;

constexpr std::uint32_t memory_version = 1;

pressure pressure_at(std::uint32_t number) { return enum_at<pressure>(number, pressure_count, "pressure"); }
data_type type_at(std::uint32_t number) { return enum_at<data_type>(number, data_type_count, "type"); }
transfer_method method_at(std::uint32_t number) {
  return enum_at<transfer_method>(number, transfer_method_count, "method");
}

void put(v1::LearnedCost* out, const learned_cost& x) {
  out->set_pressure(static_cast<std::uint32_t>(x.under));
  out->set_type(static_cast<std::uint32_t>(x.type));
  out->set_method(static_cast<std::uint32_t>(x.method));
  out->set_size_class(x.size_class);
  out->set_weight(x.weight);
  out->set_last(x.last);
  out->set_latency(x.latency);
  out->set_square(x.square);
  out->set_cpu(x.cpu);
  out->set_memory(x.memory);
  out->set_run_sum(x.run_sum);
  out->set_run(x.run);
}

learned_cost cost_from(const v1::LearnedCost& in) {
  return {.under = pressure_at(in.pressure()),
          .type = type_at(in.type()),
          .method = method_at(in.method()),
          .size_class = in.size_class(),
          .weight = in.weight(),
          .last = in.last(),
          .latency = in.latency(),
          .square = in.square(),
          .cpu = in.cpu(),
          .memory = in.memory(),
          .run_sum = in.run_sum(),
          .run = in.run()};
}

/// Copies a list of exactly as many numbers.
template <class Array, class List> void get_all(const List& in, Array& out, const char* what) {
  if (static_cast<std::size_t>(in.size()) != out.size())
    throw malformed(std::string(what) + " has " + std::to_string(in.size()) + " entries, expected " +
                    std::to_string(out.size()));
  std::copy(in.begin(), in.end(), out.begin());
}

void get(const v1::TransferMemory& in, transfer_memory& x) {
  if (!in.complete()) throw malformed("is cut short");
  if (in.version() != memory_version)
    throw malformed("has version " + std::to_string(in.version()) + ", expected " + std::to_string(memory_version));
  for (const auto& one : in.costs()) x.costs.cells.push_back(cost_from(one));
  for (const auto& one : in.alarms())
    x.costs.alarms.push_back({pressure_at(one.pressure()), method_at(one.method()), one.at(), one.factor()});
  get_all(in.recorded(), x.costs.recorded, "recorded");
  get_all(in.performance(), x.performance, "performance");
  for (const auto& one : in.promises())
    x.promises.push_back(
        {pressure_at(one.pressure()), type_at(one.type()), one.size_class(), method_at(one.method()), one.tries()});
  for (const auto& one : in.accounts())
    x.accounts.push_back({pressure_at(one.pressure()),
                          one.has_size_class() ? std::optional(one.size_class()) : std::nullopt, one.time_us(),
                          one.loss_us()});
  x.slowdown = in.slowdown();
  x.generation = in.generation();
  if (const auto sound = check(x); !sound) throw malformed(sound.error());
}

transfer_policy policy_of(const v1::TransferPolicy& in) {
  auto policy = policy_from(in, transfer_policy{});
  if (!policy) throw malformed(policy.error());
  return std::move(*policy);
}

void get(const v1::KeptPolicy& in, kept_policy& x) {
  if (!in.complete()) throw malformed("is cut short");
  x.configured = policy_of(in.configured());
  x.policy = policy_of(in.policy());
}

} // namespace

std::string encode(const kept_policy& x) {
  v1::KeptPolicy message;
  *message.mutable_configured() = message_of(x.configured);
  *message.mutable_policy() = message_of(x.policy);
  message.set_complete(true);
  return message.SerializeAsString();
}

std::string encode(const transfer_memory& x) {
  v1::TransferMemory message;
  message.set_version(memory_version);
  for (const learned_cost& one : x.costs.cells) put(message.add_costs(), one);
  for (const learned_alarm& one : x.costs.alarms) {
    v1::LearnedAlarm* out = message.add_alarms();
    out->set_pressure(static_cast<std::uint32_t>(one.under));
    out->set_method(static_cast<std::uint32_t>(one.method));
    out->set_at(one.at);
    out->set_factor(one.factor);
  }
  for (const std::uint64_t count : x.costs.recorded) message.add_recorded(count);
  for (const double factor : x.performance) message.add_performance(factor);
  for (const kept_promise& one : x.promises) {
    v1::KeptPromise* out = message.add_promises();
    out->set_pressure(static_cast<std::uint32_t>(one.under));
    out->set_type(static_cast<std::uint32_t>(one.type));
    out->set_size_class(one.size_class);
    out->set_method(static_cast<std::uint32_t>(one.method));
    out->set_tries(one.tries);
  }
  for (const kept_account& one : x.accounts) {
    v1::KeptAccount* out = message.add_accounts();
    out->set_pressure(static_cast<std::uint32_t>(one.under));
    if (one.size_class) out->set_size_class(*one.size_class);
    out->set_time_us(one.time_us);
    out->set_loss_us(one.loss_us);
  }
  message.set_slowdown(x.slowdown);
  message.set_generation(x.generation);
  message.set_complete(true);
  return message.SerializeAsString();
}

template <> std::expected<kept_policy, std::string> decode<kept_policy>(std::string_view bytes) {
  return codec::from_bytes<v1::KeptPolicy, kept_policy>(bytes, [](const auto& m, auto& x) { get(m, x); });
}

template <> std::expected<transfer_memory, std::string> decode<transfer_memory>(std::string_view bytes) {
  return codec::from_bytes<v1::TransferMemory, transfer_memory>(bytes, [](const auto& m, auto& x) { get(m, x); });
}

} // namespace homeostat
