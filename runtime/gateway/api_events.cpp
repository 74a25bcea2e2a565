#include "runtime/gateway/access.hpp"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/gateway/event_hub.hpp"

namespace homeostat {

void add_event_routes(router& r, std::shared_ptr<event_hub> hub, std::shared_ptr<access_control> access) {
  r.add({.method = "GET",
         .path = "/api/v1/events",
         .text = "Server-sent events: status at most once a second, audit for each new record, lost when a slow reader "
                 "missed some. Resumes after Last-Event-ID.",
         .needs = permission::read,
         .content_type = "text/event-stream",
         .problems = {503},
         .handle = [hub = std::move(hub), access = std::move(access)](const api_request& request) {
           auto stream = hub->subscribe(request.http.last_event_id, [access, header = request.http.authorization] {
             return access->still_permits(header, permission::read);
           });
           if (!stream) {
             auto response = problem(503, "too many listeners", "close another stream of events first");
             response.headers.emplace_back("Retry-After", "5");
             return response;
           }
           return http_response{.status = 200, .content_type = "text/event-stream", .stream = std::move(stream)};
         }});
}

} // namespace homeostat
