#include "runtime/node/pool_experiments.hpp"

#include "messages/codec.hpp"
#include "policies/fnv1a.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace homeostat {

namespace {

constexpr std::size_t most_experiments = 50; ///< of a pool; the oldest that is over makes room
constexpr duration keep_every = 5s;
constexpr duration try_again = 1s;
constexpr duration look_every = 1s; ///< at time, when nothing is reported

std::unexpected<authority_problem> refused(unsigned status, std::string text) {
  return std::unexpected(authority_problem{status, std::move(text)});
}

bool is_name(const std::string& name) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= 63 && letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
}

std::string key_of(const experiment_settings& s) { return experiment_keys + s.pool + "/" + s.name; }

/// A checksum before the bytes: SQLite does not notice a bit that changed on the disk, and any number is a count.
std::string sealed(const std::string& bytes) {
  const std::uint64_t sum = fnv1a(bytes);
  std::string value(sizeof sum, '\0');
  std::memcpy(value.data(), &sum, sizeof sum);
  return value + bytes;
}

std::expected<experiment_state, std::string> unsealed(std::string_view value) {
  std::uint64_t sum = 0;
  if (value.size() < sizeof sum) return std::unexpected("it is cut off: " + std::to_string(value.size()) + " bytes");
  std::memcpy(&sum, value.data(), sizeof sum);
  value.remove_prefix(sizeof sum);
  if (fnv1a(value) != sum) return std::unexpected(std::string("it is damaged: its checksum is another one"));
  return decode<experiment_state>(value);
}

bool is_over(experiment_phase phase) { return phase != experiment_phase::draft && phase != experiment_phase::running; }

/// Control and treatment in full, from the pool's present policy and the keys to change.
std::expected<transfer_policy, std::string> fill_arms(experiment_settings& s, const transfer_policy& present,
                                                      const policy_settings_text& changes) {
  auto treated = changed_policy(present, changes);
  if (!treated) return treated;
  s.control = settings_of(present);
  s.treatment = settings_of(*treated);
  return treated;
}

/// @returns the first keys whose values differ, in words.
std::string what_differs(const policy_settings_text& was, const policy_settings_text& is) {
  policy_settings_text keys = differences(was, is);
  for (const auto& gone : differences(is, was)) keys.emplace(gone);
  std::string text;
  const auto value_in = [](const policy_settings_text& from, const std::string& key) {
    const auto found = from.find(key);
    return found == from.end() ? std::string("not set") : found->second;
  };
  for (const auto& [key, value] : keys)
    text += (text.empty() ? "" : "; ") + key + " was " + value_in(was, key) + ", is " + value_in(is, key);
  return text;
}

} // namespace

struct pool_experiments::kept_experiment {
  experiment_state state;
  /// What the store did not take, told by its thread.
  struct refusal {
    std::mutex mutex;
    std::vector<audit_record> records;
    bool again{false};
  };
  std::shared_ptr<refusal> refused{std::make_shared<refusal>()};
  std::vector<audit_record> records; ///< to become durable with the state
  instant kept{};
  bool counted{false}; ///< since then
  bool promoting{false};
};

struct pool_experiments::one {
  transfer_pool* pool;
  std::vector<std::unique_ptr<kept_experiment>> experiments; ///< by age
  kept_experiment* running{nullptr};
  std::uint64_t number{0}; ///< of the running one
  instant looked{};
};

pool_experiments::pool_experiments(std::function<void(const std::string&, const std::string&)> note)
    : note_(std::move(note)) {}

pool_experiments::~pool_experiments() = default;

void pool_experiments::add(transfer_pool& pool) {
  const std::lock_guard hold(mutex_);
  pools_.push_back(std::make_unique<one>(one{.pool = &pool, .experiments = {}, .looked = {}}));
}

pool_experiments::one* pool_experiments::pool_of(const std::string& pool) const {
  const auto found = std::ranges::find(pools_, pool, [](const auto& p) { return p->pool->name(); });
  return found == pools_.end() ? nullptr : found->get();
}

