#pragma once

#include "actors/children.hpp"
#include "actors/transfer_tuner.hpp"

#include <string>

namespace homeostat {

struct engine_keeper_settings {
  std::string name; ///< of the engine, for its reasons
  supervision_settings supervision{};
  transfer_tuner_settings engine;
  std::uint64_t seed{0};
};

struct engine_keeper_state {
  static inline const char* name = "engine_keeper";
  children kids;
};

/// Supervises one engine that nothing else needs in order to go on: pools decide by what was published last, or by
/// rules. The engine is started again as usual. When it fails more often than its intensity allows, the keeper gives up
/// on it alone, tells its port so, and stays: under its parent's own intensity, a failing engine would end loops that
/// have nothing to do with it.
engine_keeper_actor::behavior_type engine_keeper(engine_keeper_actor::stateful_pointer<engine_keeper_state> self,
                                                 engine_keeper_settings settings);

} // namespace homeostat
