#pragma once

#include "runtime/gateway/router.hpp"
#include "runtime/node/node.hpp"

#include <memory>

namespace homeostat {

// The routes by subject; each function adds its own to the table. The node outlives the router.

void add_status_routes(router& r, node& n); ///< /healthz, /readyz, /metrics, /api/v1/status
void add_audit_routes(router& r, node& n);  ///< /api/v1/audit, /api/v1/audit/verify
void add_loop_routes(router& r, node& n);   ///< /api/v1/loops/{loop}/...
/// Gives a loop a command. @returns its result (409 where the loop refuses), or a problem answer: 404 if there is no
/// such loop, 503 with Retry-After if it does not answer in time.
[[nodiscard]] http_response command_loop(node& n, const std::string& loop, const operator_command& command);
[[nodiscard]] http_response no_such_loop(const std::string& name);
void add_authority_routes(router& r, node& n);   ///< proposals, recommendations, drift, plans, values by hand
void add_pool_routes(router& r, node& n);        ///< transfer pools: decisions, outcomes, policies
void add_pool_advice_routes(router& r, node& n); ///< recommendations on transfer pools
void add_experiment_routes(router& r, node& n);  ///< experiments of transfer pools
void add_console_routes(router& r);              ///< /, /console/...

class access_control;
class event_hub;
void add_event_routes(router& r, std::shared_ptr<event_hub> hub,
                      std::shared_ptr<access_control> access); ///< /api/v1/events

/// Adds /openapi.json, made from the table; so it comes last.
void add_openapi_route(router& r);

/// The whole table.
void add_all_routes(router& r, node& n, std::shared_ptr<event_hub> hub, std::shared_ptr<access_control> access);

} // namespace homeostat
