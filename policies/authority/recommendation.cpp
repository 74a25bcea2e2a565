#include "policies/authority/recommendation.hpp"

#include "policies/fnv1a.hpp"

#include <bit>
#include <cstdio>

namespace homeostat {

std::string id_of(const config_recommendation& r) {
  std::uint64_t hash = fnv1a("");
  const auto byte = [&](std::uint8_t b) {
    const char c = static_cast<char>(b);
    hash = fnv1a({&c, 1}, hash);
  };
  const auto text = [&](std::string_view t) {
    hash = fnv1a(t, hash);
    byte(0);
  };
  text(r.loop);
  text(r.source);
  for (std::size_t i = 0; i < r.values.size(); ++i) {
    if (i < r.before.size() && r.before[i] == r.values[i]) continue;
    byte(static_cast<std::uint8_t>(i));
    const auto bits = std::bit_cast<std::uint64_t>(r.values[i] + 0.0); // -0 is 0
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<std::uint8_t>(bits >> shift));
  }
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

void see_again(config_recommendation& known, const config_recommendation& seen, instant now) {
  ++known.seen;
  known.last_seen = now;
  known.evidence = seen.evidence;
  known.confidence = seen.confidence;
  known.expected_gain = seen.expected_gain;
  if (known.state == advice_state::accepted || known.state == advice_state::dismissed) return;
  known.base_revision = seen.base_revision;
  known.before = seen.before;
  if (known.state == advice_state::expired) known.state = advice_state::open;
}

std::optional<instant> next_advice(const config_recommendation& r, duration expire_after) {
  if (r.state == advice_state::snoozed) return r.snoozed_until;
  if (r.state == advice_state::open) return r.last_seen + expire_after;
  return std::nullopt;
}

bool expire_advice(config_recommendation& r, duration expire_after, instant now) {
  const auto next = next_advice(r, expire_after);
  if (!next || now < *next) return false;
  // Advice that nobody saw again while it slept has gone stale.
  r.state =
      r.state == advice_state::snoozed && now < r.last_seen + expire_after ? advice_state::open : advice_state::expired;
  r.snoozed_until.reset();
  return true;
}

} // namespace homeostat
