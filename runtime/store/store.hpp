#pragma once

#include "policies/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// What a node must not lose: the audit chain, the state actors restart from, and the revisions of every loop.
///
/// Contents are opaque here. A payload, a state blob and the values of a revision are bytes whose meaning belongs to
/// the layer above, so that the store never needs to know a policy type and never needs a migration because one
/// changed. Audit records are only ever appended: nothing in this interface deletes or changes one.
namespace homeostat {

/// What the caller does next: busy and full: later again, apply nothing meanwhile. io: fail closed, alert. corrupt and
/// schema: stop and call an operator. locked: another process owns the store. closed: the store was shut.
/// invalid: this very input will never be accepted.
enum class store_error_kind : std::uint8_t { busy, full, io, corrupt, schema, locked, closed, invalid };

/// @returns the name of a kind, for messages and metrics labels.
[[nodiscard]] std::string_view to_string(store_error_kind kind);

/// A failed store operation. `what` names the store's path, the operation, and the cause.
struct store_error {
  store_error_kind kind{store_error_kind::io};
  std::string what;
};

/// SHA-256 over one audit record; see audit_chain.hpp for the bytes it covers.
using chain_hash = std::array<std::byte, 32>;

/// @returns 64 lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);

/// @returns the hash that 64 hexadecimal digits (either case) spell; nothing for any other text.
[[nodiscard]] std::optional<chain_hash> parse_chain_hash(std::string_view hex);

/// One audit record as it was stored. Sequences start at 1 and have no gaps.
struct stored_record {
  std::uint64_t sequence{0};
  instant time;
  std::string loop;
  std::string kind;
  std::uint64_t generation{0};
  std::string payload;
  chain_hash previous_hash{};
  chain_hash hash{};
  friend bool operator==(const stored_record&, const stored_record&) = default;
};

/// One audit record to append.
struct audit_entry {
  instant time;
  std::string loop; ///< plain text, at most max_loop_bytes; empty for a record about the node itself
  std::string kind; ///< plain text, 1..max_kind_bytes
  std::uint64_t generation{0};
  std::string payload; ///< opaque, at most max_payload_bytes
};

/// One state blob to write; the last write of a key wins.
struct state_entry {
  std::string key;                  ///< plain text, 1..max_key_bytes, by convention area/name as in governor/checkout
  std::optional<std::string> value; ///< opaque, at most max_value_bytes; nothing deletes the key
};

/// One revision of a loop's configuration.
struct stored_revision {
  std::string loop;          ///< plain text, 1..max_loop_bytes
  std::uint64_t revision{0}; ///< 1..2^63-1; inserting a number that the loop already has is refused
  std::uint64_t generation{0};
  std::string values;              ///< opaque, at most max_value_bytes
  std::optional<std::string> name; ///< plain text, 1..max_key_bytes; within a loop a name belongs to one revision only
  bool tested{false};              ///< validated as a combination
  instant time;
  friend bool operator==(const stored_revision&, const stored_revision&) = default;
};

/// Changes the label of a revision that exists; what it holds never changes.
struct revision_mark {
  std::string loop;
  std::uint64_t revision{0};
  std::optional<std::string> name; ///< takes the name over from whichever revision bears it; nothing leaves it alone
  std::optional<bool> tested;      ///< nothing leaves it alone
};

/// What becomes durable together or not at all. Applied in the order of the members.
struct store_batch {
  std::vector<audit_entry> records;
  std::vector<state_entry> state;
  std::vector<stored_revision> revisions;
  std::vector<revision_mark> marks;
};

// Limits: each bounds what one caller can make everybody else wait for, in a queue or inside a commit.
inline constexpr std::size_t max_loop_bytes = 256;
inline constexpr std::size_t max_kind_bytes = 64;
inline constexpr std::size_t max_key_bytes = 512;
inline constexpr std::size_t max_payload_bytes = std::size_t{1} << 20;
inline constexpr std::size_t max_value_bytes = std::size_t{16} << 20;
inline constexpr std::size_t max_read_count = 10'000;                ///< records, revisions or keys per read
inline constexpr std::size_t max_read_bytes = std::size_t{64} << 20; ///< payload and values per read

/// Checks a batch against the limits above. Plain text means well-formed UTF-8 without control characters.
/// @errors invalid, naming the field, its value or size, and the limit.
[[nodiscard]] std::expected<void, store_error> check_batch(const store_batch& batch);

/// The end of the chain. An operator who notes sequence and hash elsewhere can later prove that nothing before it
/// changed.
struct chain_head {
  std::uint64_t sequence{0}; ///< 0 while the chain is empty
  chain_hash hash{};         ///< of that record, or the genesis hash while the chain is empty
  std::string store_id;      ///< 32 hexadecimal digits drawn when the store was created; part of the genesis hash
};

/// A point of the chain that somebody wrote down outside the store.
struct chain_anchor {
  std::uint64_t sequence{0}; ///< 0 means the genesis
  chain_hash hash{};
};

enum class chain_fault : std::uint8_t {
  altered,    ///< the record does not hash to what it carries: some field changed
  unlinked,   ///< its previous hash is not the hash of the record before it
  missing,    ///< records are gone; sequence is the first of them
  unexpected, ///< a record with a sequence below 1 or beyond the head
  malformed,  ///< a field has the wrong type or size
  unlisted,   ///< the lookup by loop would not find the record
  wrong_head, ///< the head disagrees with the last record, or is gone
  not_anchor, ///< an anchor given by the caller is not in the chain
};

/// @returns the name of a fault, for messages.
[[nodiscard]] std::string_view to_string(chain_fault fault);

/// One thing wrong with the chain.
struct chain_finding {
  chain_fault fault{chain_fault::altered};
  std::uint64_t sequence{0};
  std::string expected;
  std::string found;
};

struct verify_progress {
  std::uint64_t checked{0}; ///< records so far
  std::uint64_t total{0};   ///< records in the chain when the check began
};

/// Called now and then, on the caller's thread; it may use the store, but not close it. @returns false to stop early.
using verify_callback = std::function<bool(const verify_progress&)>;

struct verify_request {
  std::optional<chain_hash> expected_head{}; ///< the head must have this hash
  std::vector<chain_anchor> anchors{};       ///< each must be in the chain
  unsigned threads{2};                       ///< 1..64
  std::size_t max_findings{1000};            ///< findings kept, lowest sequences first; the rest is only counted
};

struct chain_report {
  chain_head head;
  std::uint64_t checked{0};
  bool complete{false}; ///< false when the callback stopped it
  std::vector<chain_finding> findings;
  std::uint64_t findings_total{0};
  [[nodiscard]] bool intact() const { return complete && findings_total == 0; }
};

/// Which revision of a loop is wanted.
struct latest_revision {};
struct latest_tested_revision {};
using revision_key = std::variant<latest_revision, latest_tested_revision, std::uint64_t, std::string>;

/// Hands out batches to be committed together, until it answers with an empty span. What it handed out stays where it
/// is until the commit returns. It may block for as long as its owner wants to wait for more.
using batch_source = std::function<std::span<const store_batch>()>;

/// @returns a source of batches that are all there.
[[nodiscard]] inline batch_source source_of(std::span<const store_batch> batches) {
  return [batches]() mutable { return std::exchange(batches, {}); };
}

/// A durable store. Every member may be called from any thread; calls may block on the disk, so no actor makes them
/// itself. A read sees every commit that was acknowledged before it began.
class store {
public:
  virtual ~store() = default;

