#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <expected>
#include <string>

namespace homeostat {

/// @returns a message as JSON (Protobuf's mapping), every field present under its schema's name.
[[nodiscard]] inline std::string to_json(const google::protobuf::Message& message, bool pretty = false) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  options.add_whitespace = pretty;
  std::string text;
  if (const auto status = google::protobuf::util::MessageToJsonString(message, &text, options); !status.ok())
    return R"({"title":"not printable as JSON"})";
  return text;
}

/// @returns nothing, or what is wrong with the text. Unknown fields are errors.
[[nodiscard]] inline std::expected<void, std::string> from_json(const std::string& text,
                                                                google::protobuf::Message& message) {
  if (const auto status = google::protobuf::util::JsonStringToMessage(text, &message); !status.ok())
    return std::unexpected(std::string(status.message()));
  return {};
}

} // namespace homeostat
