#include "runtime/plants/pgbouncer/admin_console.hpp"

#include <libpq-fe.h>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace homeostat {

namespace {

using time_point = admin_console::time_point;
using conninfo_options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;
using result = std::unique_ptr<PGresult, decltype(&PQclear)>;

constexpr const char* late = "no answer in time";

/// Waits for the socket. @returns why it failed, or nothing once one of `events` is there (errors count: reading tells
/// them).
std::optional<std::string> wait_for(const PGconn* c, short events, time_point deadline) {
  for (;;) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return late;
    pollfd p{PQsocket(c), events, 0};
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready = ::poll(&p, 1, static_cast<int>(std::min<long long>(ms, 60'000)));
    if (ready > 0) return std::nullopt;
    if (ready < 0 && errno != EINTR) return std::string("poll: ") + std::strerror(errno);
  }
}

/// libpq's messages end in newlines and may have several lines; ours are one sentence.
std::string one_line(const char* text) {
  std::string line = text != nullptr ? text : "";
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  std::ranges::replace(line, '\n', ' ');
  return line.empty() ? "unknown error" : line;
}

std::string host_and_port(const PGconn* c) {
  const auto text = [](const char* t) { return std::string(t != nullptr ? t : ""); };
  return text(PQhost(c)) + ":" + text(PQport(c));
}

console_table table_of(const PGresult* r) {
  console_table table;
  const int columns = PQnfields(r);
  for (int c = 0; c < columns; ++c) table.columns.emplace_back(PQfname(r, c));
  for (int row = 0; row < PQntuples(r); ++row) {
    auto& cells = table.rows.emplace_back();
    for (int c = 0; c < columns; ++c) cells.emplace_back(PQgetvalue(r, row, c));
  }
  return table;
}

/// Sends what libpq still holds, then waits until the next result can be taken without blocking.
std::optional<std::string> await_result(PGconn* c, time_point deadline) {
  for (;;) {
    const int unsent = PQflush(c);
    if (unsent < 0) return one_line(PQerrorMessage(c));
    if (unsent == 0 && PQisBusy(c) == 0) return std::nullopt;
    const short events = unsent != 0 ? POLLIN | POLLOUT : POLLIN;
    if (auto failure = wait_for(c, events, deadline)) return failure;
    if (PQconsumeInput(c) == 0) return one_line(PQerrorMessage(c));
  }
}

} // namespace

void admin_console::closer::operator()(pg_conn* c) const { PQfinish(c); }

admin_console::admin_console(std::string conninfo) : conninfo_(std::move(conninfo)) {}
admin_console::~admin_console() = default;

void admin_console::close() { connection_.reset(); }

plant_error admin_console::fail(std::string_view doing, std::string_view why) {
  std::string what = "PgBouncer console";
  if (connection_) what += " at " + host_and_port(connection_.get());
  connection_.reset();
  return {what.append(": ").append(doing).append(": ").append(why)};
}

std::expected<void, plant_error> admin_console::connect(time_point deadline) {
  char* complaint = nullptr;
  const conninfo_options given{PQconninfoParse(conninfo_.c_str(), &complaint), &PQconninfoFree};
  if (!given) {
    const std::unique_ptr<char, decltype(&PQfreemem)> owned{complaint, &PQfreemem};
    return std::unexpected(fail("the connection string is not valid", one_line(complaint)));
  }
  // Our defaults first: for a keyword given twice libpq takes the last.
  std::vector<const char*> keywords{"dbname", "gssencmode", "application_name"};
  std::vector<const char*> values{"pgbouncer", "disable", "homeostat"};
  for (const PQconninfoOption* o = given.get(); o->keyword != nullptr; ++o) {
    if (o->val == nullptr) continue;
    keywords.push_back(o->keyword);
    values.push_back(o->val);
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);

  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  PGconn* c = connection_.get();
  if (c == nullptr) return std::unexpected(fail("connecting", "out of memory"));
  PQsetNoticeProcessor(c, [](void*, const char*) {}, nullptr); // the default prints to our stderr
  auto wanted = PQstatus(c) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (wanted != PGRES_POLLING_OK) {
    if (wanted == PGRES_POLLING_FAILED) return std::unexpected(fail("connecting", one_line(PQerrorMessage(c))));
    const short events = wanted == PGRES_POLLING_WRITING ? POLLOUT : POLLIN;
    if (auto failure = wait_for(c, events, deadline)) return std::unexpected(fail("connecting", *failure));
    wanted = PQconnectPoll(c);
  }
  if (PQsetnonblocking(c, 1) != 0) return std::unexpected(fail("connecting", one_line(PQerrorMessage(c))));
  ++connection_count_;
  return {};
}

/// A pooler that was restarted since the last command has closed our socket: noticed here, it costs no failed command.
bool admin_console::is_alive() {
  if (!connection_ || PQstatus(connection_.get()) != CONNECTION_OK) return false;
  pollfd p{PQsocket(connection_.get()), POLLIN, 0};
  if (::poll(&p, 1, 0) <= 0) return true;
  return PQconsumeInput(connection_.get()) != 0 && PQstatus(connection_.get()) == CONNECTION_OK;
}

std::expected<console_table, plant_error> admin_console::run(std::string_view command, time_point deadline) {
  const std::string doing = "'" + std::string(command) + "'";
  if (!is_alive()) {
    if (auto connected = connect(deadline); !connected) return std::unexpected(connected.error());
  }
  PGconn* c = connection_.get();
  if (PQsendQuery(c, std::string(command).c_str()) == 0)
    return std::unexpected(fail(doing, one_line(PQerrorMessage(c))));

  console_table table;
  std::optional<std::string> refusal;
  for (;;) {
    if (auto failure = await_result(c, deadline)) return std::unexpected(fail(doing, *failure));
    const result r{PQgetResult(c), &PQclear};
    if (!r) break;
    switch (PQresultStatus(r.get())) {
    case PGRES_TUPLES_OK: table = table_of(r.get()); break;
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY: break;
    default: refusal = one_line(PQresultErrorMessage(r.get())); break;
    }
  }
  if (!refusal) return table;
  if (PQstatus(c) != CONNECTION_OK) return std::unexpected(fail(doing, *refusal));
  return std::unexpected(plant_error{"PgBouncer console at " + host_and_port(c) + ": " + doing + ": " + *refusal});
}

} // namespace homeostat
