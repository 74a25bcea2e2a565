#include "runtime/plants/command/run_program.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace homeostat {
namespace {

std::vector<std::string> sh(const std::string& script) { return {"/bin/sh", "-c", script}; }

/// @returns true if there is a child of ours, running or as a zombie.
bool has_children() {
  int status = 0;
  return waitpid(-1, &status, WNOHANG) >= 0;
}

/// @returns true while a process runs. One that has ended counts as ended whether or not its parent has noticed.
bool is_running(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(stat, text)) return false;
  return text[text.rfind(')') + 2] != 'Z';
}

/// Waits for a process that was sent SIGKILL; @returns false if it is still there after ten seconds.
bool ends(pid_t pid) {
  for (int look = 0; look < 1000 && is_running(pid); ++look) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return !is_running(pid);
}

std::string scratch(const std::string& name) {
  return testing::TempDir() + "run-program-" + std::to_string(getpid()) + "-" + name;
}

TEST(RunProgram, ReturnsWhatIsPrinted) {
  EXPECT_EQ(run_program(sh("echo $X"), {{"X", "a b; c"}}, 5s), "a b; c\n");
  EXPECT_EQ(run_program({"true"}, {}, 5s), ""); // found in PATH
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, NoShellSeesTheArguments) {
  EXPECT_EQ(run_program({"echo", "$HOME", "; exit 1", "a  b"}, {}, 5s), "$HOME ; exit 1 a  b\n");
}

TEST(RunProgram, VariablesReplaceInheritedOnes) {
  setenv("HOMEOSTAT_RUN_PROGRAM_TEST", "ours", 1);
  const std::string script = "env | grep -c ^HOMEOSTAT_RUN_PROGRAM_TEST=; echo $HOMEOSTAT_RUN_PROGRAM_TEST";
  EXPECT_EQ(run_program(sh(script), {}, 5s), "1\nours\n");
  EXPECT_EQ(run_program(sh(script), {{"HOMEOSTAT_RUN_PROGRAM_TEST", "theirs"}}, 5s), "1\ntheirs\n");
  unsetenv("HOMEOSTAT_RUN_PROGRAM_TEST");
}

TEST(RunProgram, SaysWhyItFailed) {
  EXPECT_EQ(run_program(sh("echo first >&2; echo broken >&2; exit 3"), {}, 5s).error(),
            "/bin/sh: exit code 3, expected 0: broken");
  EXPECT_EQ(run_program(sh("kill -9 $$"), {}, 5s).error(), "/bin/sh: ended by signal 9");
  EXPECT_EQ(run_program({"/no/such/program"}, {}, 5s).error(),
            "/no/such/program: cannot be run: No such file or directory");
  EXPECT_EQ(run_program({"no-such-program-in-path"}, {}, 5s).error(),
            "no-such-program-in-path: cannot be run: No such file or directory");
  EXPECT_EQ(run_program({"/"}, {}, 5s).error(), "/: cannot be run: Permission denied");
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, LastWordsAreTheEndOfALongComplaintInOneLine) {
  const auto result = run_program(sh("i=0; while [ $i -lt 20000 ]; do echo noise >&2; i=$((i+1)); done;"
                                     " printf 'no\\ttable \\033[1mx\\n\\n' >&2; exit 1"),
                                  {}, 60s);
  EXPECT_EQ(result.error(), "/bin/sh: exit code 1, expected 0: no?table ?[1mx");
  const auto endless = run_program(sh("head -c 3000 /dev/zero | tr '\\0' x >&2; exit 1"), {}, 60s);
  EXPECT_EQ(endless.error(), "/bin/sh: exit code 1, expected 0: " + std::string(200, 'x') + "...");
}

TEST(RunProgram, KillsWhatHangsWithItsChildren) {
  const std::string file = scratch("pid");
  const auto result = run_program(sh("sleep 300 & echo $! >" + file + "; echo waiting >&2; sleep 300"), {}, 500ms);
  EXPECT_EQ(result.error(), "/bin/sh: took longer than 0.5 s and was killed: waiting");
  EXPECT_FALSE(has_children());
  pid_t grandchild = 0;
  std::ifstream(file) >> grandchild;
  ASSERT_GT(grandchild, 1);
  EXPECT_TRUE(ends(grandchild));
  std::filesystem::remove(file);
}

