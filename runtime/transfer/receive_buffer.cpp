#include "runtime/transfer/receive_buffer.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include <sys/mman.h>

namespace homeostat {

namespace {
constexpr std::size_t huge_page = std::size_t{2} << 20; // of x86-64 and, with pages of 4 KiB, of ARM

constexpr std::size_t whole_huge_pages(std::size_t size) { return (size + huge_page - 1) / huge_page * huge_page; }
} // namespace

void receive_buffer::unmap::operator()(std::byte* from) const noexcept { ::munmap(from, bytes); }

std::optional<receive_buffer> receive_buffer::of(std::size_t capacity) {
  if (capacity > std::numeric_limits<std::size_t>::max() - 2 * huge_page) return std::nullopt;
  // One more than needed: only newer kernels begin a mapping where a huge page can begin.
  const std::size_t size = whole_huge_pages(capacity) + huge_page;
  void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return std::nullopt;
  auto* const start = static_cast<std::byte*>(at);
  receive_buffer made;
  made.mapped_ = {start, unmap{size}};
  (void)::madvise(at, size, MADV_HUGEPAGE); // refused by a kernel that has none: ordinary pages then
  const std::size_t beyond = reinterpret_cast<std::uintptr_t>(at) % huge_page;
  made.room_ = {start + (beyond == 0 ? 0 : huge_page - beyond), size - huge_page};
  return made;
}

bool receive_buffer::append(std::span<const std::byte> piece) noexcept {
  if (piece.size() > room_.size() - used_) return false;
  if (!piece.empty()) std::memcpy(room_.data() + used_, piece.data(), piece.size());
  used_ += piece.size();
  return true;
}

void receive_buffer::clear() noexcept {
  if (used_ > 0) (void)::madvise(room_.data(), whole_huge_pages(used_), MADV_FREE); // a part of one would split it
  used_ = 0;
}

receive_buffers::receive_buffers() { kept_.reserve(most_kept); }

std::optional<receive_buffer> receive_buffers::take(std::size_t capacity) {
  {
    const std::lock_guard hold(mutex_);
    const auto last = std::ranges::find_if(kept_.rbegin(), kept_.rend(),
                                           [&](const receive_buffer& b) { return b.capacity() >= capacity; });
    if (last != kept_.rend()) {
      receive_buffer warm = std::move(*last);
      kept_.erase(std::next(last).base());
      return warm;
    }
  }
  return receive_buffer::of(capacity);
}

void receive_buffers::give_back(receive_buffer used) noexcept {
  used.clear();
  if (used.capacity() > kept_bytes) return;
  const std::lock_guard hold(mutex_);
  std::size_t bytes = used.capacity();
  for (const receive_buffer& b : kept_) bytes += b.capacity();
  std::size_t dropped = 0;
  while (bytes > kept_bytes || kept_.size() - dropped == most_kept) bytes -= kept_[dropped++].capacity();
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(dropped));
  kept_.push_back(std::move(used)); // within what was reserved
}

} // namespace homeostat
