#include "runtime/node/governed_pool.hpp"

#include "messages/codec.hpp"
#include "policies/fnv1a.hpp"
#include "policies/transfer/policy_knobs.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <stdexcept>
#include <utility>

namespace homeostat {

namespace {

constexpr duration store_patience = 5s;

instant wall_now() { return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()); }

std::string policy_key(const std::string& pool) { return "pool/" + pool + "/policy"; }
std::string learned_key(const std::string& pool) { return "pool/" + pool + "/learned"; }

/// @returns the store's answer; nothing if it does not come in time, or never because the store has stopped.
template <class Answer> std::optional<Answer> awaited(std::future<Answer>& coming, duration patience) {
  if (coming.wait_for(patience) != std::future_status::ready) return std::nullopt;
  try {
    return coming.get();
  } catch (const std::future_error&) { return std::nullopt; }
}

store_port::loaded load_now(store_port& store, const std::string& key) {
  const auto answer = std::make_shared<std::promise<store_port::loaded>>();
  auto loaded = answer->get_future();
  store.load(key, [answer](store_port::loaded value) { answer->set_value(std::move(value)); });
  return awaited(loaded, store_patience).value_or(std::unexpected("the store does not answer"));
}

/// Gives one state to the store. @param value  empty: erases the key. @returns its answer to come; nothing if its queue
/// is full.
std::optional<std::future<audit_answer>> submit(store_port& store, std::string key, std::string value) {
  const auto answer = std::make_shared<std::promise<audit_answer>>();
  auto kept = answer->get_future();
  audit_batch batch;
  batch.kept.push_back({std::move(key), std::move(value)});
  if (!store.submit(std::move(batch), [answer](audit_answer a) { answer->set_value(std::move(a)); }))
    return std::nullopt;
  return kept;
}

std::expected<void, std::string> durable(std::optional<std::future<audit_answer>> kept, duration patience) {
  if (!kept) return std::unexpected("the queue of the store is full");
  const auto answer = awaited(*kept, patience);
  if (!answer) return std::unexpected("the store does not answer");
  if (answer->status != audit_status::durable) return std::unexpected("cannot be kept: " + answer->text);
  return {};
}

} // namespace

transfer_policy recalled_policy(store_port& store, const std::string& pool, const transfer_policy& configured,
                                const pool_note& note) {
  const auto bytes = load_now(store, policy_key(pool));
  if (!bytes) throw std::runtime_error("pool " + pool + ": its policy cannot be read: " + bytes.error());
  if (!*bytes) return configured;
  const auto kept = decode<kept_policy>(**bytes);
  const auto usable =
      kept ? governed_pool::check(kept->policy) : std::expected<void, std::string>(std::unexpected(kept.error()));
  if (!usable) {
    note(pool, "its policy as changed at run time is damaged, the configuration's holds: " + usable.error());
    return configured;
  }
  if (kept->configured == configured) {
    if (kept->policy != configured) note(pool, "begins with its policy as it was changed at run time");
    return kept->policy;
  }
  // Gone for good: the next change back of the configuration must not bring it to life again.
  if (const auto erased = durable(submit(store, policy_key(pool), ""), store_patience); !erased)
    throw std::runtime_error("pool " + pool + ": its kept policy cannot be erased: " + erased.error());
  note(pool, "the transfer section of the configuration has changed: it holds, and changes made at run time are gone");
  return configured;
}

governed_pool::governed_pool(transfer_pool& pool, transfer_policy configured, std::shared_ptr<store_port> store)
    : pool_(pool), configured_(std::move(configured)), store_(std::move(store)) {}

