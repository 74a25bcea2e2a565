#include "runtime/transfer/segment.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace homeostat {

namespace {

std::unexpected<transfer_error> system_error(const char* call, std::size_t size) {
  const bool short_of = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOSPC;
  return std::unexpected(transfer_error{short_of ? transfer_error::kind::exhausted : transfer_error::kind::failed,
                                        std::string(call) + " of a shared segment of " + std::to_string(size) +
                                            " bytes: " + std::strerror(errno)});
}

std::size_t whole_pages(std::size_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

} // namespace

std::expected<segment, transfer_error> segment::create(std::size_t capacity) {
  segment made;
  const std::size_t size = whole_pages(capacity);
  made.fd_ = descriptor(::memfd_create("homeostat-transfer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!made.fd_) return system_error("memfd_create", size);
  if (::ftruncate(made.fd(), static_cast<off_t>(size)) != 0) return system_error("ftruncate", size);
  void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, made.fd(), 0);
  if (start == MAP_FAILED) return system_error("mmap", size);
  made.start_ = static_cast<std::byte*>(start);
  made.capacity_ = size;
  // After the mapping: from here on nobody, we included, can map it for writing or change its size.
  if (::fcntl(made.fd(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0)
    return system_error("sealing", size);
  return made;
}

std::expected<segment, transfer_error> segment::adopt(descriptor received, std::size_t capacity) {
  const auto refused = [](std::string text) {
    return std::unexpected(transfer_error{transfer_error::kind::refused, std::move(text)});
  };
  const int seals = ::fcntl(received.get(), F_GET_SEALS);
  if (seals < 0) return refused("the descriptor is no sealed memory segment");
  if ((seals & F_SEAL_SHRINK) == 0) return refused("the segment is not sealed against shrinking");
  // Huge pages are another file system: an access can fail there for want of a page, and a part cannot be unmapped.
  struct statfs where{};
  if (::fstatfs(received.get(), &where) != 0) return system_error("fstatfs", capacity);
  if (where.f_type != TMPFS_MAGIC) return refused("the segment is not made of ordinary pages");
  struct stat state{};
  if (::fstat(received.get(), &state) != 0) return system_error("fstat", capacity);
  if (capacity == 0 || static_cast<std::size_t>(state.st_size) < capacity)
    return refused("the segment has " + std::to_string(state.st_size) + " bytes, announced were " +
                   std::to_string(capacity));
  void* start = ::mmap(nullptr, capacity, PROT_READ, MAP_SHARED, received.get(), 0);
  if (start == MAP_FAILED) return system_error("mmap", capacity);
  segment made;
  made.start_ = static_cast<std::byte*>(start);
  made.capacity_ = capacity;
  made.fd_ = std::move(received);
  return made;
}

segment::segment(segment&& other) noexcept
    : start_(std::exchange(other.start_, nullptr)), capacity_(std::exchange(other.capacity_, 0)),
      fd_(std::move(other.fd_)) {}

segment& segment::operator=(segment&& other) noexcept {
  if (this != &other) {
    release();
    start_ = std::exchange(other.start_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    fd_ = std::move(other.fd_);
  }
  return *this;
}

void segment::release() noexcept {
  if (start_ != nullptr) ::munmap(start_, capacity_);
  start_ = nullptr;
  capacity_ = 0;
  fd_.close();
}

} // namespace homeostat
