#pragma once

#include "policies/safety/knob.hpp"
#include "runtime/hotpath/cache_line.hpp"
#include "runtime/hotpath/knob_codec.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// The live configuration of one loop: one writer (the governor), any number of readers, no lock.
///
/// How it works. A snapshot lives in one slot of a ring and is immutable once published. `current_` is one word, the
/// tag: generation, number of knobs, and the slot that holds them. A write takes the slot after the current one, puts
/// its new tag into the slot's `owner`, stores the values, then the live words (below), and last stores the tag into
/// `current_`. A snapshot loads `current_`, copies the values of that slot, and keeps the copy if `owner` still is that
/// tag.
///
/// Why a reader never waits. `current_` always names a complete slot, and a writer never touches that slot: it may stop
/// anywhere, for ever, and every snapshot still succeeds at the first attempt. An attempt fails only if slot_count - 1
/// whole updates pass between a reader's two loads and another one begins; at the governor's highest usual rate (20
/// updates/s) that is a reader suspended for 0.75 s within those few instructions, every single time. snapshot() tries
/// again then (lock-free: a failure means that the writer got on); try_snapshot() gives a hard bound to who needs one
/// (wait-free).
///
/// Why it is never torn (C++ memory model, without fences; all shared data are atomics, so there is no race by
/// definition).
///  1. Tags are unique: each write has a greater generation, or the same one with more knobs.
///  2. The values are stored before the release store of their tag t into `current_`. A reader that acquires t
///  therefore
///     reads from each value of the slot what write t stored, or something later, and never something earlier.
///  3. Something later comes from a write t' to the same slot. That write stores `owner` = t' before its values, each
///  of
///     which is a release store; the reader's loads of values are acquire loads. So a reader that saw a single value of
///     t' synchronises with it, the store of t' into `owner` happens before the reader's check, and the check cannot
///     read t again, because coherence forbids to go back and tags do not repeat. The copy is discarded.
///  Hence: check passed => every value is from write t. On x86 all these loads and stores are plain moves.
/// The usual seqlock (H.-J. Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012) has
/// the same check, but one slot only: there a writer suspended in the middle holds up every reader. Reference-counted
/// slots (left-right, hazard pointers) bound the writer by its readers and cost each reader two contended
/// read-modify-writes.
///
/// Single knobs. Besides the ring each knob has a live word of its own, encoded as its reader wants it (knob_codec), so
/// that a read is one relaxed load. What is promised to one thread, or along any happens-before chain of threads:
///  - generations of successive snapshots and of generation() never go back, neither do the values of one knob;
///  - a knob read after a snapshot (or generation()) of generation g has the value of g or of a later one;
///  - a knob read before a snapshot may be ahead of it by the one update in flight, and two single reads may straddle
///  an
///    update. Knobs that must fit together are read by snapshot.
namespace homeostat {

template <typename Hook> class basic_atomic_config;

/// A consistent set of values. Entries from `size` on are 0.
struct config_snapshot {
  std::uint64_t generation{0};
  std::uint8_t size{0};
  std::array<double, max_knobs> values;

  config_snapshot() noexcept : values{} {}

  /// @param in_use  at most 16 values; more are left out.
  config_snapshot(std::uint64_t of_generation, std::span<const double> in_use) noexcept
      : generation(of_generation), size(static_cast<std::uint8_t>(std::min(in_use.size(), max_knobs))), values{} {
    std::copy_n(in_use.begin(), size, values.begin());
  }

  /// @returns the values in use.
  [[nodiscard]] std::span<const double> view() const noexcept { return {values.data(), size}; }
  friend bool operator==(const config_snapshot&, const config_snapshot&) = default;

private:
  template <typename Hook> friend class basic_atomic_config;

