#pragma once

#include "runtime/cli/commands.hpp"
#include "runtime/gateway/http_client.hpp"

#include <google/protobuf/message.h>

#include <expected>
#include <optional>
#include <string>

namespace homeostat {

// What every command that talks to a running daemon has in common.

/// @returns the text of a problem+json answer, or the bare body.
[[nodiscard]] std::string problem_text(const http_response& response);

/// @returns the name of the person at the keyboard, for the audit; empty with a token, whose name it then is.
[[nodiscard]] std::string actor_name(const common_options& common);

/// @returns a part of a path, percent-encoded.
[[nodiscard]] std::string escaped(const std::string& name);

/// @returns the daemon's answer, whatever its status, or one sentence on why there is none.
[[nodiscard]] std::expected<http_response, std::string> post_to(const common_options& common, const std::string& path,
                                                                const google::protobuf::Message& body);

/// Fetches a page into a message. With `--output json` it prints the page instead.
/// @returns the exit code if the command is over, nothing if there is a message to show.
[[nodiscard]] std::optional<int> get_from(const common_options& common, const std::string& path,
                                          google::protobuf::Message& page);

/// The same for the answer to something posted: refusals are printed and end the command with 1.
[[nodiscard]] std::optional<int> answer_to(const common_options& common, const std::string& path,
                                           const google::protobuf::Message& body, google::protobuf::Message& answer);

} // namespace homeostat
