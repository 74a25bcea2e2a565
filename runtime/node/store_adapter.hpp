#pragma once

#include "actors/ports.hpp"
#include "runtime/node/port_worker.hpp"
#include "runtime/store/group_committer.hpp"
#include "runtime/store/store.hpp"

#include <memory>

namespace homeostat {

/// The actors' store port over a store: writes share syncs through the group committer, reads have a thread of their
/// own.
class store_adapter final : public store_port {
public:
  explicit store_adapter(std::shared_ptr<store> target);
  ~store_adapter() override;

  bool submit(audit_batch batch, std::function<void(audit_answer)> done) override;
  bool save(std::string key, std::string value, std::function<void(audit_answer)> done) override;
  void load(std::string key, std::function<void(loaded)> done) override;

  /// Writes what is pending, for at most `deadline`. Later submissions are refused.
  void stop(std::chrono::milliseconds deadline);
  [[nodiscard]] group_stats stats() const { return committer_.stats(); }
  [[nodiscard]] store& target() { return *store_; }

private:
  std::shared_ptr<store> store_;
  group_committer committer_;
  port_worker reader_;
};

} // namespace homeostat