std::expected<reading, plant_error> governed_pool::read(instant now, duration) {
  outcome_summary s;
  reading r{.begin = now, .end = now, .sample_count = 0, .metrics = {}};
  {
    const std::lock_guard hold(observing_);
    s = outcomes_.take();
    r.begin = std::exchange(last_reading_, now).value_or(now);
  }
  const system_conditions machine = pool_.conditions();
  const double seconds = std::max(seconds_of(r.end - r.begin), 1e-6);
  const auto transfers = static_cast<double>(s.transfers);
  r.sample_count = s.transfers;
  r.metrics = {{"transfers", transfers},
               {"throughput_per_s", static_cast<double>(s.transfers - s.failed) / seconds},
               {"goodput_mbps", static_cast<double>(s.bytes) * 8e-6 / seconds},
               {"latency_mean_ms", s.latency_mean_us / 1000},
               {"latency_p99_ms", s.latency_p99_us / 1000},
               {"latency_ratio", s.latency_ratio},
               {"cpu_mean_us", s.cpu_mean_us},
               {"cpu_ratio", s.cpu_ratio},
               {"memory_mean_bytes", s.memory_mean_bytes},
               {"memory_ratio", s.memory_ratio},
               {"cost_ratio", cost_ratio(s, pool_.policy().goal)},
               {"error_rate", s.transfers > 0 ? static_cast<double>(s.failed) / transfers : 0},
               {"cpu_load", machine.cpu_load},
               {"memory_used", machine.memory_used}};
  return r;
}

std::expected<named_values, plant_error> governed_pool::apply(const named_values& wanted, duration patience) {
  const auto changed = change([&](transfer_policy policy) { return with_knobs(std::move(policy), wanted); }, patience);
  if (!changed) return std::unexpected(plant_error{"pool " + pool_.name() + ": " + changed.error()});
  return read_back(patience);
}

std::expected<named_values, plant_error> governed_pool::read_back(duration) { return knobs_of(pool_.policy()); }

void governed_pool::observe(const transfer_metrics& done) {
  const std::lock_guard hold(observing_);
  outcomes_.record(done);
}

std::expected<void, std::string> governed_pool::check(const transfer_policy& policy) {
  if (auto ok = homeostat::check(policy); !ok) return ok;
  try {
    (void)rule_conditions(policy.rules);
  } catch (const std::invalid_argument& e) { return std::unexpected(std::string(e.what())); }
  return {};
}

std::expected<void, std::string> governed_pool::change(const edit& what, duration patience) {
  const std::lock_guard hold(changing_);
  const transfer_policy before = pool_.policy();
  auto policy = what(before);
  if (!policy) return std::unexpected(policy.error());
  if (auto ok = check(*policy); !ok) return ok;
  if (*policy == before && !uncertain_) return {};
  if (!store_) return pool_.set_policy(std::move(*policy), wall_now());
  uncertain_ = true; // until the store has answered, a crash may bring up either
  const auto kept =
      durable(submit(*store_, policy_key(pool_.name()), encode(kept_policy{configured_, *policy})), patience);
  if (!kept) return kept;
  uncertain_ = false;
  return pool_.set_policy(std::move(*policy), wall_now());
}

void governed_pool::recall_learned(const pool_note& note) {
  if (!store_ || !pool_.policy().learning_enabled) return;
  const auto bytes = load_now(*store_, learned_key(pool_.name()));
  if (!bytes) return note(pool_.name(), "what it learned cannot be read, it begins afresh: " + bytes.error());
  if (!*bytes) return;
  const auto learned = decode<transfer_memory>(**bytes);
  const auto taken = learned ? pool_.remember(*learned, wall_now())
                             : std::expected<void, std::string>(std::unexpected(learned.error()));
  if (!taken) note(pool_.name(), "what it learned is damaged, it begins afresh: " + taken.error());
}

void governed_pool::keep_learned() {
  const std::lock_guard hold(keeping_);
  if (!store_ || !pool_.policy().learning_enabled) return; // nothing of it decides, nor is it to come back
  std::string bytes = encode(pool_.memory());
  const std::uint64_t now = fnv1a(bytes);
  if (now != kept_ && submit(*store_, learned_key(pool_.name()), std::move(bytes))) kept_ = now;
}

std::expected<void, std::string> governed_pool::forget_learned(const std::string& why) {
  std::optional<std::future<audit_answer>> kept;
  {
    const std::lock_guard hold(keeping_);
    pool_.reset(wall_now(), why);
    if (!store_) return {};
    kept = submit(*store_, learned_key(pool_.name()), "");
    kept_ = 0;
  }
  return durable(std::move(kept), store_patience);
}

} // namespace homeostat
