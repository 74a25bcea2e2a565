#pragma once

#include "policies/search/solver.hpp"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

namespace homeostat {

// A search driven by JSON lines, one request and one reply a line:
//   {"cmd":"ask","batch":1}                                            -> {"params":[{"x":0.5,"mode":"fast"}]}
//   {"cmd":"tell","results":[{"params":{..},"value":0.12,"cost":1.0}]} -> {"ok":true}
//   {"cmd":"seed","results":[..]}   results from elsewhere              -> {"ok":true}
//   {"cmd":"best"}                                                     -> {"params":{..},"value":0.12}
//   {"cmd":"status"}                                                   -> counts and the strategies in charge so far
// {"params":[]} = finished. Whatever is wrong with a line is answered by {"error":"..."} and changes nothing; of
// several results in one tell those before the wrong one are kept, and the reply says how many. Categories go by name,
// booleans as true and false.

/// @returns the reply to one request line, without line end.
[[nodiscard]] std::string reply_to(solver& search, const std::string& line);

/// Where a session stands, for metrics.
struct session_counts {
  std::uint64_t asks{0};
  std::uint64_t tells{0};
  std::uint64_t abandoned{0};   ///< candidates given up; online only
  std::uint64_t history{0};     ///< trials; online: results learned from
  std::uint64_t changes{0};     ///< of the plant, detected; online only
  std::uint64_t recalls{0};     ///< of remembered regimes; online only
  std::uint64_t returns{0};     ///< to the default; online only
  double evaluation_seconds{0}; ///< from handing candidates out until results came back
};

/// One session of `homeostat interactive`: a batch search, or an online one where the configuration's strategy is
/// `adaptive` or `spsa`. An online search has one candidate at a time, which is asked again until it is told or
/// {"cmd":"abandon"} says that it was not applied.
/// @param file, config  the configuration's name and text.
/// @param errors  gets what is wrong with the configuration, a line each.
/// @param progress  called after every reply.  @returns an exit code.
[[nodiscard]] int run_interactive(const std::string& file, const std::string& config, std::istream& in,
                                  std::ostream& out, std::ostream& errors,
                                  const std::function<void(const session_counts&)>& progress);

} // namespace homeostat
