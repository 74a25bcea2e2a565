#include "runtime/gateway/api.hpp"

#include "runtime/gateway/api_routes.hpp"

namespace homeostat {

router make_routes(node& n) {
  router r;
  add_status_routes(r, n);
  add_audit_routes(r, n);
  add_loop_routes(r, n);
  add_authority_routes(r, n);
  return r;
}

http_handler make_api(node& n) {
  return [routes = std::make_shared<const router>(make_routes(n))](const http_request& request) {
    const auto found = routes->find(request);
    if (!found) return found.error();
    const auto wanted = request_for(*found, request, api_caller{});
    return wanted ? found->route->handle(*wanted) : wanted.error();
  };
}

std::expected<std::unique_ptr<http_server>, std::string> serve_api(node& n) {
  return http_server::start(n.config().api_host, n.config().api_port, make_api(n));
}

} // namespace homeostat
