// The pools' learning as a service: what is trained, kept and served, and what a bad disk or a person's word does to
// it.
#include "runtime/learning/learning_service.hpp"
#include "tests/runtime/learning/small_model.hpp"
#include "tests/runtime/store/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

namespace homeostat {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;
namespace fs = std::filesystem;

class learning_service_test : public ::testing::Test {
protected:
  void start() {
    service.emplace(folder / "models", pool_learning_settings{},
                    pool_notes{.note = [](const std::string&, const std::string&) {},
                               .alert = [this](const std::string& of,
                                               const std::string& text) { alerts.push_back(of + ": " + text); }});
    service->add(pool, 1, now);
  }
  void feed() {
    for (const transfer_metrics& m : transfer_world{.exploration = 0.5}.draw_many(6000, 1))
      service->observe("tensors", m, now);
  }
  learning_status status() { return service->status("tensors").value(); }
  /// Looks again and again, as the learning engine does, until the worker has nothing under way.
  void review_until_idle() {
    service->review(now);
    while (status().training) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      service->review(now);
    }
  }
  [[nodiscard]] fs::path models() const { return folder / "models" / "tensors"; }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const auto& file : fs::directory_iterator(models())) names.push_back(file.path().filename());
    return names;
  }

  temporary_folder folder;
  transfer_pool pool{"tensors", {}};
  std::vector<std::string> alerts;
  instant now{world_begin + 24h};
  std::optional<learning_service> service;
};

TEST_F(learning_service_test, AModelIsKeptThenServedAndFoundAgain) {
  start();
  feed();
  review_until_idle();
  EXPECT_EQ(status().model, 1U) << status().failure << status().gate;
  EXPECT_EQ(status().step, "observe");
  EXPECT_THAT(files(), ElementsAre("model-000000000001.hsmodel"));
  start();
  EXPECT_EQ(status().model, 1U);
  EXPECT_THAT(alerts, IsEmpty());
}

TEST_F(learning_service_test, ATrainingUnderWayIsVoidWhenRulesAreToDecide) {
  start();
  feed();
  service->review(now);
  ASSERT_TRUE(status().training);
  transfer_policy rules = pool.policy();
  rules.learning_enabled = false;
  ASSERT_TRUE(pool.set_policy(rules, now));
  service->withdraw("tensors", "rollback to rules", now);
  review_until_idle();
  EXPECT_EQ(status().step, "") << "its model is not served";
  EXPECT_THAT(files(), IsEmpty()) << "and does not come back with the next start";
  EXPECT_EQ(status().failure, "") << "nothing failed";

  rules.learning_enabled = true;
  ASSERT_TRUE(pool.set_policy(rules, now));
  review_until_idle();
  EXPECT_EQ(status().step, "observe") << "what was void costs no pause";
}

/// A pipe in the place of the file that is being written stands for a disk that hangs: who writes waits for who reads.
class hanging_disk {
public:
  explicit hanging_disk(const fs::path& folder) : path_(folder / "unfinished") {
    if (::mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("no pipe at " + path_.string());
  }
  hanging_disk(const hanging_disk&) = delete;
  hanging_disk& operator=(const hanging_disk&) = delete;
  ~hanging_disk() { release(); }
  /// Returns once somebody is writing. The pipe takes 64 KiB, the rest of a model waits.
  void await_writer() { fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC); }
  /// The write ends; a pipe cannot be synced, so it ends in failure.
  void release() {
    if (fd_ < 0) return;
    char sink[65536];
    while (::read(fd_, sink, sizeof sink) > 0) {}
    ::close(std::exchange(fd_, -1));
  }

private:
  fs::path path_;
  int fd_{-1};
};

TEST_F(learning_service_test, ADiskThatHangsHoldsUpTheWorkerAndNobodyElse) {
  start();
  feed();
  hanging_disk disk(models());
  service->review(now);
  disk.await_writer();
  // The test ends here for good if one of these waits.
  service->review(now);
  feed();
  EXPECT_TRUE(status().training);
  EXPECT_EQ(status().step, "") << "kept first, then served";
  disk.release();
  review_until_idle();
  EXPECT_EQ(status().step, "observe");
  EXPECT_THAT(alerts, ElementsAre(HasSubstr("served but could not be kept")));
}

TEST_F(learning_service_test, RulesDecideAtOnceWhileAModelIsBeingSaved) {
  start();
  feed();
  hanging_disk disk(models());
  service->review(now);
  disk.await_writer();
  transfer_policy rules = pool.policy();
  rules.learning_enabled = false;
  ASSERT_TRUE(pool.set_policy(rules, now));
  service->withdraw("tensors", "rollback to rules", now);
  disk.release();
  review_until_idle();
  EXPECT_EQ(status().step, "");
  EXPECT_THAT(alerts, IsEmpty()) << "nobody wants it kept";
}

TEST_F(learning_service_test, AModelThatCannotBeKeptIsServedAndSaidSoUntilOneIsKept) {
  start();
  fs::create_directory(models() / "unfinished"); // in the place of the file that would be written
  feed();
  review_until_idle();
  EXPECT_EQ(status().step, "observe");
  EXPECT_EQ(status().model, 0U);
  EXPECT_THAT(status().failure, HasSubstr("served but could not be kept: " + (models() / "unfinished").string()));
  EXPECT_THAT(alerts, SizeIs(1));
  fs::remove(models() / "unfinished");
  now += 2h;
  feed();
  review_until_idle();
  EXPECT_EQ(status().model, 1U);
  EXPECT_EQ(status().failure, "");
}

struct harm {
  const char* name;
  std::function<void(const fs::path&)> done;
};
class harmed_file : public learning_service_test, public ::testing::WithParamInterface<harm> {};

TEST_P(harmed_file, GivesAnAlertAndNoModelAndTheNextOneTakesItsPlace) {
  auto store = model_store::open(models());
  ASSERT_TRUE(store && store->save(small_model()));
  GetParam().done(store->file_of(1));
  start();
  EXPECT_EQ(status().step, "");
  EXPECT_THAT(status().failure, HasSubstr("model-000000000001.hsmodel"));
  EXPECT_THAT(alerts, ElementsAre(HasSubstr("tensors: no model, rules decide")));
  EXPECT_EQ(pool.decide({.data_size = 2U << 20U}).reason, decision_reason::threshold);
  feed();
  review_until_idle();
  EXPECT_EQ(status().model, 2U) << status().failure;
}

void write_at(const fs::path& path, std::streamoff at, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(at);
  file.put(byte);
}

INSTANTIATE_TEST_SUITE_P(
    learning_service, harmed_file,
    ::testing::Values(harm{"Corrupted", [](const fs::path& p) { write_at(p, 200, '\x55'); }},
                      harm{"Truncated", [](const fs::path& p) { fs::resize_file(p, fs::file_size(p) / 2); }},
                      harm{"Empty", [](const fs::path& p) { fs::resize_file(p, 0); }},
                      harm{"OfAnotherFormat", [](const fs::path& p) { write_at(p, 8, '\x7f'); }},
                      harm{"AFolder", [](const fs::path& p) { fs::remove(p), fs::create_directory(p); }}),
    [](const auto& row) { return std::string(row.param.name); });

} // namespace
} // namespace homeostat
