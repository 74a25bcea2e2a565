#pragma once

#include "runtime/gateway/router.hpp"
#include "runtime/node/node.hpp"

namespace homeostat {

// The routes by subject; each function adds its own to the table. The node outlives the router.

void add_status_routes(router& r, node& n);    ///< /healthz, /readyz, /metrics, /api/v1/status
void add_audit_routes(router& r, node& n);     ///< /api/v1/audit
void add_loop_routes(router& r, node& n);      ///< /api/v1/loops/{loop}/...
void add_authority_routes(router& r, node& n); ///< proposals, recommendations, drift, plans, values by hand

} // namespace homeostat