  /// For the one place that fills every field anyway: clearing first would take longer than the rest of a snapshot.
  struct to_be_filled {};
  explicit config_snapshot(to_be_filled) noexcept {}
};
static_assert(std::is_trivially_copyable_v<config_snapshot>);

/// Why a write was refused; the configuration is as it was.
enum class config_refusal : std::uint8_t {
  wrong_size,           ///< not one value per knob
  not_finite,           ///< a value is NaN or infinite
  stale_generation,     ///< the given generation is not greater than the present one
  generation_too_large, ///< above max_generation
  writer_busy,          ///< another thread is writing: the rule of one writer is broken
  full,                 ///< a knob beyond max_knobs
};

/// @returns one sentence for people, with the expected form.
[[nodiscard]] std::string_view describe(config_refusal refusal) noexcept;

/// Places where a test may stop a write or a snapshot. In production the hook is empty and vanishes.
enum class config_step : std::uint8_t {
  slot_claimed,
  value_stored,
  live_word_stored,
  published,
  tag_loaded,
  value_loaded
};

struct no_config_hook {
  static constexpr void reached(config_step) noexcept {}
};

/// See the head of this file. @tparam Hook  called at each config_step; only tests give one.
template <typename Hook = no_config_hook> class basic_atomic_config {
public:
  /// Slots in the ring. With 2 a reader that is one update late must try again; 16 makes that 15 updates and costs 3
  /// KiB.
  static constexpr std::size_t slot_count = 16;
  /// 55 bits of generation: enough for a million updates a second over a thousand years.
  static constexpr std::uint64_t max_generation = (std::uint64_t{1} << 55) - 1;

  /// @param initial  the values of generation 0: 0..16 finite numbers, each of them a `double` to single-knob readers.
  /// @throws std::invalid_argument on more values or others.
  explicit basic_atomic_config(std::span<const double> initial = {}, Hook hook = {}) : hook_(std::move(hook)) {
    for (double value : initial)
      if (auto added = append(value, &knob_codec<double>::encode); !added)
        throw std::invalid_argument("atomic_config: " + std::string(describe(added.error())));
  }
  basic_atomic_config(const basic_atomic_config&) = delete;
  basic_atomic_config& operator=(const basic_atomic_config&) = delete;

  // ---- readers: any thread, at any time ----

  /// @returns one knob's value, in the knob's unit. Wait-free: one load. @param index  0..size()-1, not checked.
  [[nodiscard]] double value(std::size_t index) const noexcept { return live_[index].load(std::memory_order_relaxed); }

  /// @returns one knob's live word, for knob_codec<T>::decode. It lives as long as this object. @param index  0..15.
  [[nodiscard]] const std::atomic<std::uint64_t>& word(std::size_t index) const noexcept { return words_[index]; }

  /// @returns the generation in force. Wait-free: one load.
  [[nodiscard]] std::uint64_t generation() const noexcept {
    return generation_of(current_.load(std::memory_order_acquire));
  }

  /// @returns the number of knobs, 0..16.
  [[nodiscard]] std::size_t size() const noexcept { return size_of(current_.load(std::memory_order_acquire)); }

  /// @returns all knobs at one generation. Lock-free, never waits for the writer; see the head of this file.
  [[nodiscard]] config_snapshot snapshot() const noexcept {
    config_snapshot copy{config_snapshot::to_be_filled{}};
    while (!copy_current(copy)) {}
    return copy;
  }

  /// The same with a hard bound on the work (wait-free).
  /// @param out  set to all knobs at one generation; unspecified values after a failure.  @param attempts  at least 1.
  /// @returns false if slot_count updates overtook this reader at every attempt.
  [[nodiscard]] bool try_snapshot(config_snapshot& out, unsigned attempts) const noexcept {
    for (unsigned attempt = 0; attempt < attempts; ++attempt)
      if (copy_current(out)) return true;
    return false;
  }

  // ---- the writer: one at a time; successive writes may come from different threads ----

  /// Publishes values under the next generation.
  /// @param values  one finite value per knob, in slot order and the knobs' units. Bounds are the governor's concern.
  /// @returns the new generation; a refusal without any effect otherwise.
  [[nodiscard]] std::expected<std::uint64_t, config_refusal> update(std::span<const double> values) {
    return write(values, [](std::uint64_t present) { return present + 1; });
  }

  /// Publishes values under a generation the governor chose.
  /// @param values  as above.  @param generation  greater than the present one, at most max_generation.
  /// @returns that generation; a refusal without any effect otherwise.
  [[nodiscard]] std::expected<std::uint64_t, config_refusal> update(std::span<const double> values,
                                                                    std::uint64_t generation) {
    return write(values, [generation](std::uint64_t) { return generation; });
  }

  /// Adds one knob under the present generation. Setup only, but safe beside readers.
  /// @param initial  finite, in the knob's unit.  @param encode  the knob_codec<T>::encode of its readers.
  /// @returns the knob's slot; a refusal without any effect otherwise.
  [[nodiscard]] std::expected<std::size_t, config_refusal> append(double initial, knob_encoder encode) {
    const writer_claim claim(writing_);
    if (!claim) return std::unexpected(config_refusal::writer_busy);
    const std::uint64_t tag = current_.load(std::memory_order_relaxed);
    const std::size_t count = size_of(tag);
    if (count == max_knobs) return std::unexpected(config_refusal::full);
    if (!std::isfinite(initial)) return std::unexpected(config_refusal::not_finite);
    std::array<double, max_knobs> values{};
    for (std::size_t i = 0; i < count; ++i) values[i] = live_[i].load(std::memory_order_relaxed);
    values[count] = initial;
    encoders_[count] = encode;
    publish({values.data(), count + 1}, generation_of(tag), slot_of(tag));
    return count;
  }

private:
  struct alignas(cache_line) slot {
    std::atomic<std::uint64_t> owner{0};
    std::array<std::atomic<double>, max_knobs> values{};
  };

  /// Turns two writers at once, which must not happen, into a refusal; and carries the happens-before from one writing
  /// thread to the next.
  class writer_claim {
  public:
    explicit writer_claim(std::atomic<bool>& flag)
        : flag_(flag), ours_(!flag.exchange(true, std::memory_order_acquire)) {}
    ~writer_claim() {
      if (ours_) flag_.store(false, std::memory_order_release);
    }
    writer_claim(const writer_claim&) = delete;
    writer_claim& operator=(const writer_claim&) = delete;
    explicit operator bool() const { return ours_; }

  private:
    std::atomic<bool>& flag_;
    bool ours_;
  };

  // A tag: generation in bits 9..63, number of knobs in 4..8, slot in 0..3.
  static_assert(slot_count == 16 && max_knobs < 32);
  static constexpr std::uint64_t tag_of(std::uint64_t generation, std::size_t count, std::size_t index) {
    return generation << 9U | count << 4U | index;
  }
  static constexpr std::uint64_t generation_of(std::uint64_t tag) { return tag >> 9U; }
  static constexpr std::size_t size_of(std::uint64_t tag) { return tag >> 4U & 31U; }
  static constexpr std::size_t slot_of(std::uint64_t tag) { return tag & 15U; }

  /// One attempt. Copies all 16 entries, because a fixed count costs less than a loop that ends at `size`; those beyond
  /// it are 0 in every slot, for the number of knobs never falls.
  [[nodiscard]] bool copy_current(config_snapshot& out) const noexcept {
    const std::uint64_t tag = current_.load(std::memory_order_acquire);
    hook_.reached(config_step::tag_loaded);
    const slot& from = slots_[slot_of(tag)];
    out.generation = generation_of(tag);
    out.size = static_cast<std::uint8_t>(size_of(tag));
    for (std::size_t i = 0; i < max_knobs; ++i) {
      out.values[i] = from.values[i].load(std::memory_order_acquire);
      hook_.reached(config_step::value_loaded);
    }
    return from.owner.load(std::memory_order_relaxed) == tag;
  }

  template <typename Next>
  std::expected<std::uint64_t, config_refusal> write(std::span<const double> values, Next next) {
    const writer_claim claim(writing_);
    if (!claim) return std::unexpected(config_refusal::writer_busy);
    const std::uint64_t tag = current_.load(std::memory_order_relaxed);
    if (values.size() != size_of(tag)) return std::unexpected(config_refusal::wrong_size);
    for (double value : values)
      if (!std::isfinite(value)) return std::unexpected(config_refusal::not_finite);
    const std::uint64_t generation = next(generation_of(tag));
    if (generation <= generation_of(tag)) return std::unexpected(config_refusal::stale_generation);
    if (generation > max_generation) return std::unexpected(config_refusal::generation_too_large);
    publish(values, generation, slot_of(tag));
    return generation;
  }

  void publish(std::span<const double> values, std::uint64_t generation, std::size_t previous_slot) {
    const std::size_t index = (previous_slot + 1) % slot_count;
    const std::uint64_t tag = tag_of(generation, values.size(), index);
    slot& into = slots_[index];
    into.owner.store(tag, std::memory_order_relaxed);
    hook_.reached(config_step::slot_claimed);
    for (std::size_t i = 0; i < values.size(); ++i) {
      into.values[i].store(values[i], std::memory_order_release); // release: step 3 of the argument above
      hook_.reached(config_step::value_stored);
    }
    // Before current_, so that a knob read after a snapshot is never older than the snapshot.
    for (std::size_t i = 0; i < values.size(); ++i) {
      live_[i].store(values[i], std::memory_order_relaxed);
      words_[i].store(encoders_[i](values[i]), std::memory_order_relaxed);
      hook_.reached(config_step::live_word_stored);
    }
    current_.store(tag, std::memory_order_release);
    hook_.reached(config_step::published);
  }

  alignas(cache_line) std::atomic<std::uint64_t> current_{0};
  alignas(cache_line) std::array<std::atomic<std::uint64_t>, max_knobs> words_{};
  alignas(cache_line) std::array<std::atomic<double>, max_knobs> live_{};
  std::array<slot, slot_count> slots_{};
  alignas(cache_line) std::atomic<bool> writing_{false};
  std::array<knob_encoder, max_knobs> encoders_{};
  [[no_unique_address]] Hook hook_;

  static_assert(std::atomic<double>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);
};

extern template class basic_atomic_config<no_config_hook>;
using atomic_config = basic_atomic_config<>;

} // namespace homeostat