experiment_result<pool_experiments::kept_experiment*> pool_experiments::locate(const std::string& pool,
                                                                               const std::string& name) const {
  const one* of = pool_of(pool);
  if (of == nullptr) return refused(404, "there is no pool '" + pool + "'");
  const auto found = std::ranges::find(of->experiments, name, [](const auto& e) { return e->state.settings.name; });
  if (found == of->experiments.end()) return refused(404, "pool " + pool + " has no experiment '" + name + "'");
  return found->get();
}

// ---- what is kept

void pool_experiments::keep(kept_experiment& e) {
  e.counted = false;
  if (!store_) return;
  {
    const std::lock_guard hold(e.refused->mutex);
    e.records.insert(e.records.begin(), e.refused->records.begin(), e.refused->records.end());
    e.refused->records.clear();
    e.refused->again = false;
  }
  const auto give_back = [to = e.refused, records = e.records] {
    const std::lock_guard hold(to->mutex);
    to->records.insert(to->records.end(), records.begin(), records.end());
    to->again = true;
  };
  audit_batch batch;
  batch.records = std::exchange(e.records, {});
  batch.kept = {{.key = key_of(e.state.settings), .value = sealed(encode(e.state))}};
  const bool taken = store_->submit(std::move(batch), [give_back](const audit_answer& answer) {
    if (answer.status != audit_status::durable) give_back();
  });
  if (!taken) give_back();
}

void pool_experiments::changed(one& of, kept_experiment& e, const std::string& actor, const std::string& text,
                               instant now) {
  const std::string what = "experiment " + e.state.settings.name + " " + text;
  note_(of.pool->name(), what + (actor.empty() ? "" : ", by " + actor));
  audit_record record;
  record.time = now;
  record.kind = audit_kind::experiment;
  record.source = "pool " + of.pool->name();
  record.actor = actor.empty() ? "homeostat" : actor;
  record.evidence = e.state.reason;
  record.text = what;
  e.records.push_back(std::move(record));
  e.kept = now;
  keep(e);
}

void pool_experiments::keep_all() {
  const std::lock_guard hold(mutex_);
  for (const auto& of : pools_)
    for (const auto& e : of->experiments)
      if (e->counted || e.get() == of->running) keep(*e);
}

void pool_experiments::forget_oldest(one& of) {
  const auto oldest =
      std::ranges::find_if(of.experiments, [](const auto& e) { return is_over(e->state.phase) && !e->promoting; });
  if (oldest == of.experiments.end()) return;
  audit_batch batch;
  batch.kept = {{.key = key_of((*oldest)->state.settings), .value = {}}};
  if (store_) (void)store_->submit(std::move(batch), [](const audit_answer&) {});
  of.experiments.erase(oldest);
}

void pool_experiments::take_up(const std::string& key, const std::string& value, instant now) {
  const std::string_view rest = std::string_view(key).substr(std::strlen(experiment_keys));
  const std::string pool(rest.substr(0, rest.find('/')));
  one* of = pool_of(pool);
  if (of == nullptr) return note_(pool, "is no pool here any more: its experiments are left alone");
  auto state = unsealed(value);
  if (state && key_of(state->settings) != key) state = std::unexpected("it says that it is " + key_of(state->settings));
  if (!state) return note_(pool, "the experiment kept as '" + key + "' is left out: " + state.error());
  auto e = std::make_unique<kept_experiment>();
  e->state = std::move(*state);
  const auto after =
      std::ranges::find_if(of->experiments, [&](const auto& other) { return other->state.created > e->state.created; });
  kept_experiment& added = **of->experiments.insert(after, std::move(e));
  if (added.state.phase != experiment_phase::running) return;
  // Its rules are checked too, since whoever wrote them may have been another version.
  auto begun = check(added.state.settings);
  if (const auto present = settings_of(of->pool->policy()); begun && present != added.state.settings.control)
    begun = std::unexpected("the pool's policy is another one since the restart: " +
                            what_differs(added.state.settings.control, present));
  if (begun) begun = begin(*of, added, now);
  if (begun) return note_(pool, "experiment " + added.state.settings.name + " goes on");
  abandon(added.state, begun.error(), now);
  changed(*of, added, {}, "ended: " + added.state.reason, now);
}

void pool_experiments::restore(std::shared_ptr<store_port> store, const std::map<std::string, std::string>& kept,
                               instant now) {
  const std::lock_guard hold(mutex_);
  store_ = std::move(store);
  for (const auto& [key, value] : kept) take_up(key, value, now);
}