TEST(RunProgram, AProgramThatIgnoresPoliteSignalsIsKilledToo) {
  EXPECT_EQ(run_program(sh("trap '' TERM INT HUP; sleep 300; sleep 300"), {}, 200ms).error(),
            "/bin/sh: took longer than 0.2 s and was killed");
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, AChildThatClosesItsOutputAndStaysIsKilledToo) {
  EXPECT_EQ(run_program(sh("exec >&- 2>&-; sleep 300"), {}, 200ms).error(),
            "/bin/sh: took longer than 0.2 s and was killed");
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, ASilentEndIsSeenAtOnce) {
  EXPECT_EQ(run_program(sh("exec >&- 2>&-; exit 7"), {}, 60s).error(), "/bin/sh: exit code 7, expected 0");
}

TEST(RunProgram, AServiceStartedInTheBackgroundIsNeitherAwaitedNorKilled) {
  // It even holds the output open. A minute of patience would be the test's length if that were waited for.
  const auto result = run_program(sh("sleep 300 & echo $!"), {}, 60s);
  ASSERT_TRUE(result.has_value()) << result.error();
  const pid_t service = std::stoi(*result);
  EXPECT_TRUE(is_running(service));
  EXPECT_FALSE(has_children());
  kill(service, SIGKILL);
  EXPECT_TRUE(ends(service));
}

TEST(RunProgram, OutputUpToTheLimitIsReturnedAndOneByteMoreIsNot) {
  const std::string limit = std::to_string(program_output_limit);
  const auto full = run_program({"head", "-c", limit, "/dev/zero"}, {}, 60s);
  ASSERT_TRUE(full.has_value()) << full.error();
  EXPECT_EQ(full->size(), program_output_limit);
  EXPECT_EQ(run_program({"head", "-c", std::to_string(program_output_limit + 1), "/dev/zero"}, {}, 60s).error(),
            "head: printed more than " + limit + " bytes and was killed");
}

TEST(RunProgram, EndlessOutputIsCutOff) {
  EXPECT_EQ(run_program({"yes"}, {}, 60s).error(), "yes: printed more than 1048576 bytes and was killed");
  EXPECT_EQ(run_program(sh("yes >&2"), {}, 500ms).error(), "/bin/sh: took longer than 0.5 s and was killed: y");
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, LeavesNoDescriptorBehind) {
  const auto count = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  const auto before = count();
  for (int i = 0; i < 20; ++i) (void)run_program(sh("exit 1"), {}, 5s);
  (void)run_program(sh("sleep 300"), {}, 20ms);
  (void)run_program({"/no/such/program"}, {}, 5s);
  EXPECT_EQ(count(), before);
}

TEST(RunProgram, TheProgramInheritsNoDescriptorAndHasNoInput) {
  const int leaky = open("/dev/null", O_RDONLY); // without O_CLOEXEC, as in a careless library
  ASSERT_GE(leaky, 3);
  EXPECT_EQ(run_program(sh("cat; cd /proc/$$/fd && echo *"), {}, 5s), "0 1 2\n");
  close(leaky);
}

TEST(RunProgram, SignalsHaveTheirDefaultMeaning) {
  const auto before = std::signal(SIGPIPE, SIG_IGN); // as servers do
  // With SIGPIPE ignored `yes` would complain about its reader, instead of being ended.
  EXPECT_EQ(run_program({"bash", "-c", "yes | head -n 1; echo ${PIPESTATUS[0]}"}, {}, 60s), "y\n141\n");
  std::signal(SIGPIPE, before);
}

TEST(RunProgram, AnExitCodeThatIsLostIsNoSuccess) {
  const auto before = std::signal(SIGCHLD, SIG_IGN); // the kernel then reaps by itself
  const auto result = run_program(sh("exit 0"), {}, 5s);
  std::signal(SIGCHLD, before);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), "/bin/sh: its exit code is lost: No child processes");
}

TEST(RunProgram, RunsFromSeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<int> good(8, 0);
  for (std::size_t t = 0; t < good.size(); ++t)
    threads.emplace_back([&good, t] {
      for (int i = 0; i < 10; ++i)
        good[t] += run_program({"echo", std::to_string(t)}, {}, 60s) == std::to_string(t) + "\n" ? 1 : 0;
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(good, std::vector<int>(8, 10));
  EXPECT_FALSE(has_children());
}

} // namespace
} // namespace homeostat
