#pragma once

#include "messages/search.pb.h"
#include "policies/search/solver.hpp"
#include "runtime/store/sqlite_connection.hpp"
#include "runtime/store/store_lock.hpp"

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace homeostat {

/// A configuration as it was found.
struct config_file {
  std::string name; ///< of the file, for messages
  std::string text;
};

/// A batch search whose every ask and tell is on disk before it is answered, in one SQLite file. A process that dies at
/// any instant loses nothing that was acknowledged; the next one opens the file, replays the journal, and goes on with
/// the same run bit for bit (I7, I9). One process at a time.
class search_run {
public:
  /// Begins a run, or goes on with the one in the file.
  /// @param config  the configuration as written; absent: the one the run began with.
  /// @returns the run, or one sentence: a file that is no search, a journal that does not follow from its
  ///          configuration, another configuration than the one it began with, another process that has it open.
  [[nodiscard]] static std::expected<search_run, std::string> open(const std::filesystem::path& state,
                                                                   const std::optional<config_file>& config);
  /// Creates a run from an exported document. @errors  the file exists, or the document is damaged or does not replay.
  [[nodiscard]] static std::expected<search_run, std::string> import(const std::filesystem::path& state,
                                                                     const std::string& json);

  /// As solver::ask, recorded.
  [[nodiscard]] std::expected<std::vector<trial>, std::string> ask(std::size_t count);
  /// As solver::tell, recorded.
  std::expected<std::uint64_t, std::string> tell(const named_result& result);
  std::expected<void, std::string> tell(std::uint64_t id, double value, double cost);
  /// As solver::add_seed, recorded.
  std::expected<std::uint64_t, std::string> add_seed(const named_result& result);

  /// @returns candidates asked for and not told, oldest first: what a resumed run must evaluate first.
  [[nodiscard]] std::vector<trial> open_trials() const;
  [[nodiscard]] const solver& search() const { return solver_; }
  [[nodiscard]] v1::SearchDocument document() const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// @returns true if the file held a run already.
  [[nodiscard]] bool resumed() const { return resumed_; }

private:
  search_run(std::filesystem::path path, store_lock lock, sqlite_connection db, std::string config, solver s)
      : path_(std::move(path)), lock_(std::move(lock)), db_(std::move(db)), config_(std::move(config)),
        solver_(std::move(s)) {}
  static std::expected<search_run, std::string> create(const std::filesystem::path& state, const config_file& config,
                                                       std::span<const journal_entry> journal);
  static std::expected<search_run, std::string> write_new(const std::filesystem::path& state, store_lock& lock,
                                                          const std::string& config, solver s);
  std::expected<void, std::string> record_new();

  std::filesystem::path path_;
  store_lock lock_;
  sqlite_connection db_;
  std::string config_;
  solver solver_;
  std::size_t recorded_{0}; ///< entries of the journal on disk
  bool resumed_{false};
};

/// Puts a trial's values under their knobs' names.
void put(v1::SearchTrial* out, const search_space& space, const trial& t);
/// @returns where a run stands.
[[nodiscard]] v1::SearchReport report_of(const search_run& run);

} // namespace homeostat
