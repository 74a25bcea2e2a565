#pragma once

#include "sim/invariants.hpp"
#include "sim/kernel.hpp"

#include <map>

namespace homeostat::sim {

/// People and programs who propose, and people who decide: late, twice, at the same time, on what has long changed,
/// about their own. They read pages that are old when they act, and believe nothing but answers.
class reviewers {
public:
  reviewers(kernel& k, const scenario& s, invariants& check);
  void start();
  void on(const alarm_mail& a);
  void on(const call_answer& a);
  void on(const page_mail& page) { page_ = page; }
  void on(const status_answer& a);
  [[nodiscard]] std::uint64_t calls() const { return calls_; }

private:
  void act();
  void propose();
  void decide();
  void decide_about(const page_mail::seen& seen, const std::string& actor);
  void decide_advice();
  void review_drift();
  void call(authority_input input);
  [[nodiscard]] wanted_values draw_values(const governed_loop& loop);
  [[nodiscard]] std::string somebody();

  kernel& kernel_;
  const scenario& scenario_;
  invariants& check_;
  draw draw_;
  page_mail page_;
  std::vector<std::uint64_t> drifts_;
  std::uint64_t revision_{1}; ///< of the loop, when somebody last looked
  knob_values base_;
  std::map<std::uint64_t, authority_input> open_; ///< by call; the last few
  std::uint64_t calls_{0};
};

} // namespace homeostat::sim
