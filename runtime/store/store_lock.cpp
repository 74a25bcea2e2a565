#include "runtime/store/store_lock.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace homeostat {
namespace {

std::unexpected<store_error> fail(store_error_kind kind, const std::string& where, const std::string& what) {
  return std::unexpected{store_error{kind, where + ": " + what}};
}

/// @returns the holder as the lock file names it; the text is only for a message, the lock itself is what decides.
std::string holder(int fd) {
  char text[32]{};
  const ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
  const std::string_view digits{text, n > 0 ? static_cast<std::size_t>(n) : 0};
  const std::size_t end = digits.find_first_not_of("0123456789");
  if (end == 0 || end == std::string_view::npos) return "another process";
  return "process " + std::string{digits.substr(0, end)};
}

} // namespace

std::expected<store_lock, store_error> store_lock::acquire(const std::filesystem::path& store_path) {
  const std::string path = store_path.string();
  const std::string lock_path = path + ".lock";
  const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd < 0)
    return fail(store_error_kind::io, path, "cannot open the lock file " + lock_path + ": " + strerror(errno));
  store_lock lock{fd};
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return fail(store_error_kind::io, path, "cannot lock " + lock_path + ": " + strerror(errno));
    return fail(store_error_kind::locked, path,
                "the store is in use by " + holder(fd) + " (lock file " + lock_path + "); only one may write to it");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // A full disk may refuse the name; the lock holds all the same.
  if (::ftruncate(fd, 0) == 0) [[maybe_unused]]
    const ssize_t written = ::pwrite(fd, pid.data(), pid.size(), 0);
  return lock;
}

store_lock::store_lock(store_lock&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}

store_lock& store_lock::operator=(store_lock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

store_lock::~store_lock() {
  if (fd_ >= 0) ::close(fd_);
}

} // namespace homeostat
