#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace homeostat::testing {

/// What the fake does with one command.
struct fake_answer {
  enum class kind { rows, done, error, silence, disconnect };
  kind what{kind::done};
  std::vector<std::string> columns{};
  std::vector<std::vector<std::string>> rows{};
  std::string message{}; ///< of an error
};

/// A server that speaks as much of PostgreSQL's simple protocol as PgBouncer's admin console does, on a loopback port
/// of its own. Its answers come from one function, so that a test can refuse, stall, disconnect or lie at any command.
class fake_console {
public:
  using answer_function = std::function<fake_answer(const std::string& command)>;

  /// @param answer  called for each command, by one thread at a time.
  explicit fake_console(answer_function answer);
  /// Ends all connections and threads.
  ~fake_console();
  fake_console(const fake_console&) = delete;
  fake_console& operator=(const fake_console&) = delete;

  /// @returns the connection string of the console.
  [[nodiscard]] std::string conninfo() const;

  /// Runs something while no command is being answered: how a test looks at, or changes, what the answers come from.
  void exclusively(const std::function<void()>& run) const;

  /// From now on accepts connections without answering anything, as a stopped process does.
  void play_dead();

  /// Closes every connection, as a restarted process does.
  void drop_connections();

  /// @returns the commands so far, each with the number of its connection, from 1: "1 SHOW STATS".
  [[nodiscard]] std::vector<std::string> commands() const;

private:
  struct session {
    int socket;
    int number;
    std::thread thread;
  };

  void accept_connections();
  void serve(int socket, int number);
  bool answer_command(int socket, int number, const std::string& command);

  answer_function answer_;
  int listener_;
  std::uint16_t port_;
  mutable std::mutex mutex_;
  std::condition_variable stopping_changed_;
  bool stopping_{false};
  bool dead_{false};
  std::list<session> sessions_;
  std::vector<std::string> commands_;
  std::thread acceptor_;
};

/// @returns the connection string of a loopback port on which nobody listens.
[[nodiscard]] std::string conninfo_of_closed_port();

} // namespace homeostat::testing
