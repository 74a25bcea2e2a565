// The API of a real node, without the network.
#include "runtime/gateway/api.hpp"

#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "messages/text.hpp"
#include "runtime/gateway/audit_message.hpp"
#include "tests/runtime/gateway/still_node.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

namespace homeostat {
namespace {

using ::testing::Contains, ::testing::HasSubstr, ::testing::Not, ::testing::Pair;

class Api : public ::testing::Test {
protected:
  Api() {
    while (ask("GET", "/readyz").status != 200) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  http_response ask(const std::string& method, const std::string& path, const std::string& body = {},
                    const std::string& query = {}, const std::string& key = {}) {
    return answer(
        {.method = method, .path = path, .query = query, .body = body, .idempotency_key = key, .host = "localhost"});
  }

  testing::still_node still;
  http_handler answer = api_handler(*still.get(), nullptr);
};

TEST_F(Api, ALoopThatDoesNotAnswerIsAskedAgainUnderTheSameKey) {
  caf::anon_send_exit(still.get()->root(), caf::exit_reason::kill);
  for (int i = 0; i < 2; ++i) {
    const auto got = ask("POST", "/api/v1/loops/web/pause", "{}", {}, "key");
    EXPECT_EQ(got.status, 503U);
    EXPECT_EQ(got.content_type, "application/problem+json");
    EXPECT_THAT(got.headers, Contains(Pair("Retry-After", ::testing::_)));
    EXPECT_THAT(got.headers, Not(Contains(Pair("Idempotency-Replayed", ::testing::_))));
  }
}

TEST_F(Api, ALoopThatRefusesSaysSoOnceAndForAll) {
  const std::string beyond = R"({"knobs":{"workers":65}})";
  for (const bool again : {false, true}) {
    const auto got = ask("POST", "/api/v1/loops/web/values", beyond, {}, "key");
    EXPECT_EQ(got.status, 409U);
    v1::CommandResult result;
    EXPECT_TRUE(from_json(got.body, result)) << got.body;
    EXPECT_EQ(std::ranges::count(got.headers, std::pair<std::string, std::string>("Idempotency-Replayed", "true")),
              again);
  }
}

struct strange_body {
  const char* body;
  const char* field;
};

class ApiCommand : public Api, public ::testing::WithParamInterface<strange_body> {};

TEST_P(ApiCommand, TakesNoFieldWithoutMeaningToIt) {
  const auto got = ask("POST", "/api/v1/loops/web/rollback", GetParam().body);
  EXPECT_EQ(got.status, 400U);
  EXPECT_THAT(got.body, HasSubstr(GetParam().field));
}

INSTANTIATE_TEST_SUITE_P(Bodies, ApiCommand,
                         ::testing::Values(strange_body{R"({"revision":7})", "revision"},
                                           strange_body{R"({"revision":0})", "revision"},
                                           strange_body{R"({"action":"pause"})", "action"},
                                           strange_body{R"({"values":[1]})", "values"},
                                           strange_body{R"({"override_bounds":true})", "override_bounds"}));

TEST_F(Api, ACommandTakesActorAndText) {
  EXPECT_EQ(ask("POST", "/api/v1/loops/web/pause", R"({"actor":"ann","text":"deploy"})").status, 200U);
}

/// @returns the sequences of the records on a page.
std::vector<std::uint64_t> sequences(const http_response& answer) {
  v1::AuditPage page;
  EXPECT_TRUE(from_json(answer.body, page)) << answer.body;
  std::vector<std::uint64_t> all;
  for (const auto& entry : page.entries()) all.push_back(entry.sequence());
  return all;
}

TEST_F(Api, TheAuditIsReadPageByPage) {
  for (int i = 0; i < 30; ++i)
    ASSERT_EQ(ask("POST", "/api/v1/loops/web/" + std::string(i % 2 ? "resume" : "pause")).status, 200U);
  std::vector<std::uint64_t> newest;
  while (newest.empty() || newest.back() < 30) { // records are written behind the answers
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    newest = sequences(ask("GET", "/api/v1/audit"));
  }
  EXPECT_EQ(newest.size(), 20U);
  EXPECT_TRUE(std::ranges::is_sorted(newest));
  for (const char* loop : {"", "&loop=web"}) {
    const auto query = "tail=3&before=" + std::to_string(newest.back()) + loop;
    const std::uint64_t last = newest.back() - 1;
    EXPECT_EQ(sequences(ask("GET", "/api/v1/audit", {}, query)), (std::vector<std::uint64_t>{last - 2, last - 1, last}))
        << query;
  }
  EXPECT_TRUE(sequences(ask("GET", "/api/v1/audit", {}, "before=1")).empty());
  for (const char* wrong :
       {"before=0", "before=-1", "before=", "before=x", "before=18446744073709551616", "tail=10001"})
    EXPECT_EQ(ask("GET", "/api/v1/audit", {}, wrong).status, 400U) << wrong;
}

TEST(AuditMessage, ARecordThatCannotBeReadIsStillOnThePage) {
  const stored_record damaged{.sequence = 3,
                              .time = instant(duration(7)),
                              .loop = "web",
                              .kind = "applied",
                              .generation = 2,
                              .payload = "2\x01\xff"}; // a source that is not text
  v1::AuditEntry seen;
  ASSERT_TRUE(from_json(to_json(audit_message(damaged)), seen));
  EXPECT_EQ(seen.sequence(), 3U);
  EXPECT_EQ(seen.record().kind(), "applied");
  EXPECT_EQ(seen.record().loop(), "web");
  EXPECT_EQ(seen.record().time_us(), 7);
  EXPECT_EQ(seen.record().text(), "the record cannot be read (3 bytes)");
}

TEST_F(Api, WhatARequestNamesIsTextInItsProblem) {
  for (const auto& got : {ask("GET", "/api/v1/status\xff"), ask("GET", "/api/v1/status", {}, "%ff=1"),
                          ask("POST", "/api/v1/loops/%ff%fe/pause"), ask("GET", "/api/v1/proposals/%ff")}) {
    EXPECT_GE(got.status, 400U);
    EXPECT_EQ(codec::text(got.body), got.body) << "is not UTF-8";
  }
}

TEST_F(Api, OnlyProposalsHaveVersions) {
  for (const char* tag : {"\"1\"", "nonsense"})
    EXPECT_EQ(answer({.method = "POST",
                      .path = "/api/v1/recommendations/1/dismiss",
                      .query = {},
                      .body = {},
                      .if_match = tag,
                      .host = "localhost"})
                  .status,
              412U);
  EXPECT_EQ(ask("POST", "/api/v1/recommendations/1/dismiss", R"({"version":"1"})").status, 412U);
}

} // namespace
} // namespace homeostat
