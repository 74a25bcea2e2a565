#include "actors/group_supervisor.hpp"

#include "actors/engine_keeper.hpp"
#include "actors/ordered_store.hpp"
#include "actors/serial_actuator.hpp"

#include <algorithm>
#include <type_traits>

namespace homeostat {

namespace {

using self_ptr = supervisor_actor::stateful_pointer<group_state>;

// Each level waits longer than the one below, so that one silent member costs only its own part of an answer. A loop
// supervisor waits 2 s for its children.
constexpr duration pool_patience = 2500ms;
constexpr duration node_patience = 3s;
constexpr duration pool_stop_margin = 1250ms;
constexpr duration node_stop_margin = 1500ms;
constexpr duration sink_shutdown = 100ms;
constexpr duration engine_period = 1s; // of the node's engines
constexpr duration engine_shutdown = 250ms;
constexpr duration verdict_patience = 60s; // a plant may take its time; who asked waits as long
// Time for a member to end its own children one by one, when it is told to end without an ordered stop.
constexpr duration loop_shutdown = 5s;
constexpr duration pool_shutdown = 6s;

duration longest_stop(const pool_setup& pool) {
  duration longest{0};
  for (const loop_setup& loop : pool.loops) longest = std::max(longest, loop.stop_timeout);
  return longest;
}

void set_up_group(self_ptr self, const supervision_settings& settings, std::uint64_t seed, time_line time) {
  const auto timer = [self](duration wait, std::uint64_t token) {
    self->delayed_send(self, wait, start_atom::value, token);
  };
  // A group that cannot keep its members alive ends; its own supervisor decides what that means.
  const auto gave_up = [self](const std::string& why) { self->quit(caf::make_error(caf::sec::runtime_error, why)); };
  self->state.kids.set_up(self, settings, seed, time, timer, gave_up);
  end_on_exception(self);
  self->set_exit_handler([self](const caf::exit_msg& message) {
    self->state.kids.stop_all([self, reason = message.reason] { self->quit(reason); });
  });
}

std::vector<caf::actor> members_of(const group_state& s) {
  std::vector<caf::actor> members;
  for (std::size_t i = s.first_member; i < s.members_end; ++i)
    if (auto member = s.kids.handle(i)) members.push_back(member);
  return members;
}

/// Adds an engine that nobody waits for; last, so that its end is nobody else's. @param port  empty: none.
void add_engine(self_ptr self, const std::string& name, const std::shared_ptr<transfer_port>& port, duration every,
                const supervision_settings& supervision, time_line time, std::uint64_t seed) {
  if (!port) return;
  const engine_keeper_settings settings{.name = name,
                                        .supervision = supervision,
                                        .engine = {.port = port, .every = every, .time = time},
                                        .seed = seed + self->state.kids.size()};
  self->state.kids.add(
      {.name = name + "'s keeper",
       .restart = child_restart::permanent,
       .shutdown = engine_shutdown,
       .spawn = [self, settings] { return caf::actor_cast<caf::actor>(self->spawn(engine_keeper, settings)); }});
}

/// Asks every member and calls `done` once all have answered or had their time.
/// @param take  what to do with one answer.  @param silent  what to do when there is none.
template <class Member, class Answer, class Take, class Silent, class Done, class... Message>
void ask_members(self_ptr self, duration patience, Take take, Silent silent, Done done, Message... message) {
  const auto members = members_of(self->state);
  const auto open = std::make_shared<std::size_t>(members.size() + 1);
  const auto one_less = [open, done] {
    if (--*open == 0) done();
  };
  for (const auto& member : members)
    self->request(caf::actor_cast<Member>(member), patience, message...)
        .then([take, one_less](Answer& answer) { take(answer), one_less(); },
              [silent, one_less](const caf::error&) { silent(), one_less(); });
  one_less();
}

struct status_list {
  std::vector<loop_status> loops;
  std::shared_ptr<owed_answer<std::vector<loop_status>>> owed;
};

/// Loops nobody spoke for are down, not absent.
void finish_status(const group_state& s, status_list& list) {
  for (const auto& [loop, place] : s.route) {
    if (std::ranges::find(list.loops, loop, &loop_status::name) != list.loops.end()) continue;
    loop_status& down = list.loops.emplace_back();
    down.name = loop;
    down.pool = place.pool;
    down.state = "down";
    down.text = "no answer from its supervisor";
  }
  std::ranges::sort(list.loops, {}, &loop_status::name);
  list.owed->deliver(std::move(list.loops));
}

/// @tparam Part  a member's status: one loop or several.
template <class Member, class Part> caf::result<std::vector<loop_status>> collect_status(self_ptr self) {
  const auto list = std::make_shared<status_list>();
  list->owed = owe<std::vector<loop_status>>(self);
  const auto take = [list](Part& part) {
    if constexpr (std::is_same_v<Part, loop_status>)
      list->loops.push_back(std::move(part));
    else
      std::ranges::move(part, std::back_inserter(list->loops));
  };
  ask_members<Member, Part>(
      self, self->state.patience, take, [] {}, [self, list] { finish_status(self->state, *list); }, status_atom::value);
  return list->owed->promise();
}

/// Stops all members side by side, each in its own order, then the children that serve them.
template <class Member> caf::result<bool> stop(self_ptr self) {
  auto& s = self->state;
  auto promise = self->make_response_promise<bool>();
  s.stoppers.add(promise);
  if (s.stoppers.size() > 1) return promise;
  s.kids.hold(); // a member that has stopped must not be started again while others are still at it
  const auto all_clean = std::make_shared<bool>(members_of(s).size() == s.members_end - s.first_member);
  const auto done = [self, all_clean] {
    self->state.kids.stop_all([self, all_clean] {
      self->state.stoppers.answer_all(*all_clean);
      self->quit();
    });
  };
  ask_members<Member, bool>(
      self, s.stop_patience, [all_clean](bool clean) { *all_clean = *all_clean && clean; },
      [all_clean] { *all_clean = false; }, done, stop_atom::value);
  return promise;
}

/// Hands a request on to the member that runs the loop, and its answer or error back.
template <class Member, class Answer, class... Message>
caf::result<Answer> pass_on(self_ptr self, const std::string& loop, duration patience, Message... message) {
  auto& s = self->state;
  const auto owed = owe<Answer>(self);
  const auto found = s.route.find(loop);
  const auto member = found == s.route.end() ? caf::actor() : s.kids.handle(found->second.child);
  if (member)
    self->request(caf::actor_cast<Member>(member), patience, message...)
        .then([owed](Answer& answer) { owed->deliver(std::move(answer)); },
              [owed](const caf::error& reason) { owed->fail(reason); });
  else
    owed->fail(caf::make_error(caf::sec::runtime_error, found == s.route.end() ? "no loop '" + loop + "' runs here"
                                                                               : "loop '" + loop + "' is down"));
  return owed->promise();
}

template <class Member> supervisor_actor::behavior_type behavior_of(self_ptr self) {
  using part = std::conditional_t<std::is_same_v<Member, loop_supervisor_actor>, loop_status, std::vector<loop_status>>;
  constexpr bool is_loop = std::is_same_v<Member, loop_supervisor_actor>;
  return {
      [self](const std::string& loop, const operator_command& command) {
        if constexpr (is_loop)
          return pass_on<Member, command_result>(self, loop, self->state.patience, command);
        else
          return pass_on<Member, command_result>(self, loop, self->state.patience, loop, command);
      },
      [self](const std::string& loop, const proposal& p) {
        if constexpr (is_loop)
          return pass_on<Member, proposal_verdict>(self, loop, verdict_patience, p);
        else
          return pass_on<Member, proposal_verdict>(self, loop, verdict_patience, loop, p);
      },
      [self](status_atom) { return collect_status<Member, part>(self); },
      [self](status_atom, const std::string& loop) {
        if constexpr (is_loop)
          return pass_on<Member, loop_status>(self, loop, self->state.patience, status_atom::value);
        else
          return pass_on<Member, loop_status>(self, loop, self->state.patience, status_atom::value, loop);
      },
      [self](const authority_call& call) -> caf::result<authority_reply> {
        auto& authority = self->state.authority;
        if (!authority) return authority_reply{.status = 503, .body = {}, .problem = "no authority runs here"};
        return self->delegate(authority, call);
      },
      [self](stop_atom) { return stop<Member>(self); },
      [self](start_atom, std::uint64_t token) { self->state.kids.on_timer(token); },
  };
}

} // namespace

supervisor_actor::behavior_type pool_supervisor(self_ptr self, pool_setup setup, audit_sink_actor audit, time_line time,
                                                std::uint64_t seed) {
  auto& s = self->state;
  s.audit = std::move(audit);
  s.patience = pool_patience;
  s.stop_patience = longest_stop(setup) + pool_stop_margin;
  set_up_group(self, setup.supervision, seed, time);
  for (loop_setup& loop : setup.loops) {
    s.route[loop.governor.config.loop] = {.child = s.kids.size(), .pool = setup.name};
    // Here, not in the loop's supervisor: it must outlive that one too.
    loop.actuator = one_call_at_a_time(std::move(loop.actuator));
    s.kids.add({.name = "loop " + loop.governor.config.loop,
                .restart = child_restart::permanent,
                .shutdown = loop_shutdown,
                .spawn = [self, loop = std::move(loop)] {
                  return caf::actor_cast<caf::actor>(self->spawn(loop_supervisor, loop, self->state.audit));
                }});
  }
  s.members_end = s.kids.size();
  add_engine(self, "transfer tuner", setup.transfers, transfer_tuner_settings{}.every, setup.supervision, time, seed);
  s.kids.start_all();
  return behavior_of<loop_supervisor_actor>(self);
}

supervisor_actor::behavior_type node_supervisor(self_ptr self, node_setup setup) {
  auto& s = self->state;
  s.patience = node_patience;
  set_up_group(self, setup.supervision, setup.seed, setup.time);
  s.kids.add({.name = "audit sink",
              .restart = child_restart::permanent,
              .shutdown = sink_shutdown,
              .spawn = [self, store = reads_after_writes(setup.store)] {
                self->state.audit = self->spawn(audit_sink, store);
                return caf::actor_cast<caf::actor>(self->state.audit);
              }});
  s.first_member = 1;
  for (pool_setup& pool : setup.pools) {
    s.stop_patience = std::max(s.stop_patience, longest_stop(pool) + node_stop_margin);
    for (loop_setup& loop : pool.loops) {
      s.route[loop.governor.config.loop] = {.child = s.kids.size(), .pool = pool.name};
      loop.actuator = one_call_at_a_time(std::move(loop.actuator));
    }
    const std::uint64_t seed = setup.seed + s.kids.size(); // pools that fail together must not come back in step
    s.kids.add({.name = "pool " + pool.name,
                .restart = child_restart::permanent,
                .shutdown = pool_shutdown,
                .spawn = [self, pool = std::move(pool), time = setup.time, seed] {
                  return caf::actor_cast<caf::actor>(self->spawn(pool_supervisor, pool, self->state.audit, time, seed));
                }});
  }
  s.members_end = s.kids.size();
  // Last, so that its failure is nobody else's.
  s.kids.add({.name = "authority",
              .restart = child_restart::permanent,
              .shutdown = sink_shutdown,
              .spawn = [self, settings = setup.authority] {
                self->state.authority = self->spawn(authority, settings, self->state.audit, supervisor_actor(self));
                return caf::actor_cast<caf::actor>(self->state.authority);
              }});
  add_engine(self, "learning engine", setup.learning, engine_period, setup.supervision, setup.time, setup.seed);
  add_engine(self, "performance analyzer", setup.analysis, engine_period, setup.supervision, setup.time, setup.seed);
  s.kids.start_all();
  return behavior_of<supervisor_actor>(self);
}

} // namespace homeostat
