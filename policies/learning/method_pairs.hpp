#pragma once

#include "policies/transfer/transfer.hpp"

#include <span>
#include <vector>

namespace homeostat {

/// When are two transfers alike enough to compare their methods?
struct pairing_settings {
  double size_radius{0.25};  ///< octaves to either side
  double load_radius{0.25};  ///< of cpu_load to either side
  std::size_t per_method{3}; ///< neighbours needed of each method: a median of fewer is one accident
  std::size_t at_most{15};   ///< nearest neighbours taken of each method
  double near_tie{0.05};     ///< medians closer than this share: neither answer is wrong
  double full_weight{0.25};  ///< difference of the medians from which on a label counts in full
  friend bool operator==(const pairing_settings&, const pairing_settings&) = default;
};

/// Which method would have been the faster one for a transfer.
struct method_label {
  std::size_t sample{0}; ///< index of the transfer
  transfer_method faster{transfer_method::grpc};
  double gap{0};        ///< median of the slower over median of the faster one, less 1; >= 0
  double weight{0};     ///< 0..1, for training
  bool near_tie{false}; ///< does not count when choices are judged
  friend bool operator==(const method_label&, const method_label&) = default;
};

/// Labels transfers with the method that is typically faster for their like.
///
/// A transfer goes by one method only, so nobody saw what the other one would have taken: a label has to come from the
/// transfers near it. For each transfer the nearest ones in size, of the same type, format and compression and of
/// similar load, are gathered for both methods, itself included, and the medians of their latencies compared. Medians,
/// because one stall must not flip a label. The window is centred on the transfer and each latency is scaled by the
/// sizes' ratio: at a threshold the methods' neighbours lie on opposite sides, and would differ by their sizes alone.
/// Between the quick path's limits both methods move bytes most of the time, so latency grows about with size there.
///
/// What has too few neighbours of either method gets no label: exploration is what brings them. A label near a tie is a
/// coin's, so its weight grows from 0 at no difference to 1 at `full_weight`; in judging it is left out, since either
/// answer costs less than `near_tie` and a world of ties must not pass for a well-judged one. Failed transfers are
/// left out: the time lost before a failure is no latency.
/// @param samples  in any order. @returns labels in order of their samples.
/// Source: matching of the unobserved alternative by nearest neighbours: A. Abadie, G. Imbens, "Large Sample Properties
/// of Matching Estimators for Average Treatment Effects", Econometrica 74, 2006, section 2; decision 0013.
[[nodiscard]] std::vector<method_label> label_methods(std::span<const transfer_metrics> samples,
                                                      const pairing_settings& settings);

} // namespace homeostat
