#pragma once

#include "runtime/store/store.hpp"

#include <filesystem>

namespace homeostat {

/// Keeps a second writer away from a store, in this process or another. The lock is the kernel's and ends with the
/// process however that dies; the file beside the store only names the holder and stays behind on purpose (removing it
/// would let two processes lock two different files of the same name).
class store_lock {
public:
  /// Takes the lock at once or not at all. @param store_path  the store; the lock file is that name with ".lock"
  /// behind.
  /// @errors  locked, naming the process that has it; io when the lock file cannot be made.
  [[nodiscard]] static std::expected<store_lock, store_error> acquire(const std::filesystem::path& store_path);

  store_lock(store_lock&& other) noexcept;
  store_lock& operator=(store_lock&& other) noexcept;
  ~store_lock();

private:
  explicit store_lock(int fd) : fd_{fd} {}
  int fd_;
};

} // namespace homeostat
