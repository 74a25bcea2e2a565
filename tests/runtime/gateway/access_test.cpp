// Who is let in, with which answer, and what the audit says of the others.
#include "runtime/gateway/access.hpp"
#include "tests/runtime/gateway/scratch_folder.hpp"

#include <gmock/gmock.h>

namespace homeostat {
namespace {

using ::testing::Contains, ::testing::HasSubstr, ::testing::IsEmpty, ::testing::Pair, ::testing::SizeIs;

class Access : public ::testing::Test {
protected:
  Access() {
    for (const role r : all_roles)
      tokens[std::string(name_of(r))] = "Bearer " + create_token(file, std::string(name_of(r)), r).value();
    control = make(request_rate{});
  }
  std::unique_ptr<access_control> make(request_rate rate, bool with_tokens = true) {
    return std::make_unique<access_control>(
        with_tokens ? token_store::open(file).value() : nullptr,
        [this](audit_record record) { records.push_back(std::move(record)); }, [this] { return now; }, rate);
  }
  static http_request with(const std::string& authorization, const std::string& path = "/api/v1/status") {
    http_request request{.method = "GET", .path = path, .query = {}, .body = {}};
    request.authorization = authorization;
    request.peer = "10.0.0.7";
    return request;
  }
  unsigned status(const std::string& authorization, permission needs) {
    const auto caller = control->admit(with(authorization), needs);
    return caller ? 200 : caller.error().status;
  }

