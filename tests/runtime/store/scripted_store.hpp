#pragma once

#include "runtime/store/group_committer.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace homeostat {

/// A store in memory whose commits wait for permission and fail on command.
class scripted_store final : public store {
public:
  using script = std::function<std::expected<void, store_error>(std::span<const store_batch>)>;

  /// Every commit from now on waits until it is let through.
  void hold() {
    const std::scoped_lock lock{mutex_};
    held_ = true;
  }

  void let_through(std::size_t commits = 1) {
    const std::scoped_lock lock{mutex_};
    permits_ += commits;
    changed_.notify_all();
  }

  void let_all_through() {
    const std::scoped_lock lock{mutex_};
    held_ = false;
    changed_.notify_all();
  }

  /// Waits until so many commits have been begun.
  void await_begun(std::size_t commits) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return begun_ >= commits; });
  }

  /// What the coming commits answer instead of succeeding.
  void follow(script s) {
    const std::scoped_lock lock{mutex_};
    script_ = std::move(s);
  }

  std::vector<std::size_t> group_sizes() const {
    const std::scoped_lock lock{mutex_};
    return group_sizes_;
  }

  std::vector<audit_entry> log() const {
    const std::scoped_lock lock{mutex_};
    return log_;
  }

  using store::commit;
  std::expected<std::uint64_t, store_error> commit(const batch_source& next) override {
    std::vector<store_batch> batches;
    for (auto some = next(); !some.empty(); some = next()) batches.insert(batches.end(), some.begin(), some.end());
    std::unique_lock lock{mutex_};
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_ || permits_ > 0; });
    if (held_) --permits_;
    group_sizes_.push_back(batches.size());
    if (script_)
      if (auto ok = script_(batches); !ok) return std::unexpected{ok.error()};
    for (const store_batch& b : batches) log_.insert(log_.end(), b.records.begin(), b.records.end());
    return log_.size();
  }

  std::expected<std::optional<std::string>, store_error> load_state(std::string_view) override { return unused(); }
  std::expected<std::vector<std::string>, store_error> list_state(std::string_view, std::string_view,
                                                                  std::size_t) override {
    return unused();
  }
  std::expected<std::vector<stored_record>, store_error> tail(std::size_t, std::optional<std::string_view>,
                                                              std::optional<std::uint64_t>) override {
    return unused();
  }
  std::expected<std::vector<stored_record>, store_error> range(std::uint64_t, std::size_t,
                                                               std::optional<std::string_view>) override {
    return unused();
  }
  std::expected<chain_head, store_error> head() override { return unused(); }
  std::expected<std::optional<stored_revision>, store_error> find_revision(std::string_view,
                                                                           const revision_key&) override {
    return unused();
  }
  std::expected<std::vector<stored_revision>, store_error> list_revisions(std::string_view, std::uint64_t,
                                                                          std::size_t) override {
    return unused();
  }
  std::expected<chain_report, store_error> verify(const verify_request&, const verify_callback&) override {
    return unused();
  }
  void close() override {}

private:
  static std::unexpected<store_error> unused() {
    return std::unexpected{store_error{store_error_kind::closed, "the double only commits"}};
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_{false};
  std::size_t permits_{0};
  std::size_t begun_{0};
  script script_;
  std::vector<std::size_t> group_sizes_;
  std::vector<audit_entry> log_;
};

/// Outcomes by submission, in the order in which they came.
class answers {
public:
  commit_callback expect(int who) {
    return [this, who](const commit_outcome& o) {
      const std::scoped_lock lock{mutex_};
      came_.emplace_back(who, o);
      changed_.notify_all();
    };
  }

  void await(std::size_t count) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return came_.size() >= count; });
  }

  std::vector<int> order() const {
    const std::scoped_lock lock{mutex_};
    std::vector<int> out;
    for (const auto& [who, outcome] : came_) out.push_back(who);
    return out;
  }

  /// @returns sequence numbers, or minus the error kind.
  std::vector<long> results() const {
    const std::scoped_lock lock{mutex_};
    std::vector<long> out;
    for (const auto& [who, o] : came_) out.push_back(o ? static_cast<long>(*o) : -static_cast<long>(o.error().kind));
    return out;
  }

  commit_outcome of(std::size_t index) const {
    const std::scoped_lock lock{mutex_};
    return came_.at(index).second;
  }

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<int, commit_outcome>> came_;
};

} // namespace homeostat
