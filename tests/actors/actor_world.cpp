#include "tests/actors/actor_world.hpp"

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
    if (!sched.try_run_once()) return;
  ADD_FAILURE() << "messages do not come to rest";
}

void actor_world::settle_without(const caf::actor& stuck) {
  auto* const job = dynamic_cast<caf::resumable*>(caf::actor_cast<caf::abstract_actor*>(stuck));
  ASSERT_NE(job, nullptr);
  sched.run_jobs_filtered([job](caf::resumable* candidate) { return candidate != job; });
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
  system.spawn<caf::hidden>([=](caf::event_based_actor* self) {
    self->request(caf::actor_cast<caf::actor>(sink), std::chrono::minutes(1440), load_atom::value, key)
        .then([answer](bool found, std::string& value) { answer->value = found ? std::optional(value) : std::nullopt; },
              [answer, self](const caf::error& reason) { answer->error = self->system().render(reason); });
  });
  return answer;
}

void actor_world::TearDown() {
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
