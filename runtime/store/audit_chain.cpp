#include "runtime/store/audit_chain.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace homeostat {
namespace {

struct free_evp {
  void operator()(EVP_MD* p) const { EVP_MD_free(p); }
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
};

/// Lays out in a buffer what the header documents.
class encoder {
public:
  /// @param size  exactly what will be put in.
  encoder(std::vector<unsigned char>& buffer, std::size_t size) {
    buffer.resize(size);
    at_ = buffer.data();
  }

  template <class unsigned_integer> void number(unsigned_integer value) {
    for (std::size_t i = 0; i < sizeof value; ++i) *at_++ = static_cast<unsigned char>(value >> (8 * i));
  }

  void time(instant t) { number(static_cast<std::uint64_t>(t.time_since_epoch().count())); }

  void text(std::string_view s) {
    number(static_cast<std::uint32_t>(s.size()));
    bytes(s.data(), s.size());
  }

  void bytes(const void* data, std::size_t size) {
    if (size > 0) std::memcpy(at_, data, size);
    at_ += size;
  }

private:
  unsigned char* at_;
};

constexpr std::string_view record_tag = "hsrecord";
constexpr std::string_view genesis_tag = "hsgenesi";

std::size_t record_size(const record_fields& f) {
  return record_tag.size() + sizeof chain_format + sizeof(chain_hash) + 3 * sizeof(std::uint64_t) +
         3 * sizeof(std::uint32_t) + f.loop.size() + f.kind.size() + f.payload.size();
}

constexpr std::size_t genesis_size =
    genesis_tag.size() + sizeof chain_format + sizeof(chain_hash) + sizeof(chain_store_id) + sizeof(std::uint64_t);

bool by_sequence(const chain_finding& a, const chain_finding& b) {
  return a.sequence != b.sequence ? a.sequence < b.sequence : a.fault < b.fault;
}

} // namespace

struct chain_hasher::impl {
  std::unique_ptr<EVP_MD, free_evp> algorithm;
  std::unique_ptr<EVP_MD_CTX, free_evp> context;
  std::vector<unsigned char> buffer;

  chain_hash digest() {
    chain_hash out;
    unsigned size = 0;
    // One update over one buffer: the calls, not the compression function, are what costs at this size.
    if (EVP_DigestInit_ex2(context.get(), algorithm.get(), nullptr) != 1 ||
        EVP_DigestUpdate(context.get(), buffer.data(), buffer.size()) != 1 ||
        EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size) != 1 ||
        size != out.size())
      throw std::runtime_error{"SHA-256 failed in the crypto library"};
    return out;
  }
};

chain_hasher::chain_hasher() : impl_{std::make_unique<impl>()} {
  // Fetched once: an implicit fetch at every digest would cost more than the digest.
  impl_->algorithm.reset(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  impl_->context.reset(EVP_MD_CTX_new());
  if (!impl_->algorithm || !impl_->context) throw std::runtime_error{"the crypto library offers no SHA-256"};
}

chain_hasher::~chain_hasher() = default;
chain_hasher::chain_hasher(chain_hasher&&) noexcept = default;
chain_hasher& chain_hasher::operator=(chain_hasher&&) noexcept = default;

chain_hash chain_hasher::record(const chain_hash& previous, const record_fields& fields) {
  encoder out{impl_->buffer, record_size(fields)};
  out.bytes(record_tag.data(), record_tag.size());
  out.number(chain_format);
  out.bytes(previous.data(), previous.size());
  out.number(fields.sequence);
  out.time(fields.time);
  out.text(fields.loop);
  out.text(fields.kind);
  out.number(fields.generation);
  out.text(fields.payload);
  return impl_->digest();
}

chain_hash chain_hasher::genesis(const chain_store_id& store_id, instant created) {
  constexpr chain_hash zero{};
  encoder out{impl_->buffer, genesis_size};
  out.bytes(genesis_tag.data(), genesis_tag.size());
  out.number(chain_format);
  out.bytes(zero.data(), zero.size());
  out.bytes(store_id.data(), store_id.size());
  out.time(created);
  return impl_->digest();
}

chain_store_id draw_store_id() {
  chain_store_id id;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(id.data()), static_cast<int>(id.size())) != 1)
    throw std::runtime_error{"the system's random generator failed"};
  return id;
}

void finding_list::add(chain_finding finding) {
  ++total_;
  heap_.push_back(std::move(finding));
  std::ranges::push_heap(heap_, by_sequence);
  if (heap_.size() > limit_) {
    std::ranges::pop_heap(heap_, by_sequence);
    heap_.pop_back();
  }
}

void finding_list::merge(finding_list&& other) {
  const std::uint64_t total = total_ + other.total_;
  for (chain_finding& f : other.heap_) add(std::move(f));
  other.heap_.clear();
  total_ = total;
}

std::vector<chain_finding> finding_list::take() {
  std::ranges::sort(heap_, by_sequence);
  return std::exchange(heap_, {});
}

void chain_checker::check_gap(std::uint64_t sequence) {
  if (sequence == sequence_ + 1) return;
  if (sequence <= sequence_) {
    findings_.add({chain_fault::unexpected, sequence, "a record after " + std::to_string(sequence_),
                   "record " + std::to_string(sequence) + " in its place"});
    return;
  }
  const std::uint64_t last = sequence - 1;
  findings_.add({chain_fault::missing, sequence_ + 1,
                 "records " + std::to_string(sequence_ + 1) + " to " + std::to_string(last),
                 "none between " + std::to_string(sequence_) + " and " + std::to_string(sequence)});
}

void chain_checker::check(chain_hasher& hasher, const record_fields& fields, const chain_hash& previous,
                          const chain_hash& hash) {
  check_gap(fields.sequence);
  if (hash_ && previous != *hash_)
    findings_.add({chain_fault::unlinked, fields.sequence,
                   "previous hash " + to_hex(*hash_) + ", which record " + std::to_string(sequence_) + " carries",
                   "previous hash " + to_hex(previous)});
  const chain_hash computed = hasher.record(previous, fields);
  if (computed != hash)
    findings_.add({chain_fault::altered, fields.sequence, "hash " + to_hex(computed) + ", computed from its fields",
                   "hash " + to_hex(hash)});
  sequence_ = fields.sequence;
  hash_ = hash;
}

void chain_checker::malformed(std::uint64_t sequence, std::string expected, std::string found,
                              const std::optional<chain_hash>& hash) {
  check_gap(sequence);
  findings_.add({chain_fault::malformed, sequence, std::move(expected), std::move(found)});
  sequence_ = sequence;
  hash_ = hash;
}

} // namespace homeostat