// ---- what people do

std::expected<void, std::string> pool_experiments::begin(one& of, kept_experiment& e, instant now) {
  const experiment_settings& s = e.state.settings;
  const transfer_policy present = of.pool->policy();
  auto treated = changed_policy(present, differences(s.control, s.treatment));
  if (!treated) return std::unexpected(std::move(treated.error()));
  const auto number = of.pool->begin_experiment(s.name, s.traffic_split, std::move(*treated), now);
  if (!number) return std::unexpected(number.error());
  if (of.pool->policy() != present) {
    of.pool->end_experiment(*number);
    return std::unexpected(std::string("the pool's policy has changed just now"));
  }
  of.running = &e;
  of.number = *number;
  of.looked = now;
  e.kept = now;
  return {};
}

experiment_result<experiment_state> pool_experiments::create(experiment_settings wanted, const std::string& actor,
                                                             const std::string& text, instant now) {
  const std::lock_guard hold(mutex_);
  one* of = pool_of(wanted.pool);
  if (of == nullptr) return refused(404, "there is no pool '" + wanted.pool + "'");
  if (!is_name(wanted.name))
    return refused(422, "name is '" + wanted.name + "', expected [a-z][a-z0-9_-]*, at most 63 characters");
  if (locate(wanted.pool, wanted.name))
    return refused(409, "pool " + wanted.pool + " has an experiment '" + wanted.name + "' already");
  if (wanted.treatment.empty()) return refused(422, "treatment is empty, expected keys of the pool's transfer section");
  const auto changes = std::exchange(wanted.treatment, {});
  if (const auto treated = fill_arms(wanted, of->pool->policy(), changes); !treated)
    return refused(422, "treatment: " + treated.error());
  if (const auto ok = check(wanted); !ok) return refused(422, ok.error());
  if (of->experiments.size() >= most_experiments) forget_oldest(*of);
  if (of->experiments.size() >= most_experiments)
    return refused(409, "pool " + wanted.pool + " has " + std::to_string(most_experiments) +
                            " experiments and none of them is over: reject one");
  auto added = std::make_unique<kept_experiment>();
  added->state.settings = std::move(wanted);
  added->state.created = now;
  kept_experiment& e = *of->experiments.emplace_back(std::move(added));
  std::string what = "drafted:";
  for (const auto& [key, value] : differences(e.state.settings.control, e.state.settings.treatment))
    what += " " + key + "=" + value;
  changed(*of, e, actor, what + (text.empty() ? "" : ". " + text), now);
  return e.state;
}

experiment_result<experiment_state> pool_experiments::start(const std::string& pool, const std::string& name,
                                                            const std::string& actor, const std::string& text,
                                                            instant now) {
  const std::lock_guard hold(mutex_);
  const auto found = locate(pool, name);
  if (!found) return std::unexpected(found.error());
  one& of = *pool_of(pool);
  kept_experiment& e = **found;
  if (of.running != nullptr)
    return refused(409,
                   "pool " + pool + " is in experiment " + of.running->state.settings.name + ", one runs at a time");
  experiment_state started = e.state;
  const auto changes = differences(started.settings.control, started.settings.treatment);
  if (const auto treated = fill_arms(started.settings, of.pool->policy(), changes); !treated)
    return refused(422, "treatment: " + treated.error());
  if (const auto ok = start_experiment(started, now); !ok) return refused(409, ok.error());
  std::swap(e.state, started);
  if (const auto ok = begin(of, e, now); !ok) {
    std::swap(e.state, started);
    return refused(409, ok.error());
  }
  changed(of, e, actor, "started" + (text.empty() ? "" : ". " + text), now);
  return e.state;
}

experiment_result<experiment_state> pool_experiments::reject(const std::string& pool, const std::string& name,
                                                             const std::string& actor, const std::string& text,
                                                             instant now) {
  const std::lock_guard hold(mutex_);
  const auto found = locate(pool, name);
  if (!found) return std::unexpected(found.error());
  one& of = *pool_of(pool);
  kept_experiment& e = **found;
  if (e.promoting) return refused(409, "experiment " + name + " is before the authority just now");
  if (const auto ok = decide_experiment(e.state, experiment_verb::reject, actor, now); !ok)
    return refused(409, ok.error());
  if (of.running == &e) {
    of.pool->end_experiment(of.number);
    of.running = nullptr;
  }
  changed(of, e, actor, "rejected" + (text.empty() ? "" : ". " + text), now);
  return e.state;
}