  /// Makes every batch durable in one transaction, in order: all of them or none. Work on the first batches goes on
  /// while the later ones are still being made.
  /// @param next  batches, each within the limits of check_batch; none at all does nothing. Not asked again once it has
  ///              answered with nothing, or after an error.
  /// @returns the sequence of the last audit record in the store.
  /// @errors  busy, full, io, corrupt, schema, closed: nothing is visible, and the caller may try again. After io the
  ///          batches may still turn up when the machine loses power before the next successful commit.
  ///          invalid: one batch breaks a limit, repeats a revision, or marks one that does not exist.
  virtual std::expected<std::uint64_t, store_error> commit(const batch_source& next) = 0;

  /// The same of batches that are all there.
  std::expected<std::uint64_t, store_error> commit(std::span<const store_batch> batches) {
    return commit(source_of(batches));
  }

  /// @returns the blob last written under key; nothing when there is none.
  virtual std::expected<std::optional<std::string>, store_error> load_state(std::string_view key) = 0;

  /// @param after  only keys behind this one, in byte order; empty to begin.  @param limit  1..max_read_count.
  /// @returns the keys that start with prefix, in byte order. Fewer than limit means that there are no more.
  virtual std::expected<std::vector<std::string>, store_error>
  list_state(std::string_view prefix, std::string_view after, std::size_t limit) = 0;

  /// @param count  1..max_read_count.  @param loop  only records of this loop; nothing for all.
  /// @param before  only records with a lower sequence; nothing for all.
  /// @returns the newest records, oldest first; fewer than count when there are no more or max_read_bytes is reached.
  virtual std::expected<std::vector<stored_record>, store_error>
  tail(std::size_t count, std::optional<std::string_view> loop, std::optional<std::uint64_t> before = {}) = 0;

  /// @param from  first sequence wanted.  @param limit  1..max_read_count.  @param loop  as for tail.
  /// @returns records in order; possibly fewer than limit (max_read_bytes). Empty means that there are no more: to read
  ///          on, ask again from one behind the last.
  virtual std::expected<std::vector<stored_record>, store_error> range(std::uint64_t from, std::size_t limit,
                                                                       std::optional<std::string_view> loop) = 0;

  /// @returns the end of the chain.
  virtual std::expected<chain_head, store_error> head() = 0;

  /// @returns the revision; nothing when the loop has no such one.
  virtual std::expected<std::optional<stored_revision>, store_error> find_revision(std::string_view loop,
                                                                                   const revision_key& key) = 0;

  /// @param from  first number wanted.  @param limit  1..max_read_count.
  /// @returns revisions of the loop by ascending number, with the reading rule of range.
  virtual std::expected<std::vector<stored_revision>, store_error>
  list_revisions(std::string_view loop, std::uint64_t from, std::size_t limit) = 0;

  /// Checks the whole chain as it was when the call began, while commits go on.
  /// @param progress  may be empty.
  /// @returns what was found; a broken chain is a result, not an error.
  /// @errors  io, busy, schema, closed, invalid; corrupt when the storage below cannot be read far enough to tell.
  virtual std::expected<chain_report, store_error> verify(const verify_request& request,
                                                          const verify_callback& progress) = 0;

  /// Ends every use: what runs is finished, later calls answer closed. Idempotent.
  virtual void close() = 0;
};

} // namespace homeostat
