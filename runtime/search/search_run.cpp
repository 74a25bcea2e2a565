#include "runtime/search/search_run.hpp"

#include "messages/json.hpp"
#include "runtime/search/result_json.hpp"
#include "runtime/search/search_config.hpp"

#include <openssl/evp.h>

#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace homeostat {

namespace {

constexpr std::uint32_t document_version = 1;
constexpr std::int64_t application_id = 0x484F5345; // "HOSE": tells our file from any other database
constexpr auto patience = std::chrono::milliseconds(5000);

std::string name_of(journal_kind kind) {
  switch (kind) {
  case journal_kind::ask: return "ask";
  case journal_kind::tell: return "tell";
  case journal_kind::seed: return "seed";
  }
  return "?";
}

std::expected<journal_entry, std::string> entry_of(const v1::SearchEntry& in) {
  journal_entry e;
  if (in.kind() == "ask")
    e.kind = journal_kind::ask;
  else if (in.kind() == "tell")
    e.kind = journal_kind::tell;
  else if (in.kind() == "seed")
    e.kind = journal_kind::seed;
  else
    return std::unexpected("journal entry of kind '" + in.kind() + "': expected ask, tell or seed");
  e.id = in.id();
  e.values.assign(in.values().begin(), in.values().end());
  e.value = in.value();
  e.cost = in.cost();
  return e;
}

void write_entry(v1::SearchEntry* out, const journal_entry& e) {
  out->set_kind(name_of(e.kind));
  out->set_id(e.id);
  for (double v : e.values) out->add_values(v);
  out->set_value(e.value);
  out->set_cost(e.cost);
}

std::string checksum_of(const v1::SearchDocument& document) {
  std::string bytes = document.config();
  for (const auto& e : document.journal()) bytes += e.SerializeAsString();
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return to_hex(std::as_bytes(std::span(digest)));
}

/// SQLite opens a file that exists; this one makes it, with rights for its owner alone.
std::expected<void, std::string> make_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return std::unexpected(path.string() + ": cannot be created: " + std::strerror(errno));
  ::close(fd);
  return {};
}

/// SQLite takes a file shorter than its header for an empty database and would overwrite it.
bool is_database(const std::filesystem::path& path) {
  constexpr std::string_view magic = "SQLite format 3";
  std::string head(magic.size(), ' ');
  return std::ifstream(path, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size())) &&
         head == magic;
}

