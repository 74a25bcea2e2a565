#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace homeostat {

/// A folder of its own for one test, removed with what is in it.
class temporary_folder {
public:
  temporary_folder() {
    std::string name = std::filesystem::temp_directory_path() / "homeostat-store-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"cannot make a temporary folder like " + name};
    path_ = name;
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
  std::filesystem::path path_;
};

} // namespace homeostat
