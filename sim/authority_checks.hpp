#pragma once

#include "sim/mail.hpp"
#include "sim/measure.hpp"
#include "sim/scenario.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat::sim {

/// What the invariants say of the authority, checked from facts: what the disk holds, what people said, what they were
/// told, what was asked of the governors, and what came into force there. Classes, caps, budgets and waits are worked
/// out again, with none of the policies' arithmetic.
class authority_checks {
public:
  using failure = std::function<void(std::string_view invariant, std::string what)>;
  authority_checks(const scenario& s, failure fail) : scenario_(s), fail_(std::move(fail)) {}

  // What the disk holds.
  /// @param p  null: forgotten.
  void kept(std::uint64_t id, const config_proposal* p);
  void recorded(const audit_record& record);

  // What people did, and what they were told.
  void called(const authority_input& input);
  void answered(const authority_input& input, std::optional<std::uint64_t> proposal);

  // What the authority did.
  void started(const authority_state& state);
  void decided(const authority_input& input, const authority_effects& effects, const authority_state& after);
  void requested(const loop_request& r, duration at);

  // What became of it at the governors.
  /// @param generation  found in force again after a crash, it is the same change.
  void came_into_force(const std::string& loop, const std::string& request, std::uint64_t generation,
                       std::uint64_t revision);
  /// A crash has taken the change back: a process that ends takes a plant inside it along.
  void taken_back(const std::string& loop, std::uint64_t generation);
  void moved_in_safe_mode(const std::string& loop);

  /// @param state  null: it is down or starting.
  void look(const authority_state* state, instant now, duration at);

  [[nodiscard]] std::uint64_t hash() const { return hash_; }

private:
  struct decision {
    std::string actor;
    review_verb verb{};
    friend auto operator<=>(const decision&, const decision&) = default;
  };
  [[nodiscard]] const governed_loop& loop_named(const std::string& name) const;
  [[nodiscard]] risk_class class_of(const config_proposal& p) const;
  void check_approval(const config_proposal& p);
  void check_without_person(const config_proposal& p);
  void check_rule(const config_proposal& p, const governed_loop& loop);
  void check_cap(const config_proposal& p);
  void check_step(const config_proposal& p, const loop_request& r);
  void check_kept_promise(std::uint64_t id, const decision& d, const config_proposal* p);
  void check_sizes(const authority_state& s);
  void mix(std::uint64_t word) { hash_ = (hash_ ^ word) * 0x9E3779B97F4A7C15ULL, hash_ ^= hash_ >> 29U; }

  const scenario& scenario_;
  failure fail_;
  std::uint64_t hash_{0x13198A2E03707344ULL};

  std::map<std::uint64_t, config_proposal> disk_;
  std::map<std::uint64_t, config_proposal> opened_; ///< as first written: what people looked at
  std::set<std::uint64_t> forgotten_;
  std::set<std::uint64_t> opening_recorded_;
  std::set<std::uint64_t> approval_recorded_;
  std::set<std::uint64_t> end_recorded_;
  std::map<std::uint64_t, audit_record> intents_; ///< of the authority's requests, by generation

  std::map<std::uint64_t, std::set<decision>> said_;
  std::set<std::pair<std::string, std::string>> accepted_advice_; ///< recommendation and who accepted it
  std::map<std::uint64_t, std::set<decision>> promised_;          ///< the decisions people know to be taken
  std::set<std::uint64_t> promised_openings_;

  std::map<std::string, knob_values> baselines_; ///< as the authority was last told
  std::set<std::uint64_t> started_alone_;        ///< asked for, and decided by nobody in person
  std::vector<duration> starts_;
  struct coming {
    std::uint64_t generation{0};
    std::uint64_t revision{0};
  };
  std::map<std::string, std::map<std::string, coming>> in_force_; ///< by loop and request
  duration running_since_{0};
  bool was_running_{false};
};

} // namespace homeostat::sim
