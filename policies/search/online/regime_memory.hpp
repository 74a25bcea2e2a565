#pragma once

#include "policies/search/online/model_bank.hpp"
#include "policies/search/online/online_space.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace homeostat {

/// Limits of the mode memory.
struct memory_tuning {
  std::size_t capacity{6};         ///< regimes kept, 1..64; the least recently useful one leaves first
  std::uint64_t lifetime{100'000}; ///< steps after which a regime that was not met again is forgotten, > 0
  double separation{0.1};          ///< points nearer than this, fraction of range, are one regime, 0..1
  std::size_t looks{2};            ///< regimes looked at after one change
  std::size_t urgent_looks{4};     ///< ... and after one that made matters much worse, however useless they were before
  double urgent{8};                ///< noises by which it must be worse for that
  std::uint32_t settled{30};       ///< quiet steps at one place after which it is remembered
  std::uint32_t patience{40};      ///< most changes a regime is passed over after useless looks
  friend bool operator==(const memory_tuning&, const memory_tuning&) = default;
};

/// A kind of workload met before: where its best point was and how the plant looked there.
struct regime {
  std::uint64_t id{0};      ///< unique in one memory, for the audit
  std::uint32_t version{0}; ///< how often it was written
  online_point centre;      ///< one position per knob
  bank_member model;        ///< the chief of that time
  std::uint64_t used_at{0}; ///< step at which it was written or recalled
  std::uint32_t useless_looks{0};
  std::uint32_t passed_over{0}; ///< changes still to come without a look at it
  friend bool operator==(const regime&, const regime&) = default;
};

/// Bounded memory of regimes: LRU by usefulness, a lifetime, versioned entries.
struct regime_memory {
  std::vector<regime> regimes; ///< least recently useful first
  std::uint64_t written{0};    ///< ids given out
  friend bool operator==(const regime_memory&, const regime_memory&) = default;
};

/// Writes a regime, or a new version of the one that lies at the same place. @returns its id.
std::uint64_t remember(regime_memory& memory, std::span<const knob_spec> knobs, const online_point& centre,
                       const bank_member& model, std::uint64_t step, const memory_tuning& tuning);

/// @param urgent  the change made matters much worse.
/// @returns ids of regimes worth a look from `centre` after a change, the best bet first. Useless ones are looked at
///          ever more rarely, unless it is urgent. Regimes past their lifetime are dropped.
[[nodiscard]] std::vector<std::uint64_t> worth_a_look(regime_memory& memory, std::span<const knob_spec> knobs,
                                                      const online_point& centre, std::uint64_t step, bool urgent,
                                                      const memory_tuning& tuning);

/// @returns the regime, or nothing.
[[nodiscard]] const regime* find(const regime_memory& memory, std::uint64_t id);

/// The verdict of a look: a recalled regime becomes the most recently useful one.
void credit(regime_memory& memory, std::uint64_t id, bool recalled, std::uint64_t step, const memory_tuning& tuning);

} // namespace homeostat
