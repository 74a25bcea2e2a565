#include "runtime/hotpath/atomic_config.hpp"

namespace homeostat {

std::string_view describe(config_refusal refusal) noexcept {
  switch (refusal) {
  case config_refusal::wrong_size: return "wrong number of values, expected one per knob";
  case config_refusal::not_finite: return "a value is NaN or infinite, expected finite numbers";
  case config_refusal::stale_generation: return "the generation is not new, expected one greater than the present one";
  case config_refusal::generation_too_large: return "the generation is too large, expected at most 2^55 - 1";
  case config_refusal::writer_busy: return "another thread is writing, expected one writer at a time";
  case config_refusal::full: return "too many knobs, expected at most 16";
  }
  return "unknown refusal";
}

template class basic_atomic_config<no_config_hook>;

} // namespace homeostat
