#include "runtime/plants/pgbouncer/pgbouncer_plant.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

namespace homeostat {

namespace {

using time_point = admin_console::time_point;
using steady = std::chrono::steady_clock;

constexpr auto poll_interval = 5ms; // of SHOW POOLS while a pool shrinks; an answer takes a fraction of it
constexpr double largest_size =
    10000; // keeps the number an int in PgBouncer, and a typing error from forking a server to death

/// The console takes a name in double quotes, as SQL does.
std::string quoted_name(const std::string& name) {
  std::string text = "\"";
  for (const char c : name) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + '"';
}

/// @returns the wanted pool size, if the knobs are exactly the one there is and its value is one PgBouncer can take.
std::expected<std::uint64_t, plant_error> wanted_size(const named_values& wanted) {
  for (const auto& [name, value] : wanted) {
    if (name != pgbouncer_plant::pool_size_knob)
      return std::unexpected(plant_error{"PgBouncer plant: no knob '" + name + "', expected " +
                                         pgbouncer_plant::pool_size_knob + " alone"});
  }
  if (wanted.empty())
    return std::unexpected(
        plant_error{std::string("PgBouncer plant: expected a value for ") + pgbouncer_plant::pool_size_knob});
  const double value = wanted.begin()->second;
  if (!(value >= 1 && value <= largest_size) || value != std::floor(value))
    return std::unexpected(plant_error{std::string(pgbouncer_plant::pool_size_knob) + " = " + number_text(value) +
                                       ": expected a whole number from 1 to " + number_text(largest_size)});
  return static_cast<std::uint64_t>(value);
}

/// When to give up waiting, so that enough of a call's patience is left to undo things and to say why.
time_point before(time_point deadline) {
  const auto left = deadline - steady::now();
  return deadline - std::min<steady::duration>(left / 3, 1s);
}

} // namespace

pgbouncer_plant::pgbouncer_plant(pgbouncer_settings settings)
    : settings_(std::move(settings)), sensing_(settings_.console), acting_(settings_.console) {
  if (settings_.client_progress) progress_.emplace(*settings_.client_progress);
}

pgbouncer_plant::~pgbouncer_plant() {
  // Nobody is left to report a failure to.
  if (resume_owed_ || lifetime_owed_) static_cast<void>(pay_debts(steady::now() + 1s));
}

std::expected<database_state, plant_error> pgbouncer_plant::database(admin_console& console, time_point deadline) {
  const auto table = console.run("SHOW DATABASES", deadline);
  if (!table) return std::unexpected(table.error());
  return parse_database(*table, settings_.database);
}

std::expected<pool_state, plant_error> pgbouncer_plant::pools(admin_console& console, time_point deadline) {
  const auto table = console.run("SHOW POOLS", deadline);
  if (!table) return std::unexpected(table.error());
  return parse_pools(*table, settings_.database);
}

std::expected<void, plant_error> pgbouncer_plant::command(const std::string& text, time_point deadline) {
  const auto answer = acting_.run(text, deadline);
  if (!answer) return std::unexpected(answer.error());
  return {};
}

// ---- sensor -------------------------------------------------------------------------------------------------------

std::expected<reading, plant_error> pgbouncer_plant::read(instant now, duration patience) {
  const auto deadline = steady::now() + patience;
  const auto asked_at = steady::now();
  const auto stats = sensing_.run("SHOW STATS", deadline);
  if (!stats) return std::unexpected(stats.error());
  // The totals are of some moment between question and answer; the middle is off by half of that at most.
  const auto answered_at = asked_at + (steady::now() - asked_at) / 2;
  const auto totals = parse_totals(*stats, settings_.database);
  if (!totals) return std::unexpected(totals.error());
  const auto state = database(sensing_, deadline);
  if (!state) return std::unexpected(state.error());
  const auto pool = pools(sensing_, deadline);
  if (!pool) return std::unexpected(pool.error());

  const auto previous = std::exchange(last_, counted{*totals, answered_at, now, sensing_.connection_count()});
  reading result{now, now, 0, {}};
  if (previous && previous->connection == sensing_.connection_count() && answered_at > previous->answered_at) {
    const auto elapsed = std::chrono::ceil<duration>(answered_at - previous->answered_at);
    auto metrics = metrics_between(previous->totals, *totals, elapsed);
    if (!metrics) return std::unexpected(metrics.error());
    result = {std::min(previous->at, now), now, totals->transactions - previous->totals.transactions,
              std::move(*metrics)};
  }
  result.metrics["clients_waiting"] = static_cast<double>(pool->clients_waiting);
  result.metrics["servers_active"] = static_cast<double>(pool->servers_active);
  result.metrics["servers_idle"] = static_cast<double>(pool->servers_idle);
  result.metrics["maxwait_s"] = pool->maxwait_s;
  result.metrics["pool_size"] = static_cast<double>(state->pool_size);
  if (progress_) {
    auto client = progress_->read();
    if (!client) return std::unexpected(client.error());
    result.metrics.merge(*client);
  }
  return result;
}

// ---- actuator -----------------------------------------------------------------------------------------------------

std::expected<named_values, plant_error> pgbouncer_plant::apply(const named_values& wanted, duration patience) {
  const auto deadline = steady::now() + patience;
  const auto size = wanted_size(wanted);
  if (!size) return std::unexpected(size.error());
  if (auto paid = pay_debts(deadline); !paid) return std::unexpected(paid.error());
  const auto found = database(acting_, deadline);
  if (!found) return std::unexpected(found.error());
  if (found->paused)
    return std::unexpected(plant_error{"database '" + settings_.database + "' of PgBouncer is paused, and not by us: " +
                                       "expected it running; RESUME it on the console"});
  const std::string text = std::to_string(*size);
  if (auto set = command(std::string("SET ") + pool_size_knob + " = " + text, deadline); !set)
    return std::unexpected(set.error());
  const auto state = database(acting_, deadline);
  if (!state) return std::unexpected(state.error());
  if (state->pool_size != *size)
    return std::unexpected(plant_error{"database '" + settings_.database + "' has pool size " +
                                       std::to_string(state->pool_size) + " after " + pool_size_knob + " was set to " +
                                       text + ": expected no pool_size of its own under [databases]"});
  if (auto shrunk = shrink_to(*size, deadline); !shrunk) return std::unexpected(shrunk.error());
  const auto in_force = size_in_force(deadline);
  if (!in_force) return std::unexpected(in_force.error());
  return named_values{{pool_size_knob, *in_force}};
}

std::expected<named_values, plant_error> pgbouncer_plant::read_back(duration patience) {
  const auto deadline = steady::now() + patience;
  if (auto paid = pay_debts(deadline); !paid) return std::unexpected(paid.error());
  const auto size = size_in_force(deadline);
  if (!size) return std::unexpected(size.error());
  return named_values{{pool_size_knob, *size}};
}

std::expected<double, plant_error> pgbouncer_plant::size_in_force(time_point deadline) {
  const auto state = database(acting_, deadline);
  if (!state) return std::unexpected(state.error());
  const auto pool = pools(acting_, deadline);
  if (!pool) return std::unexpected(pool.error());
  const auto allowed =
      state->max_connections > 0 ? std::min(state->pool_size, state->max_connections) : state->pool_size;
  return static_cast<double>(std::max(allowed, pool->largest_servers));
}

std::expected<void, plant_error> pgbouncer_plant::shrink_to(std::uint64_t size, time_point deadline) {
  const auto pool = pools(acting_, deadline);
  if (!pool) return std::unexpected(pool.error());
  if (pool->largest_servers <= size) return {};

  const auto limit = std::min(steady::now() + settings_.shrink_limit, before(deadline));
  if (settings_.shrink == shrink_method::pause) {
    if (auto paused = pause_and_resume(limit, deadline); !paused) return paused;
    return await_size(size, before(deadline), deadline);
  }
  const auto config = acting_.run("SHOW CONFIG", deadline);
  if (!config) return std::unexpected(config.error());
  auto lifetime = parse_config(*config, "server_lifetime");
  if (!lifetime) return std::unexpected(lifetime.error());
  lifetime_owed_ = std::move(*lifetime); // before the SET: it may take effect though its answer is lost
  auto done = command("SET server_lifetime = 0", limit);
  if (done) done = await_size(size, limit, deadline);
  const auto restored = restore_lifetime(deadline);
  return done ? restored : done;
}

std::expected<void, plant_error> pgbouncer_plant::await_size(std::uint64_t size, time_point limit,
                                                             time_point deadline) {
  for (;;) {
    const auto pool = pools(acting_, deadline);
    if (!pool) return std::unexpected(pool.error());
    if (pool->largest_servers <= size) return {};
    if (steady::now() + poll_interval >= limit)
      return std::unexpected(plant_error{"the pool of '" + settings_.database + "' still holds " +
                                         std::to_string(pool->largest_servers) + " connections: expected at most " +
                                         std::to_string(size) + " in time; their transactions are long"});
    std::this_thread::sleep_for(poll_interval);
  }
}

std::expected<void, plant_error> pgbouncer_plant::pause_and_resume(time_point limit, time_point deadline) {
  // PAUSE closes a connection that is still logging in, which counts as a failed login and stalls the pool for
  // server_login_retry (15 s by default). The pool is over its size, so that no new login can begin.
  for (;;) {
    const auto pool = pools(acting_, deadline);
    if (!pool) return std::unexpected(pool.error());
    if (pool->servers_login == 0) break;
    if (steady::now() + poll_interval >= limit)
      return std::unexpected(plant_error{"the pool of '" + settings_.database +
                                         "' is still making a connection to its server: " +
                                         "expected none before PAUSE; see whether the server answers"});
    std::this_thread::sleep_for(poll_interval);
  }
  resume_owed_ = true;
  const auto paused = command("PAUSE " + quoted_name(settings_.database), limit);
  const auto resumed = resume(deadline);
  if (paused) return resumed;
  if (!resumed) return std::unexpected(plant_error{paused.error().what + "; and then: " + resumed.error().what});
  return paused;
}

// ---- what must be undone ------------------------------------------------------------------------------------------

std::expected<void, plant_error> pgbouncer_plant::pay_debts(time_point deadline) {
  if (resume_owed_) {
    if (auto resumed = resume(deadline); !resumed) return resumed;
  }
  return lifetime_owed_ ? restore_lifetime(deadline) : std::expected<void, plant_error>{};
}

/// A PAUSE without an answer has cost its connection, so this one is new. PgBouncer reads it after it has read the
/// PAUSE: once RESUME is answered, no PAUSE of ours can take effect any more.
std::expected<void, plant_error> pgbouncer_plant::resume(time_point deadline) {
  auto sent = command("RESUME " + quoted_name(settings_.database), deadline);
  // It refuses when the database is not paused, for example because PgBouncer was restarted. The state decides.
  const auto state = database(acting_, deadline);
  if (state && !state->paused) {
    resume_owed_ = false;
    return {};
  }
  const std::string why = !sent ? sent.error().what : !state ? state.error().what : "it is still paused";
  return std::unexpected(plant_error{"database '" + settings_.database +
                                     "' may be left paused (RESUME is sent again with the next call): " + why});
}

std::expected<void, plant_error> pgbouncer_plant::restore_lifetime(time_point deadline) {
  auto set = command("SET server_lifetime = " + *lifetime_owed_, deadline);
  if (!set)
    return std::unexpected(plant_error{"server_lifetime of PgBouncer may be left at 0 (its value " + *lifetime_owed_ +
                                       " is set again with the next call): " + set.error().what});
  lifetime_owed_.reset();
  return {};
}

} // namespace homeostat
