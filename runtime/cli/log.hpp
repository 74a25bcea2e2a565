#pragma once

#include <string>

namespace homeostat {

/// Logs to standard error. @param format  text or json (one object a line).  @param level  trace, debug, info, warn,
/// error.
void set_up_log(const std::string& format, const std::string& level);

} // namespace homeostat
