#pragma once

#include "sim/invariants.hpp"
#include "sim/kernel.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>

namespace homeostat::sim {

/// The audit sink and the state beside it: batches become durable in order, one flush for all that wait, each batch
/// whole or not at all. It may be slow, full, or failing; a crash loses what no flush has reached.
class audit_store {
public:
  audit_store(kernel& k, const scenario& s, invariants& check);

  void on(batch_mail batch);
  void on(const load_request& request);
  void on(const alarm_mail& a);

  /// The process ends: each waiting batch, in order, may or may not have reached the disk.
  void on_process_end();

  [[nodiscard]] std::size_t backlog() const { return queue_.size(); }
  [[nodiscard]] std::uint64_t records() const { return records_; }
  /// @returns the last durable state; null before the first.
  [[nodiscard]] const governor_state* state() const { return state_.get(); }

private:
  void begin_flush();
  void write(batch_mail& batch);
  void keep(const authority_batch& batch);
  [[nodiscard]] std::unique_ptr<authority_memory> memory() const;
  [[nodiscard]] static batch_mail without_intent(batch_mail batch);
  void answer_loads();

  kernel& kernel_;
  const scenario& scenario_;
  invariants& check_;
  std::deque<batch_mail> queue_;
  std::size_t in_flush_{0}; ///< batches at the front that the present flush carries
  bool flushing_{false};
  std::optional<std::uint64_t> load_token_;
  std::optional<std::uint64_t> authority_load_token_;
  std::optional<authority_index> index_; ///< of what the authority has kept
  std::map<std::uint64_t, config_proposal> proposals_;
  std::map<std::string, config_recommendation> advice_;
  std::unique_ptr<const governor_state> state_;
  std::uint64_t records_{0};
};

} // namespace homeostat::sim
