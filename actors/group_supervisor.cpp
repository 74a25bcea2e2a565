#include "actors/group_supervisor.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace homeostat {

namespace {

using self_ptr = supervisor_actor::stateful_pointer<group_state>;

constexpr duration request_timeout = 3s; ///< longer than a member's own
constexpr duration stop_timeout = 4s;    ///< the system ends within 5 s of being told to

void set_up_children(self_ptr self, const supervision_settings& settings, std::uint64_t seed, time_line time) {
  const auto timer = [self](duration wait, std::uint64_t token) {
    self->delayed_send(self, wait, start_atom::value, token);
  };
  // A group that cannot keep its members alive ends; its own supervisor decides what that means.
  const auto gave_up = [self](const std::string& why) { self->quit(caf::make_error(caf::sec::runtime_error, why)); };
  self->state.kids.set_up(self, settings, seed, time, timer, gave_up);
  on_end(self, [self](const caf::error& reason) {
    for (auto& promise : std::exchange(self->state.stoppers, {})) promise.deliver(reason);
    for (std::size_t i = self->state.kids.size(); i-- > 0;)
      if (auto child = self->state.kids.handle(i)) caf::anon_send_exit(child, caf::exit_reason::user_shutdown);
  });
}

/// Collects one answer per member; a silent member counts as no answer.
template <class Answer, class Done>
struct gathering {
  std::size_t open;
  Answer answers;
  Done done;
  void one_less() {
    if (--open == 0) done(std::move(answers));
  }
};

template <class Answer, class Done>
auto make_gathering(std::size_t open, Answer start, Done done) {
  return std::make_shared<gathering<Answer, Done>>(gathering<Answer, Done>{open, std::move(start), std::move(done)});
}

std::vector<caf::actor> members_of(self_ptr self) {
  std::vector<caf::actor> members;
  for (std::size_t i = self->state.first_member; i < self->state.kids.size(); ++i)
    if (auto member = self->state.kids.handle(i)) members.push_back(member);
  return members;
}

/// @tparam Member  the members' interface.  @tparam Part  their status: one or several loops.
template <class Member, class Part>
caf::result<std::vector<loop_status>> collect_status(self_ptr self) {
  auto promise = self->make_response_promise<std::vector<loop_status>>();
  const auto members = members_of(self);
  const auto done = [promise](std::vector<loop_status> all) mutable {
    std::ranges::sort(all, {}, &loop_status::name);
    promise.deliver(std::move(all));
  };
  const auto all = make_gathering(members.size() + 1, std::vector<loop_status>{}, done);
  for (const auto& member : members)
    self->request(caf::actor_cast<Member>(member), request_timeout, status_atom::value)
        .then(
            [all](Part& part) {
              if constexpr (std::is_same_v<Part, loop_status>) all->answers.push_back(std::move(part));
              else all->answers.insert(all->answers.end(), part.begin(), part.end());
              all->one_less();
            },
            [all](const caf::error&) { all->one_less(); });
  all->one_less();
  return promise;
}

/// Stops all members side by side, each in its own order, then the children that serve them.
template <class Member>
caf::result<bool> stop(self_ptr self) {
  auto promise = self->make_response_promise<bool>();
  self->state.stoppers.push_back(promise);
  if (self->state.stoppers.size() > 1) return promise;
  const auto members = members_of(self);
  const auto done = [self](bool clean) {
    self->state.kids.stop_all([self, clean] {
      for (auto& waiting : std::exchange(self->state.stoppers, {})) waiting.deliver(clean);
      self->quit();
    });
  };
  const auto all = make_gathering(members.size() + 1, true, done);
  for (const auto& member : members)
    self->request(caf::actor_cast<Member>(member), stop_timeout, stop_atom::value)
        .then([all](bool clean) { all->answers = all->answers && clean, all->one_less(); },
              [all](const caf::error&) { all->answers = false, all->one_less(); });
  all->one_less();
  return promise;
}

template <class Member>
supervisor_actor::behavior_type behavior_of(self_ptr self) {
  using part = std::conditional_t<std::is_same_v<Member, loop_supervisor_actor>, loop_status, std::vector<loop_status>>;
  return {
      [self](const std::string& loop, const operator_command& command) -> caf::result<command_result> {
        auto promise = self->make_response_promise<command_result>();
        const auto answer = [promise](command_result& result) mutable { promise.deliver(std::move(result)); };
        const auto failed = [promise, self](const caf::error& reason) mutable {
          promise.deliver(command_result{.ok = false, .text = "no answer: " + self->system().render(reason)});
        };
        const auto found = self->state.route.find(loop);
        const auto member = found == self->state.route.end() ? caf::actor{} : self->state.kids.handle(found->second);
        if (!member)
          promise.deliver(command_result{.ok = false, .text = "no loop '" + loop + "' runs here"});
        else if constexpr (std::is_same_v<Member, loop_supervisor_actor>)
          self->request(caf::actor_cast<Member>(member), request_timeout, command).then(answer, failed);
        else
          self->request(caf::actor_cast<Member>(member), request_timeout, loop, command).then(answer, failed);
        return promise;
      },
      [self](status_atom) { return collect_status<Member, part>(self); },
      [self](stop_atom) { return stop<Member>(self); },
      [self](start_atom, std::uint64_t token) { self->state.kids.on_timer(token); },
  };
}

} // namespace

supervisor_actor::behavior_type pool_supervisor(self_ptr self, pool_setup setup, audit_sink_actor audit, time_line time,
                                                std::uint64_t seed) {
  auto& s = self->state;
  s.audit = std::move(audit);
  set_up_children(self, setup.supervision, seed, time);
  for (loop_setup& loop : setup.loops) {
    s.route[loop.governor.config.loop] = s.kids.size();
    s.kids.add({.name = "loop " + loop.governor.config.loop, .restart = child_restart::permanent, .shutdown = stop_timeout,
                .spawn = [self, loop = std::move(loop)] {
                  return caf::actor_cast<caf::actor>(self->spawn(loop_supervisor, loop, self->state.audit));
                }});
  }
  s.kids.start_all();
  return behavior_of<loop_supervisor_actor>(self);
}

supervisor_actor::behavior_type node_supervisor(self_ptr self, node_setup setup) {
  auto& s = self->state;
  set_up_children(self, setup.supervision, setup.seed, setup.time);
  s.kids.add({.name = "audit sink", .restart = child_restart::permanent, .shutdown = 1s, .spawn = [self, store = setup.store] {
                self->state.audit = self->spawn(audit_sink, store);
                return caf::actor_cast<caf::actor>(self->state.audit);
              }});
  s.first_member = 1;
  for (pool_setup& pool : setup.pools) {
    for (const loop_setup& loop : pool.loops) s.route[loop.governor.config.loop] = s.kids.size();
    s.kids.add({.name = "pool " + pool.name, .restart = child_restart::permanent, .shutdown = stop_timeout,
                .spawn = [self, pool = std::move(pool), time = setup.time, seed = setup.seed] {
                  return caf::actor_cast<caf::actor>(self->spawn(pool_supervisor, pool, self->state.audit, time, seed));
                }});
  }
  s.kids.start_all();
  return behavior_of<supervisor_actor>(self);
}

} // namespace homeostat
