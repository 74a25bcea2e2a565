#include "policies/find_named.hpp"
#include "runtime/config/readers.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace homeostat::yaml {

namespace {

/// PostgreSQL's NAMEDATALEN - 1: PgBouncer cuts longer names, and would then measure another database or none.
constexpr std::size_t longest_database_name = 63;

std::vector<std::string> argv_of(const mapping& m, std::string_view name) {
  std::vector<std::string> argv;
  const auto v = m.find(name);
  const auto items =
      v ? items_of(*v, "a list of a program and its arguments, such as [\"/usr/bin/tool\", \"--now\"]") : std::nullopt;
  if (!items) return argv;
  if (items->empty()) v->refuse("is an empty list", "a program and its arguments");
  for (const value& item : *items)
    if (auto text = text_of(item)) argv.push_back(std::move(*text));
  return argv;
}

command_source read_command(const mapping& m) {
  return {.sense = argv_of(m, "sense"), .apply = argv_of(m, "apply"), .read_back = argv_of(m, "read_back")};
}

std::optional<std::string> optional_text(const mapping& m, std::string_view name) {
  const auto v = m.find(name);
  return v ? text_of(*v) : std::nullopt;
}

pgbouncer_source read_pgbouncer(const mapping& m) {
  pgbouncer_source s;
  if (const auto v = m.find("host"))
    if (auto host = text_of(*v)) {
      // A comma would make it a list of hosts, a blank another setting of the connection string.
      const auto foreign = [](char c) { return std::string_view(", \t\n'\\=").find(c) != std::string_view::npos; };
      if (std::ranges::any_of(*host, foreign)) v->refuse_form("one address, host name or socket directory");
      s.host = std::move(*host);
    }
  if (const auto v = m.find("port"))
    s.port = static_cast<std::uint16_t>(whole_of(*v, 1, std::numeric_limits<std::uint16_t>::max()).value_or(s.port));
  s.user = optional_text(m, "user").value_or("");
  s.database = optional_text(m, "database").value_or("");
  if (s.database.size() > longest_database_name)
    m.place_of("database").refuse("has " + std::to_string(s.database.size()) + " bytes", "at most 63");
  s.password_file = optional_text(m, "password_file");
  s.client_progress_file = optional_text(m, "client_progress_file");
  return s;
}

cache_demo_source read_cache_demo(const mapping& m) {
  cache_demo_source s;
  if (const auto v = m.find("rate_scale"))
    if (const auto scale = number_of(*v)) {
      if (!(*scale > 0 && *scale <= 1000)) v->refuse_form("a factor above 0, at most 1000");
      s.rate_scale = *scale;
    }
  if (const auto v = m.find("cycle"))
    if (const auto cycle = duration_of(*v)) {
      if (*cycle < 1s) v->refuse_form("a duration of 1s or more");
      s.cycle = *cycle;
    }
  if (const auto v = m.find("seed"))
    s.seed = whole_of(*v, 0, std::numeric_limits<std::uint64_t>::max()).value_or(s.seed);
  return s;
}

transfer_pool_source read_transfer_pool(const mapping& m, const std::vector<pool_config>& pools) {
  transfer_pool_source s;
  const auto v = m.find("pool");
  if (!v) return s;
  std::vector<std::string> deciding;
  for (const pool_config& pool : pools)
    if (pool.transfer) deciding.push_back(pool.name);
  const pool_config* named = find_named(pools, text_of(*v).value_or(""));
  if (named && !named->transfer)
    v->refuse("is Pool " + named->name + ", which has no transfer section", "a pool that decides on transfers");
  else
    s.pool = reference_of(*v, "Pool", deciding).value_or("");
  return s;
}

void read_positive(const mapping& spec, std::string_view name, duration& target) {
  const auto v = spec.find(name);
  const auto d = v ? duration_of(*v) : std::nullopt;
  if (!d) return;
  if (*d <= 0us) v->refuse_form("a duration above 0");
  target = *d;
}

} // namespace

const key_table& source_keys() {
  static const key_table table{
      "source", {{"command"}, {"pgbouncer"}, {"cache_demo"}, {"transfer_pool"}, {"interval"}, {"patience"}}};
  return table;
}
const key_table& command_keys() {
  static constexpr std::string_view argv = "a list of a program and its arguments";
  static const key_table table{"command", {{"sense", argv}, {"apply", argv}, {"read_back", argv}}};
  return table;
}
const key_table& pgbouncer_keys() {
  static const key_table table{"pgbouncer",
                               {{"host"},
                                {"port"},
                                {"user", "one of PgBouncer's admin_users"},
                                {"database", "a name under [databases] of PgBouncer's configuration"},
                                {"password_file"},
                                {"client_progress_file"}}};
  return table;
}
const key_table& cache_demo_keys() {
  static const key_table table{"cache_demo", {{"rate_scale"}, {"cycle"}, {"seed"}}};
  return table;
}
const key_table& transfer_pool_keys() {
  static const key_table table{"transfer_pool", {{"pool", "the name of a Pool with a transfer section"}}};
  return table;
}

source_config read_source(const mapping& spec, std::string name, const std::vector<pool_config>& pools) {
  source_config source;
  source.name = std::move(name);
  static constexpr std::array<std::string_view, 4> plants{"command", "pgbouncer", "cache_demo", "transfer_pool"};
  const auto given = std::ranges::count_if(plants, [&](std::string_view p) { return spec.has(p); });
  if (given != 1)
    spec.self().refuse(given == 0 ? "says no plant" : "says " + std::to_string(given) + " plants",
                       "exactly one of " + list_of(plants));
  if (const auto v = spec.find("command"))
    if (const auto m = mapping::open(*v, command_keys())) source.what = read_command(*m);
  if (const auto v = spec.find("pgbouncer"))
    if (const auto m = mapping::open(*v, pgbouncer_keys())) source.what = read_pgbouncer(*m);
  if (const auto v = spec.find("cache_demo"))
    if (const auto m = mapping::open(*v, cache_demo_keys())) source.what = read_cache_demo(*m);
  if (const auto v = spec.find("transfer_pool"))
    if (const auto m = mapping::open(*v, transfer_pool_keys())) source.what = read_transfer_pool(*m, pools);
  read_positive(spec, "interval", source.interval);
  read_positive(spec, "patience", source.patience);
  return source;
}

} // namespace homeostat::yaml
