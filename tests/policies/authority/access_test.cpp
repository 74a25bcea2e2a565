// Who may do what, how often, how refusals are recorded, and what repeated requests get: as tables.
#include "policies/authority/idempotency.hpp"
#include "policies/authority/refusal_count.hpp"
#include "policies/authority/request_limit.hpp"
#include "policies/authority/roles.hpp"

#include <gtest/gtest.h>

#include <set>

namespace homeostat {
namespace {

constexpr instant t0{std::chrono::seconds(1'800'000'000)};

// ---- roles

TEST(Roles, PermitExactlyWhatTheTableSays) {
  using enum permission;
  const std::pair<role, std::set<permission>> rows[] = {
      {role::viewer, {read}},
      {role::proposer, {read, propose}},
      {role::operator_, {read, command, propose, override_values}},
      {role::approver, {read, command, propose, approve}},
      {role::admin, {read, command, propose, approve, override_values, administer}},
  };
  EXPECT_EQ(std::size(rows), all_roles.size());
  for (const auto& [who, allowed] : rows)
    for (unsigned p = 0; p < permission_count; ++p) {
      const auto what = static_cast<permission>(p);
      EXPECT_EQ(permits(who, what), allowed.contains(what)) << name_of(who) << " " << name_of(what);
    }
}

TEST(Roles, AreReadByTheirExactNames) {
  for (const role who : all_roles) EXPECT_EQ(role_from(name_of(who)), who);
  for (const char* text : {"", "Admin", "admin ", "root", "operator_", "?"}) EXPECT_EQ(role_from(text), std::nullopt);
}

TEST(Roles, AnUnknownRolePermitsNothing) {
  for (unsigned p = 0; p < permission_count; ++p)
    EXPECT_FALSE(permits(static_cast<role>(17), static_cast<permission>(p)));
}

// ---- rate

TEST(RequestLimit, LetsABurstPassAndThenTheRate) {
  request_limiter limiter({.per_second = 10, .burst = 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.refuse("a", t0), std::nullopt);
  EXPECT_EQ(limiter.refuse("a", t0), 100ms);
  EXPECT_EQ(limiter.refuse("a", t0 + 60ms), 40ms);
  EXPECT_EQ(limiter.refuse("a", t0 + 100ms), std::nullopt);
  EXPECT_EQ(limiter.refuse("a", t0 + 100ms), 100ms);
}

TEST(RequestLimit, CallersDoNotShare) {
  request_limiter limiter({.per_second = 1, .burst = 1});
  EXPECT_EQ(limiter.refuse("a", t0), std::nullopt);
  EXPECT_EQ(limiter.refuse("a", t0), 1s);
  EXPECT_EQ(limiter.refuse("b", t0), std::nullopt);
}

TEST(RequestLimit, ARestFillsNoMoreThanTheBurst) {
  request_limiter limiter({.per_second = 10, .burst = 2});
  EXPECT_EQ(limiter.refuse("a", t0), std::nullopt);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(limiter.refuse("a", t0 + 1h), std::nullopt);
  EXPECT_EQ(limiter.refuse("a", t0 + 1h), 100ms);
}

TEST(RequestLimit, AClockThatStepsBackFillsNothing) {
  request_limiter limiter({.per_second = 10, .burst = 1});
  EXPECT_EQ(limiter.refuse("a", t0), std::nullopt);
  EXPECT_EQ(limiter.refuse("a", t0 - 10s), 100ms);
  EXPECT_EQ(limiter.refuse("a", t0), 100ms);
}

TEST(RequestLimit, ForgetsTheCallerThatWasSilentLongest) {
  request_limiter limiter({.per_second = 1, .burst = 1}, 2);
  EXPECT_EQ(limiter.refuse("a", t0), std::nullopt);
  EXPECT_EQ(limiter.refuse("b", t0 + 1ms), std::nullopt);
  EXPECT_EQ(limiter.refuse("c", t0 + 2ms), std::nullopt);
  EXPECT_EQ(limiter.callers(), 2U);
  EXPECT_NE(limiter.refuse("b", t0 + 3ms), std::nullopt) << "b is still known";
}

// ---- refusals

TEST(RefusalCount, RecordsTenASecondAndSumsUpTheRest) {
  refusal_count count;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(count.take(t0 + i * 1ms).itself);
  for (int i = 0; i < 90; ++i) EXPECT_FALSE(count.take(t0 + 20ms).itself);
  EXPECT_EQ(count.left_out(t0 + 999ms), 0U) << "the second is not over";
  EXPECT_EQ(count.left_out(t0 + 1s), 90U);
  EXPECT_EQ(count.left_out(t0 + 2s), 0U) << "reported once";
}

TEST(RefusalCount, TheNextSecondBeginsWithWhatTheLastLeftOut) {
  refusal_count count;
  for (int i = 0; i < 12; ++i) (void)count.take(t0);
  const auto next = count.take(t0 + 1s);
  EXPECT_TRUE(next.itself);
  EXPECT_EQ(next.left_out, 2U);
  EXPECT_EQ(count.take(t0 + 1s).left_out, 0U);
}

TEST(RefusalCount, NothingIsLostAtTheEnd) {
  refusal_count count;
  for (int i = 0; i < 15; ++i) (void)count.take(t0);
  EXPECT_EQ(count.left_out_at_end(), 5U);
  EXPECT_EQ(count.left_out_at_end(), 0U);
}

// ---- idempotency

using verdict = idempotency_memory::verdict;
const kept_answer done{.status = 200, .body = "{}", .content_type = "application/json"};

TEST(Idempotency, TheSameRequestIsAnsweredTheSame) {
  idempotency_memory memory;
  EXPECT_EQ(memory.begin("ada", "k", "f", t0).what, verdict::fresh);
  EXPECT_EQ(memory.begin("ada", "k", "f", t0).what, verdict::in_flight);
  memory.finish("ada", "k", done, t0);
  const auto again = memory.begin("ada", "k", "f", t0 + 24h - 1us);
  EXPECT_EQ(again.what, verdict::replay);
  EXPECT_EQ(again.answer, done);
}

TEST(Idempotency, AKeyBelongsToOneRequestOfOneCaller) {
  idempotency_memory memory;
  (void)memory.begin("ada", "k", "f", t0);
  EXPECT_EQ(memory.begin("ada", "k", "g", t0).what, verdict::other) << "while it is in flight";
  memory.finish("ada", "k", done, t0);
  EXPECT_EQ(memory.begin("ada", "k", "g", t0).what, verdict::other);
  EXPECT_EQ(memory.begin("ben", "k", "g", t0).what, verdict::fresh);
  EXPECT_EQ(memory.begin("ada", "l", "g", t0).what, verdict::fresh);
}

TEST(Idempotency, ADayLaterItIsANewRequest) {
  idempotency_memory memory;
  (void)memory.begin("ada", "k", "f", t0);
  memory.finish("ada", "k", done, t0);
  EXPECT_EQ(memory.begin("ada", "k", "g", t0 + 24h).what, verdict::fresh);
}

TEST(Idempotency, AForgottenRequestMayBeTriedAgain) {
  idempotency_memory memory;
  (void)memory.begin("ada", "k", "f", t0);
  memory.forget("ada", "k");
  EXPECT_EQ(memory.begin("ada", "k", "f", t0).what, verdict::fresh);
  memory.finish("ada", "k", done, t0);
  memory.forget("ada", "k");
  EXPECT_EQ(memory.begin("ada", "k", "f", t0).what, verdict::replay) << "what was answered stays";
}

TEST(Idempotency, TheOldestAnswersGoFirst) {
  idempotency_memory memory({.entries = 2});
  for (const char* key : {"a", "b", "c"}) {
    (void)memory.begin("ada", key, "f", t0);
    memory.finish("ada", key, done, t0);
  }
  EXPECT_EQ(memory.entries(), 2U);
  EXPECT_EQ(memory.begin("ada", "b", "f", t0).what, verdict::replay);
  EXPECT_EQ(memory.begin("ada", "a", "f", t0).what, verdict::fresh);
}

TEST(Idempotency, AnswersAreBoundedInBytes) {
  idempotency_memory memory({.bytes = 10});
  const auto answer = [](std::size_t size) {
    return kept_answer{.status = 200, .body = std::string(size, 'x'), .content_type = {}};
  };
  for (const auto& [key, size] : {std::pair("a", 6), std::pair("b", 6), std::pair("c", 11)}) {
    (void)memory.begin("ada", key, "f", t0);
    memory.finish("ada", key, answer(static_cast<std::size_t>(size)), t0);
  }
  EXPECT_EQ(memory.begin("ada", "b", "f", t0).what, verdict::replay);
  EXPECT_EQ(memory.begin("ada", "a", "f", t0).what, verdict::fresh) << "6 and 6 are more than 10";
  EXPECT_EQ(memory.begin("ada", "c", "f", t0).what, verdict::fresh) << "too large to keep";
}

} // namespace
} // namespace homeostat
