#pragma once

#include "runtime/store/sqlite_schema.hpp"

#include <atomic>

namespace homeostat {

/// See store::verify. Opens connections of its own, one per thread, and holds no long transaction, so that the log of a
/// running writer can be recycled meanwhile.
/// @param stop  becomes true when the store is being closed; the check then ends with the error closed.
std::expected<chain_report, store_error>
verify_sqlite_chain(const std::string& path, std::chrono::milliseconds patience, const verify_request& request,
                    const verify_callback& progress, const std::atomic<bool>& stop);

} // namespace homeostat
