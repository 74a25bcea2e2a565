// The console's files under / and /console/. They are open to everybody who reaches the address, also without a token:
// they say nothing about this node, and what the page asks for afterwards does need the token.
#include "policies/fnv1a.hpp"
#include "runtime/console/console_files.hpp"
#include "runtime/gateway/api_routes.hpp"

#include <algorithm>
#include <cstdint>

namespace homeostat {

namespace {

// Nothing from outside, nothing inline: what a record or a proposal says can never become a script.
constexpr const char* content_policy =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Names the bytes of a file.
std::string tag_of(std::string_view bytes) { return '"' + std::to_string(fnv1a(bytes)) + '"'; }

http_response console_page(std::string_view name, const http_request& request) {
  const auto files = console_files();
  const auto file = std::ranges::find(files, name, &console_file::name);
  if (file == files.end()) return problem(404, "no such page", "the console has no file '" + std::string(name) + "'");
  const std::string tag = tag_of(file->bytes);
  http_response page{.status = 200,
                     .body = std::string(file->bytes),
                     .content_type = std::string(file->content_type) + "; charset=utf-8",
                     .headers = {{"ETag", tag},
                                 {"Cache-Control", "no-cache"},
                                 {"Content-Security-Policy", content_policy},
                                 {"X-Content-Type-Options", "nosniff"},
                                 {"Referrer-Policy", "no-referrer"}}};
  if (request.if_none_match.contains(tag)) {
    page.status = 304;
    page.body.clear();
  }
  return page;
}

} // namespace

void add_console_routes(router& r) {
  r.add({.method = "GET",
         .path = "/",
         .text = "The operator's console.",
         .needs = std::nullopt,
         .content_type = "text/html",
         .handle = [](const api_request& request) { return console_page("index.html", request.http); }});
  r.add({.method = "GET",
         .path = "/console/{file}",
         .text = "A file of the console.",
         .needs = std::nullopt,
         .content_type = "*/*",
         .problems = {404},
         .handle = [](const api_request& request) { return console_page(request.path.at("file"), request.http); }});
}

} // namespace homeostat
