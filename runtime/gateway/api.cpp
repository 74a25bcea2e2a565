#include "runtime/gateway/api.hpp"

#include "runtime/gateway/access.hpp"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/gateway/event_hub.hpp"
#include "runtime/gateway/live_feed.hpp"
#include "runtime/gateway/once.hpp"

#include <boost/asio/ip/address.hpp>
#include <spdlog/spdlog.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace homeostat {

namespace {

/// Everything behind the server's handler.
struct api_parts {
  api_parts(node& n, std::unique_ptr<token_store> tokens, request_rate rate)
      : access(std::make_shared<access_control>(
            std::move(tokens), [&n](audit_record record) { n.record(std::move(record)); }, [&n] { return n.now(); },
            rate)),
        hub(event_hub::make(std::to_string(n.now().time_since_epoch().count()))), feed(n, *hub),
        once([&n] { return n.now(); }) {
    add_all_routes(routes, n, hub, access);
  }

  http_response answer(const http_request& request) {
    const auto found = routes.find(request);
    auto caller = found ? access->admit(request, found->route->needs) : access->admit_unknown(request);
    if (!caller) return std::move(caller.error());
    if (!found) return found.error();
    const auto wanted = request_for(*found, request, std::move(*caller));
    if (!wanted) return wanted.error();
    const auto& handle = found->route->handle;
    return request.method == "POST" && !request.idempotency_key.empty() ? once.run(*wanted, handle) : handle(*wanted);
  }

  router routes;
  std::shared_ptr<access_control> access;
  std::shared_ptr<event_hub> hub;
  live_feed feed;
  once_only once;
};

/// The server together with what happens once a second.
class gateway final : public http_server {
public:
  gateway(std::shared_ptr<api_parts> parts, std::unique_ptr<http_server> server)
      : parts_(std::move(parts)), server_(std::move(server)), ticker_([this] { tick(); }) {}
  ~gateway() override { stop(); }

  std::uint16_t port() const override { return server_->port(); }

  void stop() override {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(stopped_, true)) return;
    }
    wake_.notify_all();
    ticker_.join(); // before the server: events are posted to it
    parts_->hub->end();
    server_->stop();
    parts_->access->flush(true);
  }

private:
  void tick() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopped_; })) {
      lock.unlock();
      try {
        parts_->access->flush();
        parts_->feed.tick();
      } catch (const std::exception& e) { spdlog::error("events: {}", e.what()); }
      lock.lock();
    }
  }

  std::shared_ptr<api_parts> parts_;
  std::unique_ptr<http_server> server_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_{false};
  std::thread ticker_; // last: it uses the others
};

/// @returns what is missing for listening there; empty if nothing.
std::string missing_for(const node_config& config) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(config.api_host, error);
  if (error || address.is_loopback()) return {};
  if (!config.api_tls && !config.api_tokens_file) return "api.tls and api.tokens_file";
  if (!config.api_tls) return "api.tls";
  return config.api_tokens_file ? "" : "api.tokens_file";
}

} // namespace

void add_all_routes(router& r, node& n, std::shared_ptr<event_hub> hub, std::shared_ptr<access_control> access) {
  add_status_routes(r, n);
  add_audit_routes(r, n);
  add_loop_routes(r, n);
  add_authority_routes(r, n);
  add_pool_routes(r, n);
  add_experiment_routes(r, n);
  add_pool_advice_routes(r, n);
  add_event_routes(r, std::move(hub), std::move(access));
  add_console_routes(r);
  add_openapi_route(r); // last: it describes those before it
}

http_handler api_handler(node& n, std::unique_ptr<token_store> tokens, request_rate rate) {
  return [parts = std::make_shared<api_parts>(n, std::move(tokens), rate)](const http_request& request) {
    return parts->answer(request);
  };
}

std::expected<std::unique_ptr<http_server>, std::string> serve_api(node& n, const api_limits& limits) {
  const node_config& config = n.config();
  if (const auto missing = missing_for(config); !missing.empty())
    return std::unexpected("the API does not listen on " + config.api_host +
                           ", which is not a loopback address, without " + missing);
  std::unique_ptr<token_store> tokens;
  if (config.api_tokens_file) {
    auto opened = token_store::open(*config.api_tokens_file);
    if (!opened) return std::unexpected("api.tokens_file: " + opened.error());
    tokens = std::move(*opened);
  }
  std::optional<tls_files> tls;
  if (config.api_tls) tls = tls_files{.certificate = config.api_tls->certificate, .key = config.api_tls->key};
  auto parts = std::make_shared<api_parts>(n, std::move(tokens), limits.rate);
  auto server = http_server::start(
      config.api_host, config.api_port, [parts](const http_request& request) { return parts->answer(request); }, tls,
      limits.server);
  if (!server) return std::unexpected(server.error());
  return std::make_unique<gateway>(std::move(parts), std::move(*server));
}

} // namespace homeostat
