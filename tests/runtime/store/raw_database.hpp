#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>

namespace homeostat {

/// A database as somebody with the file and a SQL shell sees it: past our code and its checks.
class raw_database {
public:
  explicit raw_database(const std::filesystem::path& path) {
    sqlite3* raw = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &raw), SQLITE_OK) << sqlite3_errmsg(raw);
    database_.reset(raw);
  }

  void execute(const std::string& sql) {
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << (message != nullptr ? message : "") << " in " << sql;
    sqlite3_free(message);
  }

private:
  struct close {
    void operator()(sqlite3* p) const { sqlite3_close(p); }
  };
  std::unique_ptr<sqlite3, close> database_;
};

} // namespace homeostat
