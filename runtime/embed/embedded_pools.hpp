#pragma once

#include "runtime/config/config.hpp"
#include "runtime/transfer/pool_notes.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace homeostat {

/// How a transfer went that a pool decided on.
struct transfer_outcome {
  transfer_characteristics data{};
  transfer_decision decision{}; ///< as it was given
  std::chrono::nanoseconds latency{
      0};                          ///< from the call to the receiver's acknowledgement; of a failed one: what it cost
  std::chrono::nanoseconds cpu{0}; ///< of both sides, as far as it can be told
  std::uint64_t memory{0};         ///< bytes held beside the data
  bool failed{false};              ///< not delivered by the method of the decision
};

/// One pool of a program. A name for a pool that is resolved once; copied at will, for as long as its embedded_pools
/// lives. Any thread.
class embedded_pool {
public:
  /// @returns the method for a transfer, and the reason in numbers. Wait-free but for a thread's first call, which
  /// allocates; well under a microsecond. Never fails: where nothing can decide it says grpc.
  [[nodiscard]] transfer_decision decide(const transfer_characteristics& data) const noexcept {
    return pool_->decide(data);
  }
  /// Reports how a transfer went, after decide(). Does not wait: when its queue is full the outcome is counted and
  /// lost.
  /// @returns whether it was taken; not one whose latency is not above 0.
  bool record(const transfer_outcome& done) const noexcept;
  /// Marks a transfer as under way while it lives: how busy the pool is, is one thing that models learn from.
  [[nodiscard]] transfer_pool::under_way under_way() const noexcept { return transfer_pool::under_way(*pool_); }
  /// @returns the rationale of a decision in words. Not for the quick path: may wait for a look of the pool's worker.
  [[nodiscard]] std::string explain(const transfer_decision& decision, const transfer_characteristics& data) const {
    return pool_->explain(decision, data);
  }
  [[nodiscard]] const std::string& name() const noexcept { return pool_->name(); }
  /// @returns outcomes lost because the queue was full.
  [[nodiscard]] std::uint64_t lost() const noexcept { return pool_->lost(); }
  /// Changes the policy from the next decision on. @errors as check() says; the old one then goes on.
  [[nodiscard]] std::expected<void, std::string> set_policy(transfer_policy policy) const;
  [[nodiscard]] transfer_policy policy() const { return pool_->policy(); }

private:
  friend class embedded_pools;
  explicit embedded_pool(transfer_pool& pool) : pool_(&pool) {}
  transfer_pool* pool_;
};

struct embedded_pools_options {
  std::string
      store{}; ///< metrics and models lie at this path with .transfers and .models behind; its folder must exist
  std::uint64_t seed{42}; ///< of exploration and of what is kept to learn from
  pool_notes notes{};     ///< what happens, and what goes wrong
};

/// Pools that decide on transfers inside the program that moves the buffers: no daemon, no call to another process.
///
///   auto pools = homeostat::embedded_pools::load("pools.yaml", {.store = "mover"});
///   const auto tensors = (*pools)->pool("tensors").value();     // once
///   const auto decision = tensors.decide(data);                 // for each transfer, from any thread
///   tensors.record({.data = data, .decision = decision, .latency = took});
///
/// Threads of its own learn from outcomes, sense how busy the machine is, train models, and write metrics; whatever
/// becomes of them, decisions go on.
class embedded_pools {
public:
  /// @param pools  each with a transfer policy; names are unique.
  /// @returns the running pools, or one sentence on what is wrong.
  [[nodiscard]] static std::expected<std::unique_ptr<embedded_pools>, std::string>
  start(const std::vector<pool_config>& pools, const embedded_pools_options& options);
  /// The same for the Pool documents of a configuration file; its loops, if it has any, are not run.
  /// @errors the file's problems, one a line.
  [[nodiscard]] static std::expected<std::unique_ptr<embedded_pools>, std::string>
  load(const std::filesystem::path& file, const embedded_pools_options& options);
  virtual ~embedded_pools() = default;

  /// @returns the pool of that name, or one sentence that names those there are. Takes no lock.
  [[nodiscard]] std::expected<embedded_pool, std::string> pool(const std::string& name) const;
  /// Decides in a pool by its name: a look among the names, then as the pool's own. @errors as pool().
  [[nodiscard]] std::expected<transfer_decision, std::string> decide(const std::string& pool_name,
                                                                     const transfer_characteristics& data) const;

protected:
  embedded_pools() = default;
  [[nodiscard]] static embedded_pool handle_of(transfer_pool& pool) { return embedded_pool(pool); }
  [[nodiscard]] virtual transfer_pool* find(const std::string& name) const = 0;
  [[nodiscard]] virtual std::vector<std::string> names() const = 0;
};

} // namespace homeostat
