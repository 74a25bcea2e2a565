#include "runtime/plants/cache/ttl_cache.hpp"

#include "runtime/plants/cache/seeded_bits.hpp"

#include <algorithm>

namespace homeostat::cache {

ttl_cache::ttl_cache(std::size_t capacity, std::size_t shards)
    : capacity_per_shard_(std::max<std::size_t>(1, capacity / shards)), shards_(shards) {}

ttl_cache::shard& ttl_cache::shard_of(std::uint32_t key) { return shards_[seeded_bits(0, 0, key) % shards_.size()]; }

std::optional<std::uint64_t> ttl_cache::get(std::uint32_t key, double age) {
  auto& s = shard_of(key);
  std::lock_guard lock(s.mutex);
  const auto found = s.by_key.find(key);
  if (found == s.by_key.end()) return std::nullopt;
  const auto position = found->second;
  if (age >= position->expires) {
    s.by_use.erase(position);
    s.by_key.erase(found);
    return std::nullopt;
  }
  s.by_use.splice(s.by_use.begin(), s.by_use, position);
  return position->version;
}

void ttl_cache::put(std::uint32_t key, std::uint64_t version, double age) {
  auto& s = shard_of(key);
  std::lock_guard lock(s.mutex);
  if (const auto found = s.by_key.find(key); found != s.by_key.end()) {
    *found->second = {key, version, age + 1};
    s.by_use.splice(s.by_use.begin(), s.by_use, found->second);
    return;
  }
  if (s.by_key.size() >= capacity_per_shard_) {
    s.by_key.erase(s.by_use.back().key);
    s.by_use.pop_back();
  }
  s.by_use.push_front({key, version, age + 1});
  s.by_key.emplace(key, s.by_use.begin());
}

std::size_t ttl_cache::size() const {
  std::size_t n = 0;
  for (const auto& s : shards_) {
    std::lock_guard lock(s.mutex);
    n += s.by_key.size();
  }
  return n;
}

} // namespace homeostat::cache
