#pragma once

#include "sim/actuator.hpp"
#include "sim/authority_actor.hpp"
#include "sim/invariants.hpp"
#include "sim/kernel.hpp"
#include "sim/loop_actors.hpp"
#include "sim/neighbour.hpp"
#include "sim/people.hpp"
#include "sim/plant.hpp"
#include "sim/reviewers.hpp"
#include "sim/source.hpp"
#include "sim/store.hpp"
#include "sim/supervisor.hpp"

#include <functional>
#include <string>

namespace homeostat::sim {

/// What became of one run.
struct run_result {
  std::uint64_t seed{0};
  std::optional<finding> broken;
  duration at{0}; ///< virtual time at the end
  std::uint64_t steps{0};
  std::uint64_t hash{0}; ///< of every decision and effect (I7)
  bool fault_free{false};
  landscape_kind landscape{};
  double benefit{0}; ///< mean objective relative to the static defaults, over the whole run
  double benefit_second_half{0};
  std::uint64_t digests{0};
  std::uint64_t windows{0};
  std::uint64_t updates{0}; ///< of the base point, by the strategy
  std::uint64_t records{0};
  std::uint64_t process_crashes{0};
  std::uint64_t child_restarts{0};
  std::uint64_t commands{0};
  std::uint64_t strange_proposals{0};
  bool gave_up{false};
  bool stopped{false}; ///< by an ordered shutdown
  governor_tally governor;
  authority_tally authority;
  std::uint64_t calls{0};
  std::array<std::uint64_t, violation_code_count> engine_refusals{};
  std::array<std::uint64_t, digest_fault_count> digest_faults{};
};

/// One loop in virtual time, from its first start to its shutdown.
class world {
public:
  /// @param sink  receives the trace, line by line; empty for none.
  world(const scenario& s, const policy_set& policies, std::function<void(std::string)> sink);
  [[nodiscard]] run_result run();

private:
  void boot();
  void end_process();
  void end_authority();
  void dispatch(kernel::delivery& d);
  void to_world(const mail& m);
  void look();
  [[nodiscard]] run_result result() const;

  const scenario& scenario_;
  invariants check_;
  kernel kernel_;
  plant plant_;
  telemetry_source source_;
  audit_store store_;
  actuator actuator_;
  sensor_actor sensor_;
  engine_actor engine_;
  governor_actor governor_;
  loop_supervisor supervisor_;
  operators operators_;
  rival rival_;
  authority_actor authority_;
  neighbour neighbour_;
  reviewers reviewers_;
  supervision_state node_; ///< of the node supervisor, which keeps the authority
  const policy_set& policies_;
  bool stopping_{false};
  bool over_{false};
  bool stopped_{false};
  std::uint64_t crashes_{0};
};

/// Runs one seed with the given policies. @param sink  receives the trace; empty for none.
[[nodiscard]] run_result run_seed(std::uint64_t seed, const policy_set& policies,
                                  std::function<void(std::string)> sink = {});

} // namespace homeostat::sim
