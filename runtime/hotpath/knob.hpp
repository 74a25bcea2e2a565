#pragma once

#include "runtime/hotpath/knob_registry.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <utility>

namespace homeostat {

/// A live constant: what a service author reads where a number stood before.
///
///     homeostat::knob_registry registry;
///     homeostat::knob<int> batch{registry, {.name = "batch_size", .min = 1, .max = 64, .initial = 8}};
///     ... for (int i = 0; i < batch; ++i) ...
///
/// Reading is one relaxed load and a cast, wait-free, from any thread, about as cheap as the constant was. Successive
/// reads by one thread never go back to an older value. Several knobs that must fit together are read by
/// knob_registry::config().snapshot(). A copy of a knob is another handle to the same knob; the registry must outlive
/// both.
/// @tparam T  bool, an integer type, float, double, or a scoped enumeration whose enumerators are 0, 1, 2, ...
template <knob_value T> class knob {
public:
  /// Registers a knob.
  /// @throws registration_failure if the registry refuses it (registration_code says why). Use make() to have a value
  /// instead.
  knob(knob_registry& registry, knob_declaration declaration) : knob(checked(make(registry, std::move(declaration)))) {}

  /// Registers a knob.
  /// @returns the handle; the refusal otherwise, and the registry is as it was.
  [[nodiscard]] static std::expected<knob, registration_error> make(knob_registry& registry,
                                                                    knob_declaration declaration) {
    const auto index = registry.declare(std::move(declaration), knob_shape_of<T>());
    if (!index) return std::unexpected(index.error());
    return knob(registry.config().word(*index), *index);
  }

  /// @returns the value in force, in the knob's unit.
  [[nodiscard]] T get() const noexcept { return knob_codec<T>::decode(word_->load(std::memory_order_relaxed)); }
  operator T() const noexcept { return get(); } // implicit on purpose: it stands where a constant stood

  /// @returns the knob's place in the registry's snapshots, 0..15.
  [[nodiscard]] std::size_t slot() const noexcept { return slot_; }

private:
  knob(const std::atomic<std::uint64_t>& word, std::size_t slot) noexcept : word_(&word), slot_(slot) {}

  static knob checked(std::expected<knob, registration_error> made) {
    if (!made) throw registration_failure(std::move(made.error()));
    return *made;
  }

  const std::atomic<std::uint64_t>* word_;
  std::size_t slot_;
};

} // namespace homeostat