  testing::scratch_folder folder;
  std::filesystem::path file = folder.path / "tokens";
  std::map<std::string, std::string> tokens;
  instant now{std::chrono::seconds(1'800'000'000)};
  std::vector<audit_record> records;
  std::unique_ptr<access_control> control;
};

TEST_F(Access, EachRoleIsLetInWhereItsTableSaysSo) {
  for (const role r : all_roles)
    for (unsigned p = 0; p < permission_count; ++p) {
      const auto needs = static_cast<permission>(p);
      EXPECT_EQ(status(tokens.at(std::string(name_of(r))), needs), permits(r, needs) ? 200U : 403U)
          << name_of(r) << " " << name_of(needs);
    }
  const auto caller = control->admit(with(tokens.at("approver")), permission::approve);
  EXPECT_EQ(caller->name, "approver");
  EXPECT_EQ(caller->acts_as, role::approver);
}

TEST_F(Access, WithoutAValidTokenTheAnswerIs401) {
  const std::string good = tokens.at("admin");
  for (const std::string& header :
       {std::string(), std::string("Bearer"), std::string("Bearer "), std::string("Basic eDp5"), good.substr(7),
        good + "x", good.substr(0, good.size() - 1), "Bearer  " + good.substr(7), "Bearer " + std::string(10'000, 'a'),
        std::string("Bearer \0\xff", 9)})
    EXPECT_EQ(status(header, permission::read), 401U) << header;
  const auto refused = control->admit(with(""), permission::read);
  EXPECT_THAT(refused.error().headers, Contains(Pair("WWW-Authenticate", "Bearer realm=\"homeostat\"")));
  EXPECT_EQ(control->admit_unknown(with("")).error().status, 401U) << "nor does one learn which paths exist";
  EXPECT_EQ(status("bEARER " + good.substr(7), permission::administer), 200U) << "RFC 7235: the scheme has no case";
}

TEST_F(Access, OpenPagesNeedNoToken) {
  const auto caller = control->admit(with("Bearer nonsense"), std::nullopt);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->acts_as, role::viewer);
  EXPECT_THAT(records, IsEmpty());
}

TEST_F(Access, WithoutATokensFileEverybodyIsAdmin) {
  control = make({}, false);
  const auto caller = control->admit(with(""), permission::administer);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->acts_as, role::admin);
  EXPECT_EQ(caller->name, "");
}

TEST_F(Access, WithoutATokensFilePagesOfOtherSitesAreRefused) {
  control = make({}, false);
  struct row {
    const char* host;
    const char* origin;
    bool let_in;
  };
  for (const auto& [host, origin, let_in] :
       {row{"127.0.0.1:8421", "", true}, row{"127.0.0.1:8421", "http://127.0.0.1:8421", true},
        row{"localhost:8421", "http://localhost:8421", true}, row{"[::1]:8421", "", true}, row{"[::1]", "", true},
        row{"localhost", "", true}, row{"", "", true}, row{"", "http://evil.example", false},
        row{"127.0.0.1:8421", "http://evil.example", false}, row{"127.0.0.1:8421", "null", false},
        row{"127.0.0.1:8421", "http://127.0.0.1:9000", false}, row{"evil.example:8421", "", false},
        row{"127.evil.example:8421", "", false}, row{"10.0.0.1:8421", "", false}}) {
    http_request request = with("");
    request.host = host;
    request.origin = origin;
    EXPECT_EQ(control->admit(request, permission::read).has_value(), let_in) << host << " " << origin;
    EXPECT_TRUE(control->admit(request, std::nullopt));
  }
  EXPECT_THAT(records, SizeIs(7));
  control = make({});
  http_request request = with(tokens.at("viewer"));
  request.host = "node.example";
  request.origin = "https://console.example";
  EXPECT_TRUE(control->admit(request, permission::read)) << "a token says enough";
}

TEST_F(Access, ARefusalIsAuditedWithoutTheToken) {
  (void)control->admit(with(tokens.at("viewer"), "/api/v1/loops/a\xC3\n/pause"), permission::command);
  (void)control->admit(with("Bearer hst_secret"), permission::read);
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0].kind, audit_kind::access_refused);
  EXPECT_EQ(records[0].actor, "viewer");
  EXPECT_EQ(records[0].evidence, "GET /api/v1/loops/a?"
                                 "?/pause from 10.0.0.7");
  EXPECT_EQ(records[0].text, "403: a viewer without command");
  EXPECT_EQ(records[1].actor, "unknown");
  EXPECT_EQ(records[1].text, "401: a token that is not valid");
  EXPECT_THAT(records[1].evidence + records[1].source, Not(HasSubstr("secret")));
}

TEST_F(Access, AFloodOfRefusalsIsSummedUp) {
  for (int i = 0; i < 5000; ++i) (void)control->admit(with(""), permission::read);
  EXPECT_THAT(records, SizeIs(10));
  control->flush();
  EXPECT_THAT(records, SizeIs(10)) << "the second is not over";
  now += 1s;
  control->flush();
  ASSERT_THAT(records, SizeIs(11));
  EXPECT_EQ(records.back().text, "and 4990 more");
}

TEST_F(Access, TooManyRequestsAre429AndOthersAreLetIn) {
  control = make({.per_second = 2, .burst = 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(status(tokens.at("viewer"), permission::read), 200U);
  const auto refused = control->admit(with(tokens.at("viewer")), permission::read);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 429U);
  EXPECT_THAT(refused.error().headers, Contains(Pair("Retry-After", "1")));
  EXPECT_EQ(status(tokens.at("admin"), permission::read), 200U);
  for (int i = 0; i < 10; ++i) (void)control->admit(with(""), permission::read);
  EXPECT_EQ(status("", permission::read), 429U) << "those without a token share one allowance";
  EXPECT_TRUE(control->admit(with(""), std::nullopt)) << "and /healthz has its own";
  now += 500ms;
  EXPECT_EQ(status(tokens.at("viewer"), permission::read), 200U);
}

TEST_F(Access, ARevokedTokenEndsAtTheNextRequest) {
  const std::string header = tokens.at("viewer");
  EXPECT_TRUE(control->still_permits(header, permission::read));
  EXPECT_FALSE(control->still_permits(header, permission::command));
  ASSERT_TRUE(revoke_token(file, "viewer"));
  EXPECT_EQ(status(header, permission::read), 401U);
  EXPECT_FALSE(control->still_permits(header, permission::read));
}

} // namespace
} // namespace homeostat