std::expected<std::vector<journal_entry>, std::string> read_journal(sqlite_connection& db) {
  auto rows = db.prepare("SELECT seq, entry FROM journal ORDER BY seq");
  if (!rows) return std::unexpected(rows.error().what);
  std::vector<journal_entry> journal;
  for (;;) {
    const auto row = rows->step("reading the journal");
    if (!row) return std::unexpected(row.error().what);
    if (!*row) return journal;
    v1::SearchEntry entry;
    const std::string_view bytes = rows->bytes(1);
    if (rows->number(0) != journal.size() || !entry.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      return std::unexpected(db.path() + ": journal entry " + std::to_string(journal.size()) + " is damaged");
    auto e = entry_of(entry);
    if (!e) return std::unexpected(db.path() + ": " + e.error());
    journal.push_back(std::move(*e));
  }
}

std::expected<std::string, std::string> read_config(sqlite_connection& db) {
  auto row = db.prepare("SELECT config FROM search");
  if (!row) return std::unexpected(row.error().what);
  const auto found = row->step("reading the configuration");
  if (!found) return std::unexpected(found.error().what);
  if (!*found) return std::unexpected(db.path() + ": has no configuration: damaged");
  return std::string(row->bytes(0));
}

std::expected<sqlite_connection, std::string> open_database(const std::filesystem::path& path) {
  auto db = sqlite_connection::open(path, sqlite_connection::mode::read_write, patience);
  if (!db) return std::unexpected(db.error().what);
  // Each acknowledged entry is on disk: WAL with a sync at each commit.
  for (const char* pragma : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"})
    if (auto done = db->execute(pragma, "setting up"); !done) return std::unexpected(done.error().what);
  return std::move(*db);
}

std::expected<void, std::string> make_schema(sqlite_connection& db, const std::string& config) {
  const std::string sql = "CREATE TABLE search (config TEXT NOT NULL); CREATE TABLE journal (seq INTEGER PRIMARY KEY, "
                          "entry BLOB NOT NULL); "
                          "PRAGMA application_id = " +
                          std::to_string(application_id);
  if (auto done = db.execute("BEGIN", "creating"); !done) return std::unexpected(done.error().what);
  if (auto done = db.execute(sql, "creating"); !done) return std::unexpected(done.error().what);
  auto insert = db.prepare("INSERT INTO search VALUES (?1)");
  if (!insert) return std::unexpected(insert.error().what);
  insert->bind_text(1, config);
  if (auto done = insert->run("creating"); !done) return std::unexpected(done.error().what);
  if (auto done = db.execute("COMMIT", "creating"); !done) return std::unexpected(done.error().what);
  return {};
}

std::expected<solver_settings, std::string> read_settings(const config_file& config) {
  auto settings = read_search_config(config.name, config.text);
  if (!settings) return std::unexpected(lines_of(settings.error()));
  return std::move(*settings);
}

} // namespace

std::expected<search_run, std::string> search_run::create(const std::filesystem::path& path, const config_file& config,
                                                          std::span<const journal_entry> journal) {
  auto settings = read_settings(config);
  if (!settings) return std::unexpected(settings.error());
  auto s = solver::replay(std::move(*settings), journal);
  if (!s) return std::unexpected(s.error());
  auto lock = store_lock::acquire(path);
  if (!lock) return std::unexpected(lock.error().what);
  const bool fresh = !std::filesystem::exists(path); // looked at under the lock
  auto run = write_new(path, *lock, config.text, std::move(*s));
  if (run || !fresh) return run;
  // Half an import would pass for a search that has just begun.
  for (const char* part : {"", "-wal", "-shm"}) {
    std::error_code ignored;
    std::filesystem::remove(path.string() + part, ignored);
  }
  return run;
}

std::expected<search_run, std::string> search_run::write_new(const std::filesystem::path& path, store_lock& lock,
                                                             const std::string& config, solver s) {
  if (auto made = make_file(path); !made) return std::unexpected(made.error());
  auto db = open_database(path);
  if (!db) return std::unexpected(db.error());
  if (auto done = make_schema(*db, config); !done) return std::unexpected(done.error());
  search_run run(path, std::move(lock), std::move(*db), config, std::move(s));
  if (auto done = run.record_new(); !done) return std::unexpected(done.error());
  return run;
}

std::expected<search_run, std::string> search_run::open(const std::filesystem::path& path,
                                                        const std::optional<config_file>& config) {
  std::error_code none;
  if (std::filesystem::exists(path, none) && !std::filesystem::is_regular_file(path, none))
    return std::unexpected(path.string() + ": is no regular file, and so no search's state");
  const auto size = std::filesystem::file_size(path, none);
  if (none || size == 0) { // an empty file: the process died before it had written anything
    if (!config) return std::unexpected(path.string() + ": no such search; begin one with --config FILE");
    return create(path, *config, {});
  }
  if (!is_database(path)) return std::unexpected(path.string() + ": is no search's state");
  auto lock = store_lock::acquire(path);
  if (!lock) return std::unexpected(lock.error().what);
  auto db = open_database(path);
  if (!db) return std::unexpected(db.error());
  const auto id = db->query_integer("PRAGMA application_id", "reading what it is");
  if (!id) return std::unexpected(id.error().what);
  const auto tables = db->query_integer("SELECT count(*) FROM sqlite_master", "reading what it is");
  if (tables && *tables == 0 && config) {
    if (auto sound = read_settings(*config); !sound) return std::unexpected(sound.error());
    if (auto done = make_schema(*db, config->text); !done) return std::unexpected(done.error());
  } else if (*id != application_id) {
    return std::unexpected(path.string() + ": is a database, but not a search's state");
  }
  auto stored = read_config(*db);
  if (!stored) return std::unexpected(stored.error());
  auto settings = read_settings({path.string() + ", its configuration", *stored});
  if (!settings) return std::unexpected(settings.error());
  if (config && config->text != *stored) {
    auto wanted = read_settings(*config);
    if (!wanted) return std::unexpected(wanted.error());
    if (!(*wanted == *settings))
      return std::unexpected(path.string() + ": holds a search of another configuration; give --state another file, or "
                                             "leave --config out to go on with this one");
  }
  auto journal = read_journal(*db);
  if (!journal) return std::unexpected(journal.error());
  auto s = solver::replay(std::move(*settings), *journal);
  if (!s) return std::unexpected(path.string() + ": " + s.error());
  search_run run(path, std::move(*lock), std::move(*db), std::move(*stored), std::move(*s));
  run.recorded_ = run.solver_.journal().size();
  run.resumed_ = true;
  return run;
}

std::expected<search_run, std::string> search_run::import(const std::filesystem::path& path, const std::string& json) {
  if (std::filesystem::exists(path)) return std::unexpected(path.string() + ": exists; import makes a new file");
  v1::SearchDocument document;
  if (auto read = from_json(json, document); !read) return std::unexpected("not a search document: " + read.error());
  if (document.version() != document_version)
    return std::unexpected("search document of version " + std::to_string(document.version()) + ": expected " +
                           std::to_string(document_version));
  if (const std::string sum = checksum_of(document); sum != document.checksum())
    return std::unexpected("search document is damaged: checksum " + document.checksum() + ", its content has " + sum);
  std::vector<journal_entry> journal;
  for (const auto& in : document.journal()) {
    auto e = entry_of(in);
    if (!e) return std::unexpected(e.error());
    journal.push_back(std::move(*e));
  }
  return create(path, {"search document, its configuration", document.config()}, journal);
}

std::expected<void, std::string> search_run::record_new() {
  const auto journal = solver_.journal();
  if (recorded_ == journal.size()) return {};
  if (auto begun = db_.execute("BEGIN", "recording"); !begun) return std::unexpected(begun.error().what);
  auto insert = db_.prepare("INSERT INTO journal VALUES (?1, ?2)");
  if (!insert) return std::unexpected(insert.error().what);
  for (std::size_t i = recorded_; i < journal.size(); ++i) {
    v1::SearchEntry entry;
    write_entry(&entry, journal[i]);
    const std::string bytes = entry.SerializeAsString();
    insert->bind(1, static_cast<std::int64_t>(i));
    insert->bind_blob(2, bytes);
    if (auto done = insert->run("recording"); !done) {
      (void)db_.execute("ROLLBACK", "recording");
      return std::unexpected(done.error().what);
    }
  }
  if (auto done = db_.execute("COMMIT", "recording"); !done) {
    (void)db_.execute("ROLLBACK", "recording");
    return std::unexpected(done.error().what);
  }
  recorded_ = journal.size();
  return {};
}

std::expected<std::vector<trial>, std::string> search_run::ask(std::size_t count) {
  auto asked = solver_.ask(count);
  if (auto done = record_new(); !done) return std::unexpected(done.error());
  return asked;
}

std::expected<std::uint64_t, std::string> search_run::tell(const named_result& result) {
  auto id = solver_.tell(result);
  if (!id) return std::unexpected(id.error().text);
  if (auto done = record_new(); !done) return std::unexpected(done.error());
  return *id;
}

std::expected<void, std::string> search_run::tell(std::uint64_t id, double value, double cost) {
  if (auto told = solver_.tell(id, value, cost); !told) return std::unexpected(told.error().text);
  return record_new();
}

std::expected<std::uint64_t, std::string> search_run::add_seed(const named_result& result) {
  auto id = solver_.add_seed(result);
  if (!id) return std::unexpected(id.error().text);
  if (auto done = record_new(); !done) return std::unexpected(done.error());
  return *id;
}

std::vector<trial> search_run::open_trials() const {
  std::vector<trial> open;
  for (const trial& t : solver_.trials())
    if (!t.value) open.push_back(t);
  return open;
}

v1::SearchDocument search_run::document() const {
  v1::SearchDocument out;
  out.set_version(document_version);
  out.set_config(config_);
  for (const knob_spec& k : solver_.space().knobs()) out.add_parameters(k.name);
  for (const journal_entry& e : solver_.journal()) write_entry(out.add_journal(), e);
  out.set_checksum(checksum_of(out));
  return out;
}

void put(v1::SearchTrial* out, const search_space& space, const trial& t) {
  out->set_id(t.id);
  write_params(space, t.values, *out->mutable_params());
  if (t.value) out->set_value(*t.value);
  out->set_cost(t.cost);
  out->set_seed(t.seed);
}

v1::SearchReport report_of(const search_run& run) {
  const solver& s = run.search();
  v1::SearchReport out;
  out.set_state(run.path().string());
  out.set_strategy(s.settings().strategy);
  out.set_asked(s.asked());
  out.set_told(s.told());
  if (s.settings().budget) out.set_budget(*s.settings().budget);
  out.set_finished(s.finished());
  if (auto best = s.best()) put(out.mutable_best(), s.space(), *best);
  if (auto r = s.recommend())
    put(out.mutable_recommended(), s.space(), trial{.id = 0, .values = r->values, .value = r->expected_value});
  for (const auto& change : s.switches()) {
    auto* one = out.add_switches();
    one->set_at_trial(change.at_trial);
    one->set_from(std::string(change.from));
    one->set_to(std::string(change.to));
    one->set_why(change.why);
  }
  return out;
}

} // namespace homeostat
