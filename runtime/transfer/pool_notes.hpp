#pragma once

#include <functional>
#include <string>

namespace homeostat {

/// Who is told what happens to pools: a pool's name ("": all of them), and one sentence. Called from any thread, also
/// while a service is held: neither waits nor asks back.
struct pool_notes {
  using teller = std::function<void(const std::string&, const std::string&)>;
  teller note = [](const std::string&, const std::string&) {};  ///< for the log
  teller alert = [](const std::string&, const std::string&) {}; ///< something is lost or given up: for log and audit
};

} // namespace homeostat
