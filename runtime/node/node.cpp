#include "runtime/node/node.hpp"

#include "messages/authority.pb.h"
#include "policies/find_named.hpp"
#include "runtime/node/pool_proposals.hpp"
#include "runtime/store/sqlite_store.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

namespace homeostat {

namespace {

constexpr duration status_timeout = 4s;
constexpr duration authority_timeout = 12s; ///< it may look at loops first, and then waits for the store
constexpr duration stop_timeout = 4500ms;   ///< the members' own 4 s, and the children that end after them

} // namespace

node::node(node_config config) : config_(std::move(config)) {}

std::expected<std::unique_ptr<node>, std::string> node::start(node_config config, const plant_factory& make) {
  std::unique_ptr<node> n(new node(std::move(config)));
  if (auto ok = n->assemble(make); !ok) return std::unexpected(ok.error());
  return n;
}

std::expected<loop_setup, std::string> node::set_up_loop(const loop_config& loop, const plant& p,
                                                         const source_config& source) {
  auto target = objective::compile(loop.objective);
  if (!target) return std::unexpected("loop " + loop.name + ": " + target.error().what);
  std::vector<std::string> knobs;
  for (const knob_spec& knob : loop.governor.knobs) knobs.push_back(knob.name);
  const auto report = [name = loop.name](const std::string& problem) {
    if (problem.empty())
      spdlog::info("loop {}: telemetry is back", name);
    else
      spdlog::warn("loop {}: no telemetry: {}", name, problem);
  };
  std::vector<formula> rules;
  for (const tuning_rule& rule : loop.authority.rules) {
    auto metric = formula::compile(rule.metric);
    if (!metric) return std::unexpected("loop " + loop.name + ": rule " + rule.name + ": " + metric.error().what);
    rules.push_back(std::move(*metric));
  }
  auto rule_values =
      rules.empty() ? nullptr : std::make_shared<rule_metrics>(std::move(rules), 3 * source.interval + source.patience);
  loop_ports ports{.telemetry = std::make_shared<plant_telemetry_port>(p.sensor, std::move(*target), source.interval,
                                                                       source.patience, time_, report, rule_values),
                   .actuator = std::make_shared<plant_actuator_port>(p.actuator, knobs, source.patience),
                   .loop = loop.name,
                   .rules = rule_values};
  loop_setup setup;
  setup.governor = {.config = loop.governor,
                    .pool = loop.pool,
                    .durable_audit = loop.audit == audit_mode::durable,
                    .audit_timeout = 5s,
                    .apply_timeout = source.patience + 1s,
                    .time = time_};
  setup.sensor = {.windows = loop.window, .request_timeout = 5s, .time = time_};
  setup.proposer = {.loop = loop.name,
                    .engine = loop.engine,
                    .seed = loop.seed,
                    .request_timeout = 5s,
                    .verdict_timeout = 10s + source.patience,
                    .time = time_,
                    .note = [name = loop.name](const std::string& text) { spdlog::warn("loop {}: {}", name, text); }};
  setup.actuator = ports.actuator;
  setup.telemetry = ports.telemetry;
  setup.searches = loop.searches;
  setup.revert_on_exit = loop.on_exit == exit_mode::revert;
  ports_.push_back(std::move(ports));
  return setup;
}

authority_settings node::set_up_authority() const {
  authority_settings settings{.config = config_.authority, .metrics = {}, .notify = {}, .time = time_};
  for (const loop_config& loop : config_.loops) settings.config.loops.push_back(loop.authority);
  for (const char* own : {experiment_source, recommendation_source})
    if (!find_named(settings.config.sources, own) && !transfers_->all().empty())
      settings.config.sources.push_back(
          {.name = own, .type = source_type::push, .trust = trust_level::high, .cooldown = 0us});
  std::map<std::string, std::shared_ptr<rule_metrics>> rules;
  for (const loop_ports& ports : ports_) rules[ports.loop] = ports.rules;
  settings.metrics = [rules = std::move(rules)](const std::string& loop) {
    const auto found = rules.find(loop);
    return found == rules.end() || !found->second ? std::vector<std::optional<double>>{} : found->second->latest();
  };
  settings.notify = [](const std::string& kind, const std::string& text) { spdlog::warn("{}: {}", kind, text); };
  return settings;
}

std::expected<void, std::string> node::assemble(const plant_factory& make) {
  system_config_ = std::make_unique<caf::actor_system_config>();
  register_messages(*system_config_);
  system_config_->set("scheduler.max-threads", 2U);
  system_ = std::make_unique<caf::actor_system>(*system_config_);
  time_ = time_line::anchored(system_->clock());

  auto opened = open_sqlite_store({.path = config_.store_path}, time_.wall);
  if (!opened) return std::unexpected(opened.error().what);
  store_ = std::make_shared<store_adapter>(std::shared_ptr<store>(std::move(*opened)));

  const pool_notes tell{
      .note = [](const std::string& pool, const std::string& text) { spdlog::info("pool {}: {}", pool, text); },
      .alert = [this](const std::string& pool, const std::string& text) { alert(pool, text); }};
  try {
    transfers_ = std::make_unique<transfer_pools>(config_.pools, config_.seed, config_.store_path, store_,
                                                  time_.at(system_->clock().now()), tell);
  } catch (const std::exception& e) { return std::unexpected(std::string(e.what())); }
  if (auto ok = restore_experiments(); !ok) return ok;
  std::map<std::string, std::pair<plant, source_config>> plants;
  for (const source_config& source : config_.sources) {
    const std::string* pool = pool_of(source);
    auto p = pool ? transfers_->plant_of(*pool) : make(source);
    if (!p) return std::unexpected("source " + source.name + ": " + p.error());
    plants.emplace(source.name, std::pair(std::move(*p), source));
  }
  node_setup setup{.name = config_.name,
                   .supervision = config_.supervision,
                   .store = store_,
                   .pools = {},
                   .authority = {},
                   .time = time_,
                   .seed = config_.seed};
  setup.supervision.strategy = restart_strategy::rest_for_one;
  for (const pool_config& pool : config_.pools) {
    pool_setup& p = setup.pools.emplace_back(pool_setup{
        .name = pool.name, .supervision = pool.supervision, .loops = {}, .transfers = transfers_->port_of(pool.name)});
    for (const loop_config& loop : config_.loops) {
      if (loop.pool != pool.name) continue;
      const auto& [target, source] = plants.at(loop.source);
      auto built = set_up_loop(loop, target, source);
      if (!built) return std::unexpected(built.error());
      p.loops.push_back(std::move(*built));
    }
  }
  setup.authority = set_up_authority();
  setup.learning = transfers_->learning_port();
  setup.analysis = transfers_->analysis_port();
  root_ = system_->spawn(node_supervisor, std::move(setup));
  advisor_ = std::make_unique<pool_advisor>(
      *transfers_,
      pool_advisor::ports{
          .fate = [this](const std::string& proposal) { return fate_of(proposal); },
          .store = store_.get(),
          .load = [this](const std::string& key) -> std::expected<std::optional<std::string>, std::string> {
            auto value = store_->target().load_state(key);
            if (!value) return std::unexpected(value.error().what);
            return std::move(*value);
          },
          .now = [this] { return now(); },
          .note = tell.note});
  for (loop_ports& ports : ports_) ports.telemetry->start();
  return {};
}

std::expected<void, std::string> node::restore_experiments() {
  constexpr std::size_t at_once = 100;
  std::map<std::string, std::string> kept;
  std::string last;
  for (bool more = true; more;) {
    const auto keys = store_->target().list_state(experiment_keys, last, at_once);
    if (!keys) return std::unexpected(keys.error().what);
    for (const std::string& key : *keys) {
      auto value = store_->target().load_state(key);
      if (!value) return std::unexpected(value.error().what);
      if (*value) kept.emplace(key, std::move(**value));
    }
    more = keys->size() == at_once;
    if (more) last = keys->back();
  }
  transfers_->experiments().restore(store_, kept, now());
  return {};
}

node::~node() {
  stop();
  advisor_.reset();
  root_ = nullptr;
  ports_.clear();
}

bool node::stop() {
  if (std::exchange(stopped_, true)) return clean_;
  if (root_) {
    caf::scoped_actor self{*system_};
    self->monitor(root_);
    self->request(root_, stop_timeout, stop_atom::value)
        .receive([this](bool clean) { clean_ = clean; },
                 [this](const caf::error& reason) {
                   spdlog::error("the actor tree did not stop in order: {}", system_->render(reason));
                 });
    self->send_exit(root_, caf::exit_reason::kill);
  }
  if (advisor_) advisor_->stop(); // after the root, which answers it or is gone
  for (loop_ports& ports : ports_) ports.telemetry->stop();
  if (transfers_) {
    transfers_->experiments().keep_all();
    transfers_->stop_keeping();
  }
  if (store_) store_->stop(std::chrono::milliseconds(400));
  return clean_;
}

std::expected<std::vector<loop_status>, std::string> node::status() {
  std::expected<std::vector<loop_status>, std::string> result;
  caf::scoped_actor self{*system_};
  self->request(root_, status_timeout, status_atom::value)
      .receive([&](std::vector<loop_status>& all) { result = std::move(all); },
               [&](const caf::error& reason) {
                 result = std::unexpected("the node does not answer: " + system_->render(reason));
               });
  return result;
}

std::optional<proposal_fate> node::fate_of(const std::string& proposal) {
  const authority_reply reply = ask_authority({.verb = "proposal", .id = proposal, .actor = "-", .body = {}});
  if (reply.status == 404) return proposal_fate{};
  v1::ProposalView view;
  if (reply.status >= 300 || !view.ParseFromString(reply.body)) return std::nullopt;
  const bool said = !view.decision().empty() && !view.decided_by().empty();
  return proposal_fate{.state = view.state(), .decision = view.decision() + (said ? ", " : "") + view.decided_by()};
}

std::expected<loop_status, std::string> node::status(const std::string& loop) {
  std::expected<loop_status, std::string> result;
  caf::scoped_actor self{*system_};
  self->request(root_, status_timeout, status_atom::value, loop)
      .receive([&](loop_status& status) { result = std::move(status); },
               [&](const caf::error& reason) {
                 result = std::unexpected("loop " + loop + " does not answer: " + system_->render(reason));
               });
  return result;
}

authority_reply node::ask_authority(const authority_call& call) {
  authority_reply reply;
  caf::scoped_actor self{*system_};
  self->request(root_, authority_timeout, call)
      .receive([&](authority_reply& answer) { reply = std::move(answer); },
               [&](const caf::error& reason) {
                 reply = {
                     .status = 503, .body = {}, .problem = "the authority does not answer: " + system_->render(reason)};
               });
  return reply;
}

std::expected<command_result, std::string> node::command(const std::string& loop, const operator_command& command) {
  std::expected<command_result, std::string> result;
  caf::scoped_actor self{*system_};
  self->request(root_, status_timeout, loop, command)
      .receive([&](command_result& answer) { result = std::move(answer); },
               [&](const caf::error& reason) {
                 result = std::unexpected("loop " + loop + " does not answer: " + system_->render(reason));
               });
  return result;
}

void node::alert(const std::string& pool, const std::string& text) {
  const std::string who = pool.empty() ? "pools" : "pool " + pool;
  spdlog::warn("{}: {}", who, text);
  record({.time = now(),
          .kind = audit_kind::alert,
          .source = who,
          .actor = "homeostat",
          .evidence = {},
          .before = {},
          .after = {},
          .reason = {},
          .text = text});
}

void node::record(audit_record record) {
  const std::string what(name_of(record.kind));
  const bool taken = store_->submit({.loop = {}, .records = {std::move(record)}, .state = {}, .durable = false},
                                    [what](const audit_answer& answer) {
                                      if (answer.status != audit_status::durable)
                                        spdlog::error("no audit record of {}: {}", what, answer.text);
                                    });
  if (!taken) spdlog::error("no audit record of {}: the queue of the store is full", what);
}

} // namespace homeostat
