#include "runtime/gateway/http_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>

#include <latch>

namespace homeostat {
namespace {

using ::testing::HasSubstr;
namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int busy = 4; // as many as there are handlers

/// Asks and does not wait for the answer.
struct asker {
  asker(asio::io_context& context, std::uint16_t port, std::vector<std::string>& answers) : socket(context) {
    socket.connect({asio::ip::make_address("127.0.0.1"), port});
    asio::write(socket, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    asio::async_read_until(socket, received, "\r\n\r\n", [&](boost::system::error_code, std::size_t) {
      answers.emplace_back(asio::buffers_begin(received.data()), asio::buffers_end(received.data()));
    });
  }
  tcp::socket socket;
  asio::streambuf received;
};

TEST(HttpServer, RefusesWhatWouldWaitBehind256Requests) {
  const http_limits limits;
  ASSERT_EQ(limits.waiting, 256U);
  std::latch all_busy(busy), released(1);
  std::atomic<int> entered{0};
  const auto server = http_server::start("127.0.0.1", 0, [&](const http_request&) {
                        if (entered++ < busy) all_busy.count_down();
                        released.wait();
                        return http_response{};
                      }).value();
  asio::io_context context;
  std::vector<std::string> answers;
  std::vector<std::unique_ptr<asker>> askers;
  const auto ask = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) askers.push_back(std::make_unique<asker>(context, server->port(), answers));
  };
  ask(busy);
  all_busy.wait();
  constexpr std::size_t too_many = 3;
  ask(limits.waiting + too_many);
  while (answers.size() < too_many) context.run_one();
  for (const std::string& answer : answers) {
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 503 "));
    EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
    EXPECT_THAT(answer, HasSubstr("application/problem+json"));
  }
  released.count_down();
  context.run();
  EXPECT_EQ(answers.size(), busy + limits.waiting + too_many);
  EXPECT_EQ(std::ranges::count_if(answers, [](const std::string& a) { return a.starts_with("HTTP/1.1 200 "); }),
            static_cast<std::ptrdiff_t>(busy + limits.waiting));
  server->stop();
}

} // namespace
} // namespace homeostat
