// Paths to handlers, and the refusals that no handler sees.
#include "runtime/gateway/once.hpp"
#include "runtime/gateway/router.hpp"

#include <gmock/gmock.h>

namespace homeostat {
namespace {

using ::testing::Contains, ::testing::HasSubstr, ::testing::Pair;

http_request asks(std::string method, std::string path, std::string query = {}) {
  return {.method = std::move(method), .path = std::move(path), .query = std::move(query), .body = {}};
}

router table() {
  router r;
  const auto add = [&](const char* method, const char* path) {
    r.add({.method = method,
           .path = path,
           .text = path,
           .needs = permission::read,
           .query = {{"tail", "how many"}},
           .handle = [](const api_request&) { return http_response{}; }});
  };
  add("GET", "/");
  add("GET", "/loops");
  add("POST", "/loops/{loop}/pause");
  add("GET", "/loops/{loop}");
  add("DELETE", "/loops/{loop}");
  return r;
}

struct row {
  const char* method;
  const char* path;
  unsigned status;   ///< 200: found
  const char* route; ///< its path, or a part of the problem
};

TEST(Router, FindsTheRouteOrSaysWhyNot) {
  const router r = table();
  const row rows[] = {
      {"GET", "/", 200, "/"},
      {"GET", "/loops", 200, "/loops"},
      {"GET", "/loops/web", 200, "/loops/{loop}"},
      {"DELETE", "/loops/web", 200, "/loops/{loop}"},
      {"POST", "/loops/web/pause", 200, "/loops/{loop}/pause"},
      {"GET", "/loops/", 404, "/loops/ is not part"},
      {"GET", "/loops/web/", 404, "not part"},
      {"GET", "//loops", 404, "not part"},
      {"GET", "/Loops", 404, "not part"},
      {"POST", "/loops//pause", 404, "not part"},
      {"POST", "/loops/web", 405, "takes GET, DELETE"},
      {"GET", "/loops/web/pause", 405, "takes POST"},
      {"get", "/loops", 405, "takes GET"},
      {"GET", "/loops/%zz", 400, "percent-encoded"},
      {"GET", "/loops/%4", 400, "percent-encoded"},
  };
  for (const row& w : rows) {
    const auto found = r.find(asks(w.method, w.path));
    if (w.status == 200) {
      ASSERT_TRUE(found) << w.method << " " << w.path;
      EXPECT_EQ(found->route->path, w.route);
    } else {
      ASSERT_FALSE(found) << w.method << " " << w.path;
      EXPECT_EQ(found.error().status, w.status) << w.path;
      EXPECT_THAT(found.error().body, HasSubstr(w.route));
    }
  }
  EXPECT_THAT(r.find(asks("GET", "/loops/a/pause")).error().headers, Contains(Pair("Allow", "POST")));
}

TEST(Router, DecodesPartsOfThePath) {
  const auto found = table().find(asks("GET", "/loops/a%2Fb+%C3%A4"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path.at("loop"), "a/b+\xC3\xA4") << "a plus is a plus in a path";
}

TEST(Router, DecodesTheQueryAndRefusesUnknownKeys) {
  const router r = table();
  const auto wanted = [&](const char* query) {
    const http_request request = asks("GET", "/loops", query);
    const auto m = r.find(request);
    auto got = request_for(*m, request, {});
    return got ? got->query_value("tail").value_or("none") : std::to_string(got.error().status);
  };
  EXPECT_EQ(wanted(""), "none");
  EXPECT_EQ(wanted("tail=a+b%21"), "a b!");
  EXPECT_EQ(wanted("tail"), "");
  EXPECT_EQ(wanted("tail=%"), "400");
  EXPECT_EQ(wanted("page=1"), "400");
}

TEST(Router, TheActorIsTheTokens) {
  const http_request http = asks("POST", "/");
  const auto actor = [&](const char* token, const char* body) {
    const auto found = actor_of({.http = http, .caller = {.name = token}}, body);
    return found ? *found : std::to_string(found.error().status);
  };
  EXPECT_EQ(actor("", ""), "anonymous");
  EXPECT_EQ(actor("", "ada"), "ada");
  EXPECT_EQ(actor("ci", ""), "ci");
  EXPECT_EQ(actor("ci", "ci"), "ci");
  EXPECT_EQ(actor("ci", "ada"), "400");
}

TEST(OnceOnly, CarriesOutARequestOnce) {
  instant now{std::chrono::seconds(1'800'000'000)};
  once_only once([&] { return now; });
  int carried_out = 0;
  unsigned status = 200;
  const auto send = [&](const char* key, const char* body, const char* token = "ada") {
    http_request http = asks("POST", "/a");
    http.idempotency_key = key;
    http.body = body;
    return once.run({.http = http, .caller = {.name = token}}, [&](const api_request&) {
      return http_response{.status = status, .body = std::to_string(++carried_out), .headers = {{"ETag", "\"7\""}}};
    });
  };
  EXPECT_EQ(send("k", "x").body, "1");
  const auto again = send("k", "x");
  EXPECT_EQ(again.body, "1");
  EXPECT_THAT(again.headers, Contains(Pair("Idempotency-Replayed", "true")));
  EXPECT_THAT(again.headers, Contains(Pair("ETag", "\"7\"")));
  EXPECT_EQ(send("k", "y").status, 422U);
  EXPECT_EQ(send("k", "x", "ben").body, "2") << "a key is its caller's own";
  status = 503;
  EXPECT_EQ(send("l", "x").status, 503U);
  status = 200;
  EXPECT_EQ(send("l", "x").body, "4") << "no answer is no answer: it is tried again";
  EXPECT_EQ(send(std::string(256, 'k').c_str(), "x").status, 400U);
}

TEST(OnceOnly, ARequestThatIsBeingCarriedOutIsNotRepeated) {
  once_only once([] { return instant{}; });
  http_request http = asks("POST", "/a");
  http.idempotency_key = "k";
  const api_request request{.http = http, .caller = {}};
  unsigned inner = 0;
  const auto outer = once.run(request, [&](const api_request& same) {
    inner = once.run(same, [](const api_request&) { return http_response{}; }).status;
    return http_response{};
  });
  EXPECT_EQ(outer.status, 200U);
  EXPECT_EQ(inner, 409U);
}

TEST(OnceOnly, AHandlerThatThrowsFreesItsKey) {
  once_only once([] { return instant{}; });
  http_request http = asks("POST", "/a");
  http.idempotency_key = "k";
  const api_request request{.http = http, .caller = {}};
  EXPECT_THROW((void)once.run(request, [](const api_request&) -> http_response { throw std::runtime_error("x"); }),
               std::runtime_error);
  EXPECT_EQ(once.run(request, [](const api_request&) { return http_response{}; }).status, 200U);
}

} // namespace
} // namespace homeostat
