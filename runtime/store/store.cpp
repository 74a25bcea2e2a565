#include "runtime/store/store.hpp"

namespace homeostat {
namespace {

std::unexpected<store_error> refuse(std::string what) {
  return std::unexpected{store_error{store_error_kind::invalid, std::move(what)}};
}

bool is_continuation(unsigned char c) { return (c & 0xC0U) == 0x80U; }

/// @returns the bytes of the UTF-8 sequence at the start of s; 0 when it is malformed or a control character.
std::size_t plain_character(std::string_view s) {
  const auto at = [s](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
  const unsigned lead = at(0), second = at(1);
  if (lead < 0x80U) return lead < 0x20U || lead == 0x7FU ? 0 : 1;
  std::size_t size = 0;
  if (lead >= 0xC2U && lead <= 0xDFU)
    size = 2;
  else if (lead >= 0xE0U && lead <= 0xEFU)
    size = 3;
  else if (lead >= 0xF0U && lead <= 0xF4U)
    size = 4;
  else
    return 0;
  // Overlong forms, surrogates, and what lies beyond the last code point.
  if ((lead == 0xE0U && second < 0xA0U) || (lead == 0xEDU && second > 0x9FU) || (lead == 0xF0U && second < 0x90U) ||
      (lead == 0xF4U && second > 0x8FU))
    return 0;
  for (std::size_t i = 1; i < size; ++i)
    if (!is_continuation(static_cast<unsigned char>(at(i)))) return 0;
  return size;
}

bool is_plain_text(std::string_view s) {
  while (!s.empty()) {
    const std::size_t n = plain_character(s);
    if (n == 0) return false;
    s.remove_prefix(n);
  }
  return true;
}

std::expected<void, store_error> check_text(std::string_view field, std::string_view text, std::size_t least,
                                            std::size_t most) {
  if (text.size() < least || text.size() > most)
    return refuse(std::string{field} + " has " + std::to_string(text.size()) + " bytes, expected " +
                  std::to_string(least) + " to " + std::to_string(most));
  if (!is_plain_text(text))
    return refuse(std::string{field} + " (hex " + to_hex(std::as_bytes(std::span{text})) +
                  ") is not well-formed UTF-8 without control characters");
  return {};
}

std::expected<void, store_error> check_size(std::string_view field, std::size_t size, std::size_t most) {
  if (size <= most) return {};
  return refuse(std::string{field} + " has " + std::to_string(size) + " bytes, at most " + std::to_string(most) +
                " are accepted");
}

std::expected<void, store_error> check_number(std::uint64_t revision) {
  if (revision >= 1 && revision <= static_cast<std::uint64_t>(INT64_MAX)) return {};
  return refuse("revision " + std::to_string(revision) + " is not in 1..2^63-1");
}

std::expected<void, store_error> check_entry(const audit_entry& e) {
  if (auto ok = check_text("audit loop", e.loop, 0, max_loop_bytes); !ok) return ok;
  if (auto ok = check_text("audit kind", e.kind, 1, max_kind_bytes); !ok) return ok;
  return check_size("audit payload", e.payload.size(), max_payload_bytes);
}

std::expected<void, store_error> check_revision(const stored_revision& r) {
  if (auto ok = check_text("revision loop", r.loop, 1, max_loop_bytes); !ok) return ok;
  if (auto ok = check_number(r.revision); !ok) return ok;
  if (auto ok = check_text("revision name", r.name ? std::string_view{*r.name} : "-", 1, max_key_bytes); !ok) return ok;
  return check_size("revision values", r.values.size(), max_value_bytes);
}

} // namespace

std::string_view to_string(store_error_kind kind) {
  switch (kind) {
  case store_error_kind::busy: return "busy";
  case store_error_kind::full: return "full";
  case store_error_kind::io: return "io";
  case store_error_kind::corrupt: return "corrupt";
  case store_error_kind::schema: return "schema";
  case store_error_kind::locked: return "locked";
  case store_error_kind::closed: return "closed";
  case store_error_kind::invalid: return "invalid";
  }
  return "unknown";
}

std::string_view to_string(chain_fault fault) {
  switch (fault) {
  case chain_fault::altered: return "altered";
  case chain_fault::unlinked: return "unlinked";
  case chain_fault::missing: return "missing";
  case chain_fault::unexpected: return "unexpected";
  case chain_fault::malformed: return "malformed";
  case chain_fault::unlisted: return "unlisted";
  case chain_fault::wrong_head: return "wrong_head";
  case chain_fault::not_anchor: return "not_anchor";
  }
  return "unknown";
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const std::byte b : bytes) {
    out += digits[std::to_integer<std::size_t>(b >> 4)];
    out += digits[std::to_integer<std::size_t>(b & std::byte{15})];
  }
  return out;
}

std::optional<chain_hash> parse_chain_hash(std::string_view hex) {
  chain_hash out;
  if (hex.size() != 2 * out.size()) return std::nullopt;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const char c = hex[i];
    unsigned digit = 0;
    if (c >= '0' && c <= '9')
      digit = static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<unsigned>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      digit = static_cast<unsigned>(c - 'A' + 10);
    else
      return std::nullopt;
    std::byte& b = out[i / 2];
    b = (i % 2 == 0) ? static_cast<std::byte>(digit << 4U) : b | static_cast<std::byte>(digit);
  }
  return out;
}

std::expected<void, store_error> check_batch(const store_batch& batch) {
  for (const audit_entry& e : batch.records)
    if (auto ok = check_entry(e); !ok) return ok;
  for (const state_entry& s : batch.state) {
    if (auto ok = check_text("state key", s.key, 1, max_key_bytes); !ok) return ok;
    if (auto ok = check_size("state value", s.value ? s.value->size() : 0, max_value_bytes); !ok) return ok;
  }
  for (const stored_revision& r : batch.revisions)
    if (auto ok = check_revision(r); !ok) return ok;
  for (const revision_mark& m : batch.marks) {
    if (auto ok = check_text("mark loop", m.loop, 1, max_loop_bytes); !ok) return ok;
    if (auto ok = check_number(m.revision); !ok) return ok;
    if (auto ok = check_text("mark name", m.name ? std::string_view{*m.name} : "-", 1, max_key_bytes); !ok) return ok;
  }
  return {};
}

} // namespace homeostat
