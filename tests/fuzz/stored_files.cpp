#include "tests/fuzz/stored_files.hpp"

#include "messages/codec.hpp"
#include "messages/json.hpp"
#include "runtime/search/search_run.hpp"
#include "runtime/store/sqlite_store.hpp"
#include "tests/runtime/gateway/scratch_folder.hpp"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace fuzz {

namespace {

using namespace homeostat;
namespace fs = std::filesystem;

const fs::path& folder() {
  static const testing::scratch_folder here;
  return here.path;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_file(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

/// Takes a database away with what SQLite and our lock put beside it.
void remove_database(const fs::path& path) {
  for (const char* part : {"", "-wal", "-shm", ".lock"}) fs::remove(path.string() + part);
}

/// @returns the bytes of a database that nobody has open.
std::string take_database(const fs::path& path) {
  std::string bytes = read_file(path);
  remove_database(path);
  return bytes;
}

std::string search_file() {
  const config_file config{
      .name = "c.json", .text = R"({"seed": 42, "budget": 30, "strategy": "auto", "bounds": {"x": {"min": -5, "max": 5},
    "mode": {"categories": ["a", "b"]}}})"};
  const fs::path path = folder() / "search.db";
  auto run = search_run::open(path, config);
  if (!run) std::fprintf(stderr, "%s\n", run.error().c_str()), std::abort();
  { const auto closed = std::move(*run); }
  return take_database(path);
}

std::string store_file() {
  const fs::path path = folder() / "store.db";
  {
    const auto opened = open_sqlite_store({.path = path}, instant{duration{1}}).value();
    store_batch batch;
    for (std::uint64_t i = 1; i <= 5; ++i) {
      batch.records.push_back({.time = instant(duration(static_cast<std::int64_t>(i))),
                               .loop = i % 2 == 0 ? "web" : "db",
                               .kind = "applied",
                               .generation = i,
                               .payload = "payload"});
      batch.revisions.push_back({.loop = "web",
                                 .revision = i,
                                 .generation = i,
                                 .values = "values",
                                 .name = "n" + std::to_string(i),
                                 .tested = true,
                                 .time = instant{}});
    }
    batch.state.push_back({.key = "governor/web", .value = "state"});
    if (!opened->commit(std::span(&batch, 1))) std::abort();
  }
  return take_database(path);
}

/// Reads all there is, by every way there is.
void read_all(store& s) {
  for (const std::optional<std::string_view> loop : {std::optional<std::string_view>(), {"web"}}) {
    if (const auto found = s.tail(10, loop); found && found->size() > 10) std::abort();
    if (const auto found = s.range(1, 10, loop); found && found->size() > 10) std::abort();
  }
  (void)s.head();
  (void)s.load_state("governor/web");
  if (const auto keys = s.list_state("", "", 10); keys && keys->size() > 10) std::abort();
  (void)s.list_revisions("web", 1, 10);
  for (const revision_key& key : {revision_key(latest_revision{}), revision_key(latest_tested_revision{}),
                                  revision_key(std::uint64_t{2}), revision_key(std::string("n3"))})
    (void)s.find_revision("web", key);
  (void)s.verify({.threads = 1, .max_findings = 10}, {});
}

} // namespace

std::vector<std::string_view> pieces_of(std::string_view bytes) {
  std::vector<std::string_view> pieces;
  while (bytes.size() >= 2) {
    const auto length =
        static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[0])) << 8U | static_cast<std::uint8_t>(bytes[1]);
    bytes.remove_prefix(2);
    pieces.push_back(bytes.substr(0, length));
    bytes.remove_prefix(pieces.back().size());
  }
  return pieces;
}

void search_journal_from(std::string_view bytes) {
  static const std::string fresh = search_file();
  const fs::path path = folder() / "journal.db";
  write_file(path, fresh);
  {
    auto db = sqlite_connection::open(path, sqlite_connection::mode::read_write, std::chrono::milliseconds(0)).value();
    if (!db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN", "filling")) std::abort();
    auto insert = db.prepare("INSERT INTO journal VALUES (?1, ?2)").value();
    std::int64_t at = 0;
    for (const std::string_view piece : pieces_of(bytes)) {
      insert.bind(1, at++);
      insert.bind_blob(2, piece);
      if (!insert.run("filling")) std::abort();
    }
    if (!db.execute("COMMIT", "filling")) std::abort();
  }
  {
    auto run = search_run::open(path, std::nullopt);
    if (!run && run.error().empty()) std::abort();
    if (run) {
      // What was taken is what is stored, to the last entry.
      if (static_cast<std::size_t>(run->document().journal_size()) != pieces_of(bytes).size()) std::abort();
      if (!run->search().finished()) (void)run->ask(1);
      (void)report_of(*run);
    }
  }
  remove_database(path);
}

void search_document_from(std::string_view text) {
  const fs::path path = folder() / "imported.db";
  {
    const auto run = search_run::import(path, std::string(text));
    if (!run && run.error().empty()) std::abort();
  }
  remove_database(path);
}

void store_file_from(std::string_view bytes) {
  static const std::string whole = store_file();
  std::string damaged = whole;
  for (const std::string_view piece : pieces_of(bytes)) {
    if (piece.size() < 2) continue;
    const std::size_t at =
        (static_cast<std::size_t>(static_cast<std::uint8_t>(piece[0])) << 8U | static_cast<std::uint8_t>(piece[1])) %
        damaged.size();
    damaged.replace(at, std::min(piece.size() - 2, damaged.size() - at), piece.substr(2, damaged.size() - at));
  }
  const fs::path path = folder() / "damaged.db";
  write_file(path, damaged);
  if (const auto opened = open_sqlite_store_read_only(path)) read_all(**opened);
  if (const auto opened = open_sqlite_store({.path = path, .create = false}, instant{duration{2}})) {
    read_all(**opened);
    store_batch more;
    more.records.push_back(
        {.time = instant{duration{9}}, .loop = "web", .kind = "applied", .generation = 9, .payload = {}});
    if ((*opened)->commit(std::span(&more, 1))) read_all(**opened);
  }
  remove_database(path);
}

} // namespace fuzz
