#include "runtime/search/search_files.hpp"

#include "messages/json.hpp"
#include "runtime/search/result_json.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

namespace homeostat {

namespace {

std::string error_text(const std::string& path, const char* what) {
  return path + ": " + what + ": " + std::strerror(errno);
}

} // namespace

std::expected<std::string, std::string> read_text(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path)) return std::unexpected(error_text(path, "cannot be read"));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::expected<void, std::string> write_text(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text << std::flush;
    return std::cout ? std::expected<void, std::string>{}
                     : std::unexpected(std::string("standard output: cannot be written"));
  }
  const std::string beside = path + ".new";
  errno = 0;
  {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out << text << std::flush;
    if (!out) {
      const std::string why = error_text(beside, "cannot be written");
      std::error_code ignored;
      std::filesystem::remove(beside, ignored);
      return std::unexpected(why);
    }
  }
  std::error_code failed;
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
