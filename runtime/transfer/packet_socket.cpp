#include "runtime/transfer/packet_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace homeostat {

namespace {

using kind = transfer_error::kind;

/// Larger than any packet of ours; a longer one is refused, not cut.
constexpr std::size_t packet_limit = 4096;

std::unexpected<transfer_error> error(kind why, std::string text) {
  return std::unexpected(transfer_error{why, std::move(text)});
}

std::unexpected<transfer_error> system_error(const std::string& call) {
  const int code = errno;
  kind why = kind::failed;
  if (code == ECONNREFUSED || code == ENOENT || code == EPIPE || code == ECONNRESET) why = kind::peer_gone;
  if (code == EMFILE || code == ENFILE || code == ENOMEM || code == ENOBUFS || code == ETOOMANYREFS || code == EAGAIN)
    why = kind::exhausted;
  return error(why, call + ": " + std::strerror(code));
}

std::expected<sockaddr_un, transfer_error> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return error(kind::failed, "socket path '" + path + "' has " + std::to_string(path.size()) +
                                   " bytes, expected 1 to " + std::to_string(sizeof address.sun_path - 1));
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

std::expected<void, transfer_error> wait_for(int fd, short what, packet_socket::deadline until) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    if (left <= 0) return error(kind::timed_out, "the peer did not answer in time");
    pollfd ask{fd, what, 0};
    const int ready = ::poll(&ask, 1, static_cast<int>(std::min<long long>(left, 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return system_error("poll");
  }
}

} // namespace

std::expected<packet_socket, transfer_error> packet_socket::connect(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  descriptor fd(
      ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); // a full backlog is an answer, not a wait
  if (!fd) return system_error("socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return system_error("connect to " + path);
  return packet_socket(std::move(fd));
}

std::expected<void, transfer_error> packet_socket::send(const std::string& bytes, int passed, deadline until) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (passed >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &passed, sizeof passed);
  }
  for (;;) {
    if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return system_error("send to the peer");
    if (auto ready = wait_for(fd_.get(), POLLOUT, until); !ready) return ready;
  }
}

std::expected<packet_socket::packet, transfer_error> packet_socket::receive(deadline until) {
  std::array<char, packet_limit> buffer;
  for (;;) {
    if (auto ready = wait_for(fd_.get(), POLLIN, until); !ready) return std::unexpected(ready.error());
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_LEN(sizeof(int)); // not the padding: a second descriptor would fit into it, and leak
    const ssize_t size = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return system_error("receive from the peer");
    }
    packet received;
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head))
      if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(head), sizeof fd); // one at most: the buffer has no room for more
        received.passed = descriptor(fd);
      }
    if (size == 0) return error(kind::peer_gone, "the peer has closed the connection");
    if ((message.msg_flags & MSG_TRUNC) != 0)
      return error(kind::failed, "the peer sent a packet of more than " + std::to_string(packet_limit) + " bytes");
    if ((message.msg_flags & MSG_CTRUNC) != 0)
      return error(kind::exhausted, "the peer's descriptor could not be taken: none is free, or there were several");
    received.bytes.assign(buffer.data(), static_cast<std::size_t>(size));
    return received;
  }
}

void packet_socket::shut_down() noexcept {
  if (fd_) ::shutdown(fd_.get(), SHUT_RDWR);
}

std::expected<descriptor, transfer_error> listen_for_packets(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const auto other = packet_socket::connect(path);
  if (other) return error(kind::failed, "another process listens on " + path);
  struct stat state{};
  if (::lstat(path.c_str(), &state) == 0) {
    if (!S_ISSOCK(state.st_mode)) return error(kind::failed, path + " exists and is no socket");
    // Only a refused connection says that nobody listens: a full backlog or another kind of socket is alive.
    if (other.error().why != kind::peer_gone)
      return error(kind::failed, "another process seems to listen on " + path + ": " + other.error().text);
    ::unlink(path.c_str());
  }
  descriptor fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket");
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return system_error("bind " + path);
  if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0)
    return system_error("chmod " + path); // nobody reaches it before listen
  if (::listen(fd.get(), 1024) != 0) return system_error("listen on " + path);
  return fd;
}

} // namespace homeostat
