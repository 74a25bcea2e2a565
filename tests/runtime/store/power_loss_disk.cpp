#include "tests/runtime/store/power_loss_disk.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <new>

namespace homeostat {
namespace {

constexpr std::size_t sector = 512;

/// One change since the last sync: bytes at an offset, or a new length.
struct change {
  std::size_t offset{0};
  std::string bytes;
  bool truncates{false};
};

struct file_history {
  std::string durable;
  std::string current;
  std::vector<change> since_sync;
};

void apply(std::string& contents, std::size_t offset, std::string_view bytes) {
  if (contents.size() < offset + bytes.size()) contents.resize(offset + bytes.size());
  contents.replace(offset, bytes.size(), bytes);
}

std::string read_file(const char* path) {
  std::ifstream in{path, std::ios::binary};
  return std::string{std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

struct power_loss_disk::impl {
  sqlite3_vfs vfs{};
  sqlite3_vfs* real{nullptr};
  std::mt19937* random{nullptr};
  std::function<void()> hook;
  std::map<std::string, file_history> files; // by full path
  std::size_t syncs{0};

  void changed() const {
    if (hook) hook();
  }
};

namespace {

using disk_impl = power_loss_disk::impl;

/// SQLite allocates this much memory per open file, and the real file lies behind ours in it.
struct watched_file {
  sqlite3_file base;
  disk_impl* disk;
  file_history* history; ///< null for files that do not matter
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

watched_file* watched(sqlite3_file* f) { return reinterpret_cast<watched_file*>(f); }
sqlite3_file* real(sqlite3_file* f) { return watched(f)->real(); }

int write(sqlite3_file* f, const void* data, int size, sqlite3_int64 offset) {
  const int code = real(f)->pMethods->xWrite(real(f), data, size, offset);
  if (file_history* const h = watched(f)->history; code == SQLITE_OK && h != nullptr) {
    const std::string bytes{static_cast<const char*>(data), static_cast<std::size_t>(size)};
    apply(h->current, static_cast<std::size_t>(offset), bytes);
    h->since_sync.push_back({static_cast<std::size_t>(offset), bytes, false});
    watched(f)->disk->changed();
  }
  return code;
}

int truncate(sqlite3_file* f, sqlite3_int64 size) {
  const int code = real(f)->pMethods->xTruncate(real(f), size);
  if (file_history* const h = watched(f)->history; code == SQLITE_OK && h != nullptr) {
    h->current.resize(static_cast<std::size_t>(size));
    h->since_sync.push_back({static_cast<std::size_t>(size), {}, true});
    watched(f)->disk->changed();
  }
  return code;
}

int sync(sqlite3_file* f, int flags) {
  const int code = real(f)->pMethods->xSync(real(f), flags);
  if (file_history* const h = watched(f)->history; code == SQLITE_OK && h != nullptr) {
    h->durable = h->current;
    h->since_sync.clear();
    ++watched(f)->disk->syncs;
    watched(f)->disk->changed();
  }
  return code;
}

const sqlite3_io_methods methods = {
    .iVersion = 2, // no memory-mapped reads: everything passes through here
    .xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); },
    .xRead = [](sqlite3_file* f, void* d, int n,
                sqlite3_int64 o) { return real(f)->pMethods->xRead(real(f), d, n, o); },
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = [](sqlite3_file* f, sqlite3_int64* n) { return real(f)->pMethods->xFileSize(real(f), n); },
    .xLock = [](sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); },
    .xUnlock = [](sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); },
    .xCheckReservedLock = [](sqlite3_file* f, int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); },
    .xFileControl =
        [](sqlite3_file* f, int op, void* arg) {
          // A size hint would let the file grow without a write that we see.
          if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_OK;
          return real(f)->pMethods->xFileControl(real(f), op, arg);
        },
    .xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
    .xDeviceCharacteristics = [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
    .xShmMap = [](sqlite3_file* f, int page, int size, int extend,
                  void volatile** out) { return real(f)->pMethods->xShmMap(real(f), page, size, extend, out); },
    .xShmLock = [](sqlite3_file* f, int offset, int n,
                   int flags) { return real(f)->pMethods->xShmLock(real(f), offset, n, flags); },
    .xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
    .xShmUnmap = [](sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); },
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* f, int flags, int* out_flags) {
  auto* const disk = static_cast<disk_impl*>(vfs->pAppData);
  watched_file* const w = new (f) watched_file{};
  w->disk = disk;
  const int code = disk->real->xOpen(disk->real, name, w->real(), flags, out_flags);
  if (code != SQLITE_OK) return code;
  if (name != nullptr && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0) {
    const auto [at, is_new] = disk->files.try_emplace(name);
    if (is_new) at->second.durable = at->second.current = read_file(name);
    w->history = &at->second;
  }
  w->base.pMethods = &methods;
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  auto* const disk = static_cast<disk_impl*>(vfs->pAppData);
  const int code = disk->real->xDelete(disk->real, name, sync_folder);
  if (const auto at = disk->files.find(name); code == SQLITE_OK && at != disk->files.end()) at->second = {};
  return code;
}

} // namespace

power_loss_disk::power_loss_disk(std::mt19937& random) : impl_{std::make_unique<impl>()} {
  impl_->random = &random;
  impl_->real = sqlite3_vfs_find(nullptr);
  impl_->vfs = *impl_->real; // what is not overridden works on the real one's data, which it never touches
  impl_->vfs.zName = "power-loss";
  impl_->vfs.pNext = nullptr;
  impl_->vfs.pAppData = impl_.get();
  impl_->vfs.szOsFile = static_cast<int>(sizeof(watched_file)) + impl_->real->szOsFile;
  impl_->vfs.xOpen = open;
  impl_->vfs.xDelete = remove;
  sqlite3_vfs_register(&impl_->vfs, 1);
}

power_loss_disk::~power_loss_disk() {
  sqlite3_vfs_unregister(&impl_->vfs);
  sqlite3_vfs_register(impl_->real, 1);
}

void power_loss_disk::on_write(std::function<void()> hook) { impl_->hook = std::move(hook); }

std::size_t power_loss_disk::syncs() const { return impl_->syncs; }

power_loss_disk::image power_loss_disk::lose_power() const {
  image left;
  for (const auto& [path, history] : impl_->files) {
    std::string contents = history.durable;
    const unsigned kept = static_cast<unsigned>((*impl_->random)() % 3); // nothing, about half of it, everything
    for (const change& c : history.since_sync) {
      const auto survives = [&] { return kept == 2 || (kept == 1 && (*impl_->random)() % 2 == 0); };
      if (c.truncates) {
        if (survives()) contents.resize(c.offset);
        continue;
      }
      for (std::size_t at = 0; at < c.bytes.size();) {
        const std::size_t n = std::min(sector - (c.offset + at) % sector, c.bytes.size() - at);
        if (survives()) apply(contents, c.offset + at, std::string_view{c.bytes}.substr(at, n));
        at += n;
      }
    }
    left.files[std::filesystem::path{path}.filename()] = std::move(contents);
  }
  return left;
}

void power_loss_disk::image::write_to(const std::filesystem::path& folder) const {
  for (const auto& [name, contents] : files)
    std::ofstream{folder / name, std::ios::binary}.write(contents.data(),
                                                         static_cast<std::streamsize>(contents.size()));
}

} // namespace homeostat
