#include "runtime/cli/daemon_call.hpp"

#include "messages/control.pb.h"
#include "messages/json.hpp"

#include <spdlog/fmt/fmt.h>

#include <cctype>

#include <pwd.h>
#include <unistd.h>

namespace homeostat {

namespace {

// An approval is answered when it is durable; looking at the loops first may take a while.
constexpr auto patience = std::chrono::seconds(15);

std::optional<int> take(const common_options& common, const std::expected<http_response, std::string>& response,
                        google::protobuf::Message& message) {
  if (!response) return failed(response.error());
  if (response->status >= 300) return failed(problem_text(*response));
  if (common.json) {
    fmt::print("{}\n", response->body);
    return exit_code::ok;
  }
  if (auto ok = from_json(response->body, message); !ok) return failed("the answer is not readable: " + ok.error());
  return std::nullopt;
}

} // namespace

std::string problem_text(const http_response& response) {
  v1::Problem problem;
  if (from_json(response.body, problem)) return problem.title() + ": " + problem.detail();
  return response.body;
}

std::string actor_name(const common_options& common) {
  if (!common.api.token.empty()) return {};
  const passwd* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(getuid());
}

std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const bool safe = (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '-' || c == '_' || c == '.';
    if (safe)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::expected<http_response, std::string> post_to(const common_options& common, const std::string& path,
                                                  const google::protobuf::Message& body) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(body, &text, {}).ok())
    return std::unexpected("what was given is not valid text");
  return http_fetch(common.api, "POST", path, text, patience);
}

std::optional<int> get_from(const common_options& common, const std::string& path, google::protobuf::Message& page) {
  return take(common, http_fetch(common.api, "GET", path, {}, patience), page);
}

std::optional<int> answer_to(const common_options& common, const std::string& path,
                             const google::protobuf::Message& body, google::protobuf::Message& answer) {
  return take(common, post_to(common, path, body), answer);
}

} // namespace homeostat
