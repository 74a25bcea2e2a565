#pragma once

#include "runtime/store/store.hpp"

#include <memory>

/// The hash chain of the audit log, independent of the database that holds it.
///
/// Format 1. All integers are little endian; text and payload carry their length in front, so that no two different
/// records share one encoding. A change of this layout is a new format number, never an edit of this one.
///
///     record   hash = SHA-256( "hsrecord" ‖ u32 1 ‖ previous_hash[32] ‖ u64 sequence ‖ i64 time (µs since 1970, UTC)
///                              ‖ u32 length ‖ loop ‖ u32 length ‖ kind ‖ u64 generation ‖ u32 length ‖ payload )
///     genesis  hash = SHA-256( "hsgenesi" ‖ u32 1 ‖ 32 zero bytes ‖ store_id[16] ‖ i64 creation time (µs) )
///
/// The genesis stands in the place of record 0: its previous hash is zero, and it is the previous hash of record 1.
/// Because store_id is random, two stores never share a chain, and an anchor noted from one does not fit the other.
///
/// What the chain proves: any change, gap, insertion or reordering between two points whose hashes are known. The head
/// kept beside the records makes a cut-off tail visible. Whoever can rewrite the whole file, head included, can compute
/// a new consistent chain; only an anchor kept elsewhere shows that.
namespace homeostat {

inline constexpr std::uint32_t chain_format = 1;

using chain_store_id = std::array<std::byte, 16>;

/// The fields of one record, by reference.
struct record_fields {
  std::uint64_t sequence{0};
  instant time;
  std::string_view loop;
  std::string_view kind;
  std::uint64_t generation{0};
  std::string_view payload;
};

/// Computes chain hashes. Holds its SHA-256 context for reuse: one hasher per thread.
class chain_hasher {
public:
  /// @throws std::runtime_error when the crypto library has no SHA-256 (a broken installation).
  chain_hasher();
  ~chain_hasher();
  chain_hasher(chain_hasher&&) noexcept;
  chain_hasher& operator=(chain_hasher&&) noexcept;

  /// @throws std::runtime_error when the crypto library fails, which leaves nothing sensible to return.
  [[nodiscard]] chain_hash record(const chain_hash& previous, const record_fields& fields);
  [[nodiscard]] chain_hash genesis(const chain_store_id& store_id, instant created);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// @returns 16 bytes from the system's generator. @throws std::runtime_error when it has none.
[[nodiscard]] chain_store_id draw_store_id();

/// Findings of a check, at most `limit` of them, lowest sequences first; the rest is counted.
class finding_list {
public:
  explicit finding_list(std::size_t limit) : limit_{limit} {}
  void add(chain_finding finding);
  void merge(finding_list&& other);
  /// @returns the findings ordered by sequence; the list is empty afterwards, its total stays.
  [[nodiscard]] std::vector<chain_finding> take();
  [[nodiscard]] std::uint64_t total() const { return total_; }

private:
  std::size_t limit_;
  std::uint64_t total_{0};
  std::vector<chain_finding> heap_; // the highest sequence on top, so that it gives way first
};

/// Checks consecutive records of one stretch of the chain. Stretches are independent of each other, because each record
/// carries the previous hash: that is what lets several threads check one log.
class chain_checker {
public:
  /// @param sequence  of the last record before the stretch; 0 at the start of the chain.
  /// @param hash      what that record carries, or the genesis hash; nothing if unreadable: then the first link is not
  ///                  judged.
  chain_checker(std::uint64_t sequence, const std::optional<chain_hash>& hash, finding_list& findings)
      : sequence_{sequence}, hash_{hash}, findings_{findings} {}

  /// Checks one record against its own hash and against the one before. @param fields  with a sequence above the last.
  void check(chain_hasher& hasher, const record_fields& fields, const chain_hash& previous, const chain_hash& hash);

  /// Notes a record whose fields cannot be read: what follows is judged by the hash it carries, if it carries one.
  void malformed(std::uint64_t sequence, std::string expected, std::string found,
                 const std::optional<chain_hash>& hash);

private:
  void check_gap(std::uint64_t sequence);

  std::uint64_t sequence_;
  std::optional<chain_hash> hash_;
  finding_list& findings_;
};

} // namespace homeostat
