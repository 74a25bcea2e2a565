#pragma once

#include "policies/time.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace homeostat {

/// What is remembered of an answered request.
struct kept_answer {
  unsigned status{0};
  std::string body;
  std::string content_type{};
  std::vector<std::pair<std::string, std::string>> headers{};
  friend bool operator==(const kept_answer&, const kept_answer&) = default;
};

/// Which requests have been answered before, by the key that their sender chose. A client that got no answer sends the
/// same request with the same key again, and a rollback or a proposal happens once.
///
/// In memory: after a restart of the node a repeated request is carried out again. What repeats must survive that by
/// itself (a proposal by its base revision, a command by being the same state again).
/// Source: draft-ietf-httpapi-idempotency-key-header, sections 2.6 and 2.7.
class idempotency_memory {
public:
  struct limits {
    duration keep{24h};
    std::size_t entries{10'000};
    std::size_t bytes{std::size_t{16} << 20}; ///< of answers kept; a larger answer alone is not kept
  };
  enum class verdict : std::uint8_t {
    fresh,     ///< carry it out, then call finish or forget
    replay,    ///< answer with what is kept
    other,     ///< the key belongs to another request: refuse
    in_flight, ///< the same request is being carried out: the sender comes again later
  };
  struct decision {
    verdict what{verdict::fresh};
    kept_answer answer{}; ///< with replay
  };

  idempotency_memory();
  explicit idempotency_memory(limits bounds) : limits_(bounds) {}

  /// @param key          as sent, together with whoever sent it: two callers never share a key.
  /// @param fingerprint  of method, path and body: a collision-free digest.
  [[nodiscard]] decision begin(const std::string& caller, const std::string& key, const std::string& fingerprint,
                               instant now);
  /// The request that was fresh has been answered.
  void finish(const std::string& caller, const std::string& key, kept_answer answer, instant now);
  /// The request that was fresh came to nothing that must not happen twice (no answer, too busy): the key is free.
  void forget(const std::string& caller, const std::string& key);

  [[nodiscard]] std::size_t entries() const { return entries_.size(); }

private:
  using id = std::pair<std::string, std::string>; // caller, key
  struct entry {
    std::string fingerprint;
    bool answered{false};
    kept_answer answer;
    instant at;
    std::list<id>::iterator place; ///< in answered_, once it is answered
  };
  void drop(std::map<id, entry>::iterator at);

  limits limits_;
  std::map<id, entry> entries_;
  std::list<id> answered_; ///< oldest first; requests in flight are never dropped, the server bounds their number
  std::size_t bytes_{0};
};

} // namespace homeostat
