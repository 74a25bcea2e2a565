#include "tests/runtime/plants/pgbouncer/fake_console.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <tuple>
#include <utility>

namespace homeostat::testing {

namespace {

constexpr std::uint32_t ssl_request = 80877103; // in place of the protocol version

void append_int(std::string& out, std::uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xFF);
}

std::string message(char type, const std::string& body) {
  std::string out(1, type);
  append_int(out, static_cast<std::uint32_t>(body.size() + 4), 4);
  return out + body;
}

std::string row_description(const std::vector<std::string>& columns) {
  std::string body;
  append_int(body, static_cast<std::uint32_t>(columns.size()), 2);
  for (const auto& name : columns) {
    body += name + '\0';
    append_int(body, 0, 4);  // no table
    append_int(body, 0, 2);  // no column of one
    append_int(body, 25, 4); // text
    append_int(body, 0xFFFF, 2);
    append_int(body, 0xFFFFFFFF, 4);
    append_int(body, 0, 2);
  }
  return message('T', body);
}

std::string data_row(const std::vector<std::string>& cells) {
  std::string body;
  append_int(body, static_cast<std::uint32_t>(cells.size()), 2);
  for (const auto& cell : cells) {
    append_int(body, static_cast<std::uint32_t>(cell.size()), 4);
    body += cell;
  }
  return message('D', body);
}

const std::string ready_for_query = message('Z', "I");

std::string wire_form(const fake_answer& a) {
  using kind = fake_answer::kind;
  if (a.what == kind::error) {
    const std::string fields = std::string("SERROR") + '\0' + "C08P01" + '\0' + "M" + a.message + '\0' + '\0';
    return message('E', fields) + ready_for_query;
  }
  std::string out;
  if (a.what == kind::rows) {
    out += row_description(a.columns);
    for (const auto& row : a.rows) out += data_row(row);
  }
  return out + message('C', std::string("SHOW") + '\0') + ready_for_query;
}

bool send_all(int socket, const std::string& bytes) {
  return ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::optional<std::string> receive(int socket, std::size_t size) {
  std::string bytes(size, '\0');
  if (size > 0 && ::recv(socket, bytes.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size)) return std::nullopt;
  return bytes;
}

std::optional<std::uint32_t> receive_int(int socket) {
  const auto bytes = receive(socket, 4);
  if (!bytes) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : *bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

/// @returns a socket bound to a free loopback port, and that port.
std::pair<int, std::uint16_t> bound_socket() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (socket < 0 || ::bind(socket, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    std::abort(); // no loopback: nothing here can be tested
  return {socket, ntohs(address.sin_port)};
}

std::string conninfo_of(std::uint16_t port) { return "host=127.0.0.1 port=" + std::to_string(port) + " user=admin"; }

} // namespace

fake_console::fake_console(answer_function answer) : answer_(std::move(answer)) {
  std::tie(listener_, port_) = bound_socket();
  if (::listen(listener_, 16) != 0) std::abort();
  acceptor_ = std::thread([this] { accept_connections(); });
}

fake_console::~fake_console() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopping_changed_.notify_all();
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  drop_connections();
  for (auto& s : sessions_) {
    s.thread.join();
    ::close(s.socket);
  }
}

std::string fake_console::conninfo() const { return conninfo_of(port_); }

void fake_console::exclusively(const std::function<void()>& run) const {
  const std::lock_guard lock(mutex_);
  run();
}

void fake_console::play_dead() {
  const std::lock_guard lock(mutex_);
  dead_ = true;
}

void fake_console::drop_connections() {
  const std::lock_guard lock(mutex_);
  for (const auto& s : sessions_) ::shutdown(s.socket, SHUT_RDWR);
}

std::vector<std::string> fake_console::commands() const {
  const std::lock_guard lock(mutex_);
  return commands_;
}

void fake_console::accept_connections() {
  for (;;) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ::close(socket);
      return;
    }
    const int number = static_cast<int>(sessions_.size()) + 1;
    auto& s = sessions_.emplace_back(session{socket, number, {}});
    s.thread = std::thread([this, socket, number] { serve(socket, number); });
  }
}

void fake_console::serve(int socket, int number) {
  const auto dead = [this] {
    const std::lock_guard lock(mutex_);
    return dead_;
  };
  for (;;) {
    const auto length = receive_int(socket);
    if (!length) return;
    const auto code = receive_int(socket);
    if (!code || !receive(socket, *length - 8)) return;
    if (dead()) continue; // reads on and says nothing
    if (*code != ssl_request) break;
    if (!send_all(socket, "N")) return;
  }
  std::string granted;
  append_int(granted, 0, 4);
  if (!send_all(socket, message('R', granted) + ready_for_query)) return;
  for (;;) {
    const auto type = receive(socket, 1);
    const auto length = type ? receive_int(socket) : std::nullopt;
    const auto body = length ? receive(socket, *length - 4) : std::nullopt;
    if (!body || *type != "Q") return;
    if (dead()) continue;
    if (!answer_command(socket, number, std::string(body->c_str()))) return;
  }
}

bool fake_console::answer_command(int socket, int number, const std::string& command) {
  fake_answer answer;
  {
    std::unique_lock lock(mutex_);
    commands_.push_back(std::to_string(number) + " " + command);
    answer = answer_(command);
    if (answer.what == fake_answer::kind::silence) {
      stopping_changed_.wait(lock, [this] { return stopping_; });
      return false;
    }
  }
  if (answer.what == fake_answer::kind::disconnect) {
    ::shutdown(socket, SHUT_RDWR);
    return false;
  }
  return send_all(socket, wire_form(answer));
}

std::string conninfo_of_closed_port() {
  const auto [socket, port] = bound_socket();
  ::close(socket);
  return conninfo_of(port);
}

} // namespace homeostat::testing
