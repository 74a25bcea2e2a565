#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace homeostat {

struct training_schedule_settings {
  duration interval{1h};              ///< between trainings that worked
  duration after_drift{5min};         ///< least pause when drift asks for one: a drifting pool must not train all day
  duration first_pause{1min};         ///< after a failed training; doubles with each failure in a row
  duration longest_pause{6h};         ///< where doubling ends
  duration patience{10min};           ///< a training that has not come back by then has failed
  std::uint32_t incremental_runs{24}; ///< continued trainings in a row before one from scratch
  std::size_t least_samples{1000};    ///< without which none starts
  friend bool operator==(const training_schedule_settings&, const training_schedule_settings&) = default;
};

enum class training_kind : std::uint8_t {
  scratch,     ///< all trees anew
  incremental, ///< the oldest trees give way to new ones, grown on the present samples
};

/// How a training ended.
enum class training_outcome : std::uint8_t {
  served,  ///< a model that passed the gate
  refused, ///< a model that did not; it worked, so the next one comes at its usual time
  failed,  ///< an error, a crash, or never heard of again
};

struct training_schedule {
  std::optional<instant> started{}; ///< of the training under way
  std::optional<instant> ended{};   ///< of the latest one
  training_outcome outcome{training_outcome::failed};
  std::uint32_t failures{0};    ///< in a row
  std::uint32_t incremental{0}; ///< continued trainings since the last from scratch
  bool drift{false};            ///< seen since the last training began
  friend bool operator==(const training_schedule&, const training_schedule&) = default;
};

/// What to do now, and when to ask again at the latest.
struct training_plan {
  bool train{false};
  training_kind kind{training_kind::scratch};
  instant look_again{};
  std::string reason{};
};

/// Decides whether to train now. A training lost without a word (its process died) is taken for failed here.
/// @param samples    held in the training set.  @param has_model  one to continue from exists.
/// From scratch: without a model, after drift (old trees describe the old world), after a refusal or a failure, and
/// every `incremental_runs`: continued trees carry what is left of samples long gone.
[[nodiscard]] training_plan plan_training(training_schedule& state, const training_schedule_settings& settings,
                                          std::size_t samples, bool has_model, instant now);

void note_started(training_schedule& state, training_kind kind, instant now);
void note_ended(training_schedule& state, training_outcome outcome, instant now);
/// The training under way, if there is one, is neither a success nor a failure: nobody wants it any more.
inline void note_void(training_schedule& state) { state.started.reset(); }
/// The next training need not wait for its interval.
inline void note_drift(training_schedule& state) { state.drift = true; }

/// @returns the pause after so many failures in a row, >= 1.
[[nodiscard]] duration pause_after(const training_schedule_settings& settings, std::uint32_t failures);

} // namespace homeostat
