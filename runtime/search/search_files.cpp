#include "runtime/search/search_files.hpp"

#include "messages/json.hpp"
#include "runtime/search/result_json.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace homeostat {

namespace {

std::string error_text(const std::string& path, const char* what) {
  return path + ": " + what + ": " + std::strerror(errno);
}

std::expected<void, std::string> write_file(const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text << std::flush;
  if (!out) return std::unexpected(error_text(path, "cannot be written"));
  return {};
}

/// Far above any search; an endless input must not take all memory.
constexpr std::size_t largest_input = std::size_t{1} << 28;

std::expected<std::string, std::string> read_all(const std::string& name, std::istream& in) {
  std::string text;
  std::array<char, 65536> chunk{};
  while (in.read(chunk.data(), chunk.size()) || in.gcount() > 0) {
    text.append(chunk.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > largest_input)
      return std::unexpected(name + ": has more than " + std::to_string(largest_input) + " bytes");
  }
  if (in.bad()) return std::unexpected(error_text(name, "cannot be read"));
  return text;
}

} // namespace

std::expected<std::string, std::string> read_text(const std::string& path) {
  if (path == "-") return read_all("standard input", std::cin);
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path)) return std::unexpected(error_text(path, "cannot be read"));
  return read_all(path, in);
}

std::expected<void, std::string> write_text(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text << std::flush;
    return std::cout ? std::expected<void, std::string>{}
                     : std::unexpected(std::string("standard output: cannot be written"));
  }
  std::error_code failed;
  // What is there and no file (a device, a pipe) is written to: putting a file in its place would take it away.
  if (std::filesystem::exists(path, failed) && !std::filesystem::is_regular_file(path, failed))
    return write_file(path, text);
  const std::string beside = path + ".new";
  if (auto written = write_file(beside, text); !written) {
    std::filesystem::remove(beside, failed);
    return written;
  }
  std::filesystem::rename(beside, path, failed);
  if (failed) return std::unexpected(path + ": cannot be written: " + failed.message());
  return {};
}

std::expected<std::vector<std::expected<named_result, std::string>>, std::string>
read_results(const std::string& json, const search_space& space) {
  google::protobuf::Value text;
  if (auto parsed = from_json(json, text); !parsed) return std::unexpected("not JSON: " + parsed.error());
  std::vector<std::expected<named_result, std::string>> results;
  if (text.has_list_value())
    for (const auto& one : text.list_value().values()) results.push_back(read_result(space, one));
  else
    results.push_back(read_result(space, text));
  return results;
}

} // namespace homeostat
