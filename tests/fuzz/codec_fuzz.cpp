// Any bytes as a stored message: an error or a value that survives the way back, never a crash.
#include "messages/codec.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

template <class T> void check(std::string_view bytes) {
  const auto value = homeostat::decode<T>(bytes);
  if (!value) {
    if (value.error().empty()) std::abort();
    return;
  }
  const std::string again = encode(*value);
  if (const auto back = homeostat::decode<T>(again); !back || encode(*back) != again) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check<homeostat::proposal>(bytes);
  check<homeostat::proposal_verdict>(bytes);
  check<homeostat::governor_state>(bytes);
  check<homeostat::engine_state>(bytes);
  check<homeostat::audit_batch>(bytes);
  if (homeostat::audit_json(bytes).empty()) std::abort();
  return 0;
}
