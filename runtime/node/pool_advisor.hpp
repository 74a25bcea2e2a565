#pragma once

#include "actors/ports.hpp"
#include "policies/transfer/advice_life.hpp"
#include "runtime/node/transfer_pools.hpp"

#include <condition_variable>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace homeostat {

/// Looks after the advice on every pool, on a thread of its own: once a minute what the records recommend, every two
/// seconds how the proposals fare that accepted advice became, and what it brought once it is in force. What was
/// decided is kept in the store, so that dismissed advice stays dismissed and measuring goes on after a restart.
class pool_advisor {
public:
  struct ports {
    /// Asks the authority for a proposal; may take seconds. Nothing: it does not answer.
    std::function<std::optional<proposal_fate>(const std::string& proposal)> fate;
    store_port* store{nullptr}; ///< outlives this object
    std::function<std::expected<std::optional<std::string>, std::string>(const std::string& key)> load;
    std::function<instant()> now;
    std::function<void(const std::string&, const std::string&)> note; ///< for the log: pool, what happened
  };
  /// @param pools  outlive this object.
  pool_advisor(const transfer_pools& pools, ports outside);
  ~pool_advisor();
  pool_advisor(const pool_advisor&) = delete;
  pool_advisor& operator=(const pool_advisor&) = delete;
  /// Ends the thread; what the authority is being asked is waited for. Idempotent.
  void stop();

  /// @returns advice on a pool, the best first; looks at the records again where the last look is long ago.
  [[nodiscard]] std::vector<transfer_recommendation> advice(const std::string& pool);
  /// A person's decision, with the record of it; what is answered is on record.
  /// @errors with the status of HTTP: 404 no such advice, 409 not open, 422 no such snooze, 503 not on record, and so
  /// not decided.
  struct refusal {
    unsigned status{0};
    std::string text;
  };
  [[nodiscard]] std::expected<transfer_recommendation, refusal> decide(const std::string& pool, const std::string& id,
                                                                       advice_verb verb, audit_record record,
                                                                       const std::string& text,
                                                                       std::optional<instant> until);
  /// Accepted advice became this proposal. @returns the advice as it is now.
  transfer_recommendation proposed(const std::string& pool, const std::string& id, const std::string& proposal);
  /// Accepted advice became no proposal: it is open again. @param why  in words.
  void not_proposed(const std::string& pool, const std::string& id, const std::string& why);

  struct overview {
    std::size_t open_advice{0};
    std::size_t regressions{0}; ///< as of the last look
  };
  [[nodiscard]] overview seen(const std::string& pool) const;

private:
  struct one {
    std::vector<transfer_recommendation> advice;
    std::vector<transfer_recommendation> kept; ///< as last handed to the store
    std::size_t regressions{0};
    std::optional<instant> looked;
  };
  void work(const std::stop_token& stop);
  void load(const std::string& pool, one& into) const;
  void look(const std::string& pool);
  void measure(const std::string& pool, instant now);
  void follow(const std::string& pool);
  transfer_recommendation* find(const std::string& pool, const std::string& id);
  /// Hands the pool's advice to the store, in the order of the calls. @param done  when it is durable, or not.
  bool keep(const std::string& pool, std::vector<audit_record> records, std::function<void(audit_answer)> done);

  const transfer_pools& pools_;
  ports outside_;
  mutable std::mutex mutex_; ///< guards the book
  std::map<std::string, one> book_;
  std::mutex looking_; ///< one look at a time
  std::condition_variable_any over_;
  std::mutex waiting_;
  std::jthread thread_; // last: it uses the others
};

} // namespace homeostat