experiment_result<experiment_state> pool_experiments::promote(const std::string& pool, const std::string& name,
                                                              const std::string& actor, const std::string& text,
                                                              instant now, const proposer& propose) {
  experiment_state decided;
  kept_experiment* e = nullptr;
  one* of = nullptr;
  {
    const std::lock_guard hold(mutex_);
    const auto found = locate(pool, name);
    if (!found) return std::unexpected(found.error());
    e = *found; // stays: it is not forgotten while it is promoted
    of = pool_of(pool);
    if (e->promoting) return refused(409, "experiment " + name + " is before the authority just now");
    decided = e->state;
    if (const auto ok = decide_experiment(decided, experiment_verb::promote, actor, now); !ok)
      return refused(409, ok.error());
    if (const auto present = settings_of(of->pool->policy()); present != decided.settings.control)
      return refused(409, "the pool's policy is no longer what the experiment compared with: " +
                              what_differs(decided.settings.control, present));
    e->promoting = true;
  }
  const auto promotion = promotion_of(decided);
  experiment_result<std::string> proposal = promotion ? propose(*promotion) : refused(409, promotion.error());
  const std::lock_guard hold(mutex_);
  e->promoting = false;
  if (!proposal) return std::unexpected(std::move(proposal.error()));
  e->state = std::move(decided);
  e->state.proposal = *proposal;
  changed(*of, *e, actor, "promoted as proposal " + *proposal + (text.empty() ? "" : ". " + text), now);
  return e->state;
}

experiment_result<experiment_state> pool_experiments::find(const std::string& pool, const std::string& name) const {
  const std::lock_guard hold(mutex_);
  const auto found = locate(pool, name);
  if (!found) return std::unexpected(found.error());
  return (*found)->state;
}

std::vector<experiment_state> pool_experiments::list(const std::string& pool) const {
  const std::lock_guard hold(mutex_);
  std::vector<experiment_state> all;
  if (const one* of = pool_of(pool))
    for (const auto& e : of->experiments) all.push_back(e->state);
  return all;
}

std::optional<pool_experiments::running_experiment> pool_experiments::running(const std::string& pool) const {
  const std::lock_guard hold(mutex_);
  const one* of = pool_of(pool);
  if (of == nullptr || of->running == nullptr) return std::nullopt;
  return running_experiment{of->number, of->running->state.settings.name};
}

// ---- what happens by itself

void pool_experiments::look(transfer_pool& pool, std::span<const placed_outcome> done, instant now) {
  const std::lock_guard hold(mutex_);
  one* of = pool_of(pool.name());
  if (of == nullptr) return;
  if (of->running != nullptr) {
    kept_experiment& e = *of->running;
    if (pool.experiment() != of->number) {
      const std::string how = what_differs(e.state.settings.control, settings_of(pool.policy()));
      abandon(e.state,
              "the pool's policy is no longer its control: " +
                  (how.empty() ? "what it had learned was forgotten" : how),
              now);
    }
    for (const placed_outcome& placed : done)
      if (placed.place.experiment == of->number)
        record(e.state, placed.place.session, placed.place.arm, placed.done, now);
    e.counted = e.counted || !done.empty();
    if (!done.empty() || now - of->looked >= look_every) {
      of->looked = now;
      homeostat::look(e.state, now);
    }
    if (e.state.phase != experiment_phase::running) {
      pool.end_experiment(of->number);
      of->running = nullptr;
      const bool concluded = e.state.phase == experiment_phase::concluded;
      changed(*of, e, {},
              std::string(name_of(e.state.phase)) + (concluded ? ", " + std::string(name_of(e.state.verdict)) : "") +
                  ": " + e.state.reason,
              now);
    }
  }
  for (const auto& e : of->experiments) {
    const auto again = [&] {
      const std::lock_guard their(e->refused->mutex);
      return e->refused->again;
    };
    if (!(e->counted && now - e->kept >= keep_every) && !(now - e->kept >= try_again && again())) continue;
    e->kept = now;
    keep(*e);
  }
}

} // namespace homeostat
