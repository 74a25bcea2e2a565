#include "runtime/demo/rig.hpp"

#include "runtime/demo/pgbouncer_files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace homeostat {

pgbouncer_rig::pgbouncer_rig(std::string folder) : folder_(std::move(folder)), script_(folder_ + "/pgbouncer-rig") {
  std::ofstream(script_) << pgbouncer_rig_script;
}

pgbouncer_rig::~pgbouncer_rig() { (void)run({"down", folder_ + "/rig"}); }

std::expected<void, std::string> pgbouncer_rig::run(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"bash", script_};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const std::string log = folder_ + "/rig-output.log";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  // The servers must not inherit our blocked signals, and a Ctrl-C on the terminal is ours to handle, not theirs.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t child = 0;
  const int error = posix_spawnp(&child, "bash", &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return std::unexpected("cannot run bash: " + std::string(std::strerror(error)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::ifstream output(log);
  const std::string text((std::istreambuf_iterator<char>(output)), std::istreambuf_iterator<char>());
  return std::unexpected("pgbouncer-rig " + arguments.front() + " failed: " + text);
}

std::expected<void, std::string> pgbouncer_rig::up(int clients) {
  if (auto ok = run({"up", folder_ + "/rig", "--clients", std::to_string(clients)}); !ok) return ok;
  std::ifstream file(folder_ + "/rig/rig.env");
  for (std::string line; std::getline(file, line);) {
    const auto equals = line.find('=');
    if (equals == std::string::npos || line.starts_with("#")) continue;
    std::string value = line.substr(equals + 1);
    if (value.size() >= 2 && (value.front() == '\'' || value.front() == '"')) value = value.substr(1, value.size() - 2);
    environment_[line.substr(0, equals)] = value;
  }
  return {};
}

std::expected<void, std::string> pgbouncer_rig::load(const std::string& workload) {
  return run({"load", folder_ + "/rig", workload});
}

std::expected<void, std::string> pgbouncer_rig::stop_load() { return run({"load-stop", folder_ + "/rig"}); }

std::string pgbouncer_rig::value(const std::string& name) const {
  const auto found = environment_.find(name);
  return found == environment_.end() ? "" : found->second;
}

} // namespace homeostat
