#pragma once

#include "sim/invariants.hpp"
#include "sim/kernel.hpp"
#include "sim/plant.hpp"

#include <cstdint>
#include <vector>

namespace homeostat::sim {

/// Measures the plant, and sends what it measured as badly as the scenario wants.
class telemetry_source {
public:
  telemetry_source(kernel& k, const scenario& s, plant& p, invariants& check);

  void start();
  void on(const alarm_mail& a);
  /// The governor announced what is live: values adopted without an actuation get their name here.
  void on(const live_configuration& live);
  void on(const rename_mail& m);
  /// The sensor takes this generation for live.
  void stamp(std::uint64_t generation) { stamp_ = generation; }
  /// The process is gone, and with it everything that was on the way.
  void on_process_end();

  /// Mean true objective relative to the static defaults; 0 before the first sample.
  struct benefit {
    double tuned{0};
    double untouched{0};
    std::uint64_t samples{0};
    [[nodiscard]] double ratio() const { return untouched > 0 ? tuned / untouched : 0; }
  };
  [[nodiscard]] const benefit& whole_run() const { return whole_; }
  [[nodiscard]] const benefit& second_half() const { return half_; }
  [[nodiscard]] std::uint64_t digests() const { return sent_; }

private:
  void sample();
  void send(telemetry_digest digest, std::uint32_t truth);
  void deliver(const telemetry_digest& digest, std::uint32_t truth, duration late);
  void send_again_from_old_generation();
  void tamper();

  struct past_digest {
    telemetry_digest digest;
    std::uint32_t truth;
  };

  kernel& kernel_;
  const scenario& scenario_;
  plant& plant_;
  invariants& check_;
  draw noise_;
  duration last_sample_{0};
  instant last_clock_{};
  bool renamed_{false}; ///< inside this interval the values got another name: it belongs to neither
  std::uint64_t stamp_{0};
  std::uint64_t stamp_at_begin_{0}; ///< of the present interval
  std::uint64_t announced_{0};      ///< generation last said to be live
  duration announced_at_{0};
  std::uint64_t sequence_{0};
  std::uint32_t truths_{0};
  std::uint32_t stream_{0};
  std::uint64_t sent_{0};
  duration held_until_{0};
  std::vector<past_digest> past_; ///< the last few, for relays that repeat themselves
  benefit whole_;
  benefit half_;
};

} // namespace homeostat::sim
