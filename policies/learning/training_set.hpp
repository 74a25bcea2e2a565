#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/transfer/transfer.hpp"

#include <expected>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace homeostat {

struct training_set_settings {
  std::size_t per_class{256}; ///< transfers kept of each class, 1..100,000
  std::size_t classes{128};   ///< kept at most, 1..10,000; the class unseen for longest gives way
  std::size_t least{1000};    ///< transfers without which nothing is trained, >= 10
  double held_out{0.2};       ///< share of the latest transfers that judge the model, within 0..0.5
  friend bool operator==(const training_set_settings&, const training_set_settings&) = default;
};
[[nodiscard]] std::expected<void, std::string> check(const training_set_settings& s);

/// Transfers of one method, type and octave of size: what must not crowd out another.
struct transfer_class {
  transfer_method method{transfer_method::grpc};
  data_type type{data_type::binary};
  std::uint8_t octave{0}; ///< floor of log2 of bytes
  friend auto operator<=>(const transfer_class&, const transfer_class&) = default;
};
[[nodiscard]] transfer_class class_of(const transfer_metrics& m) noexcept;

/// The transfers a model learns from, bounded in memory: per_class * classes of them at most, about 170 bytes each.
/// Every class has a reservoir of its own, so that the method tried once in twenty transfers is still represented. A
/// full reservoir takes in each new transfer for one at random: what it holds thins out exponentially with age instead
/// of being all old (a uniform reservoir) or all of the last minute (a ring). Source: C. Aggarwal, "On Biased Reservoir
/// Sampling in the Presence of Stream Evolution", VLDB 2006, section 2.
class training_set {
public:
  explicit training_set(const training_set_settings& settings, std::uint64_t seed = 1)
      : settings_(settings), rng_(seed) {}

  /// Takes in a finished transfer. @returns false for one nothing can be learnt from: failed, empty, or without a
  /// finite latency above 0 (the caller counts them).
  bool add(const transfer_metrics& m);

  /// Drops what ended before that time: after drift of the errors the old machine's latencies only mislead. Until
  /// enough new transfers have come there is nothing to train on, and rules decide.
  void forget_before(instant when);

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t classes() const noexcept { return reservoirs_.size(); }
  /// @returns how many transfers are held of a class.
  [[nodiscard]] std::size_t count(const transfer_class& c) const;

  /// What to train on and what to judge by, both in order of time. No held-out transfer is older than a training one:
  /// a model is for what comes, so it is judged by what came after.
  struct parts {
    std::vector<transfer_metrics> training;
    std::vector<transfer_metrics> held_out;
  };
  /// @returns the parts, or that there are too few transfers yet.
  [[nodiscard]] std::expected<parts, std::string> split() const;

private:
  struct reservoir {
    std::vector<transfer_metrics> kept;
    instant latest{};
  };
  void make_room(const transfer_class& wanted);

  training_set_settings settings_;
  chacha8_rng rng_;
  std::map<transfer_class, reservoir> reservoirs_;
  std::size_t size_{0};
};

} // namespace homeostat
