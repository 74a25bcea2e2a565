#pragma once

#include "policies/search/solver.hpp"

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
[[nodiscard]] std::string answer(solver& search, const std::string& line);

/// One session of `homeostat interactive`: a batch search, or an online one where the configuration's strategy is
/// `adaptive` or `spsa`. An online search has one candidate at a time, which is asked again until it is told or
/// {"cmd":"abandon"} says that it was not applied.
/// @param config  the JSON text.  @param errors  one line if the configuration is refused.  @returns an exit code.
[[nodiscard]] int run_interactive(const std::string& config, std::istream& in, std::ostream& out, std::ostream& errors);

} // namespace homeostat
