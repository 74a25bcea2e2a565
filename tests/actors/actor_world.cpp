#include "tests/actors/actor_world.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace homeostat::testing {

caf::actor_system_config& actor_world::prepared(caf::actor_system_config& config) {
  register_messages(config);
  config.set("scheduler.policy", caf::atom("testing"));
  return config;
}

actor_world::actor_world()
    : system(prepared(config)), sched(dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())) {
  time = {.wall = instant(duration(1'800'000'000'000'000)), .steady = sched.clock().now()};
}

void actor_world::settle(std::size_t limit) {
  for (std::size_t i = 0; i < limit; ++i)
    if (!step()) return;
  ADD_FAILURE() << "messages do not come to rest";
}

bool actor_world::step() {
  const auto is_stuck = [this](caf::resumable* job) {
    return std::ranges::any_of(stuck, [job](const caf::actor& actor) {
      return dynamic_cast<caf::resumable*>(caf::actor_cast<caf::abstract_actor*>(actor)) == job;
    });
  };
  const auto next = std::ranges::find_if_not(sched.jobs, is_stuck);
  if (next == sched.jobs.end()) return false;
  std::rotate(sched.jobs.begin(), next, std::next(next));
  notice(sched.jobs.front());
  sched.try_run_once();
  notice_ends();
  return true;
}

void actor_world::notice(caf::resumable* job) {
  auto* const actor = dynamic_cast<caf::scheduled_actor*>(job);
  if (!actor || actor->getf(caf::abstract_actor::is_initialized_flag)) return; // seen when it was started
  const std::string name = actor->name();
  if (!name.starts_with("user.") && !name.starts_with("scheduled"))
    seen_.push_back({name, caf::weak_actor_ptr(actor->ctrl())});
}

void actor_world::notice_ends() {
  for (seen_actor& one : seen_) {
    const auto actor = one.actor.lock();
    if (actor && !actor->get()->getf(caf::abstract_actor::is_terminated_flag)) continue;
    ended_.push_back(one.name);
    one.over = true;
  }
  std::erase_if(seen_, [](const seen_actor& one) { return one.over; });
}

caf::actor actor_world::running(const std::string& name) const {
  for (auto one = seen_.rbegin(); one != seen_.rend(); ++one)
    if (one->name == name) return caf::actor_cast<caf::actor>(one->actor.lock());
  return {};
}

std::size_t actor_world::count(const std::string& name) const {
  return static_cast<std::size_t>(std::ranges::count(seen_, name, &seen_actor::name));
}

void actor_world::advance(duration length, duration step) {
  for (duration passed{0}; passed < length; passed += step) {
    sched.advance_time(std::min(step, length - passed));
    settle();
  }
}

std::shared_ptr<reply<std::optional<std::string>>> actor_world::ask_load(const audit_sink_actor& sink,
                                                                         const std::string& key) {
  auto answer = std::make_shared<reply<std::optional<std::string>>>();
  using answer_ptr = std::shared_ptr<reply<std::optional<std::string>>>;
  system.spawn<caf::hidden>(
      [=](caf::event_based_actor* self, const answer_ptr& into) {
        self->request(caf::actor_cast<caf::actor>(sink), std::chrono::minutes(1440), load_atom::value, key)
            .then([into](bool found, std::string& value) { into->value = found ? std::optional(value) : std::nullopt; },
                  [into, self](const caf::error& reason) { into->error = self->system().render(reason); });
      },
      answer);
  return answer;
}

void actor_world::TearDown() {
  stuck.clear();
  settle();
  EXPECT_TRUE(sched.jobs.empty()) << sched.jobs.size() << " jobs are left";
  EXPECT_EQ(system.registry().running(), 0U) << "actors are left";
  if (system.registry().running() == 0) return;
  // The system's end would wait for them for ever.
  std::cout << "[  FAILED  ] " << ::testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() << '.'
            << ::testing::UnitTest::GetInstance()->current_test_info()->name() << std::endl;
  std::_Exit(1);
}

} // namespace homeostat::testing
