#include "runtime/store/sqlite_store.hpp"

#include "runtime/store/sqlite_reader.hpp"
#include "runtime/store/sqlite_verify.hpp"
#include "runtime/store/sqlite_writer.hpp"
#include "runtime/store/store_lock.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <type_traits>
#include <utility>

namespace homeostat {
namespace {

std::unexpected<store_error> fail(const std::filesystem::path& path, store_error_kind kind, const std::string& what) {
  return std::unexpected{store_error{kind, path.string() + ": " + what}};
}

/// Turns what the crypto library or the allocator throws into an error.
template <class function>
std::invoke_result_t<function> guarded(const std::filesystem::path& path, std::string_view doing, function f) {
  try {
    return f();
  } catch (const std::exception& e) { return fail(path, store_error_kind::io, std::string{doing} + ": " + e.what()); }
}

/// Counts the calls that are under way, so that closing can wait for them. Unlike a shared mutex it may be entered
/// again by a thread that is inside, as the callback of a verify does when it looks at the store.
class usage {
public:
  class permit {
  public:
    explicit permit(usage* u) : usage_{u} {}
    permit(permit&& other) noexcept : usage_{std::exchange(other.usage_, nullptr)} {}
    permit& operator=(permit&&) = delete;
    ~permit() {
      if (usage_ != nullptr) usage_->leave();
    }
    explicit operator bool() const { return usage_ != nullptr; }

  private:
    usage* usage_;
  };

  /// @returns a permit that is false once closing has begun.
  [[nodiscard]] permit enter() {
    const std::scoped_lock lock{mutex_};
    if (closing_) return permit{nullptr};
    ++users_;
    return permit{this};
  }

  /// Refuses newcomers, waits for those inside, then runs `finish`.
  template <class function> void close(function finish) {
    std::unique_lock lock{mutex_};
    closing_ = true;
    empty_.wait(lock, [this] { return users_ == 0; });
    finish();
  }

  [[nodiscard]] const std::atomic<bool>& closing() const { return closing_; }

private:
  void leave() {
    const std::scoped_lock lock{mutex_};
    if (--users_ == 0) empty_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable empty_;
  std::size_t users_{0};
  std::atomic<bool> closing_{false}; ///< atomic, so that a long call can look at it without the mutex
};

class sqlite_store final : public store {
public:
  sqlite_store(std::string path, std::chrono::milliseconds patience, std::optional<store_lock> lock,
               std::unique_ptr<sqlite_writer> writer, std::unique_ptr<sqlite_reader> reader)
      : path_{std::move(path)}, patience_{patience}, read_only_{!lock}, lock_{std::move(lock)},
        writer_{std::move(writer)}, reader_{std::move(reader)} {}

  ~sqlite_store() override { shut(); }

  using store::commit;
  std::expected<std::uint64_t, store_error> commit(const batch_source& next) override {
    const usage::permit inside = usage_.enter();
    if (!inside) return closed();
    if (read_only_) return fail(path_, store_error_kind::invalid, "commit to a store that was opened for reading");
    const std::scoped_lock turn{write_turn_};
    return writer_->commit(next);
  }

  std::expected<std::optional<std::string>, store_error> load_state(std::string_view key) override {
    return read([&] { return reader_->load_state(key); });
  }

  std::expected<std::vector<std::string>, store_error> list_state(std::string_view prefix, std::string_view after,
                                                                  std::size_t limit) override {
    return read([&] { return reader_->list_state(prefix, after, limit); });
  }

  std::expected<std::vector<stored_record>, store_error> tail(std::size_t count, std::optional<std::string_view> loop,
                                                              std::optional<std::uint64_t> before) override {
    return read([&] { return reader_->tail(count, loop, before); });
  }

  std::expected<std::vector<stored_record>, store_error> range(std::uint64_t from, std::size_t limit,
                                                               std::optional<std::string_view> loop) override {
    return read([&] { return reader_->range(from, limit, loop); });
  }

  std::expected<chain_head, store_error> head() override {
    return read([&] { return reader_->head(); });
  }

  std::expected<std::optional<stored_revision>, store_error> find_revision(std::string_view loop,
                                                                           const revision_key& key) override {
    return read([&] { return reader_->find_revision(loop, key); });
  }

  std::expected<std::vector<stored_revision>, store_error> list_revisions(std::string_view loop, std::uint64_t from,
                                                                          std::size_t limit) override {
    return read([&] { return reader_->list_revisions(loop, from, limit); });
  }

  std::expected<chain_report, store_error> verify(const verify_request& request,
                                                  const verify_callback& progress) override {
    const usage::permit inside = usage_.enter();
    if (!inside) return closed();
    return guarded(path_, "verify",
                   [&] { return verify_sqlite_chain(path_, patience_, request, progress, usage_.closing()); });
  }

  void close() override { shut(); }

private:
  template <class function> std::invoke_result_t<function> read(function f) {
    const usage::permit inside = usage_.enter();
    if (!inside) return closed();
    const std::scoped_lock turn{read_turn_};
    return f();
  }

  [[nodiscard]] std::unexpected<store_error> closed() const {
    return fail(path_, store_error_kind::closed, "the store is closed");
  }

  void shut() {
    usage_.close([this] {
      reader_.reset();
      writer_.reset(); // the last connection folds the log into the database
      lock_.reset();   // and only then may the next process begin
    });
  }

  const std::string path_;
  const std::chrono::milliseconds patience_;
  const bool read_only_;
  usage usage_;
  std::mutex write_turn_, read_turn_;
  std::optional<store_lock> lock_;
  std::unique_ptr<sqlite_writer> writer_;
  std::unique_ptr<sqlite_reader> reader_;
};

std::expected<std::unique_ptr<sqlite_reader>, store_error> start_reader(const std::string& path,
                                                                        std::chrono::milliseconds patience) {
  auto db = sqlite_connection::open(path, sqlite_connection::mode::read_only, patience);
  if (!db) return std::unexpected{db.error()};
  if (auto ok = prepare_schema(*db, false, instant{}); !ok) return std::unexpected{ok.error()};
  return sqlite_reader::start(std::move(*db));
}

/// @returns the path that all names of the file share, so that two openers meet at the same lock file.
std::expected<std::filesystem::path, store_error> true_path(const std::filesystem::path& path) {
  std::error_code error;
  auto canonical = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  if (error) return fail(path, store_error_kind::io, "cannot resolve the path: " + error.message());
  return canonical;
}

std::expected<std::unique_ptr<store>, store_error> open_to_write(const sqlite_options& options, instant now) {
  const auto path = true_path(options.path);
  if (!path) return std::unexpected{path.error()};
  auto lock = store_lock::acquire(*path);
  if (!lock) return std::unexpected{lock.error()};
  std::error_code error;
  if (!std::filesystem::exists(*path, error)) {
    if (!options.create) return fail(*path, store_error_kind::io, "there is no store, and none is to be created");
    if (auto made = make_database_file(*path); !made) return std::unexpected{made.error()};
  }
  auto db = sqlite_connection::open(path->string(), sqlite_connection::mode::read_write, options.patience);
  if (!db) return std::unexpected{db.error()};
  if (auto ok = prepare_schema(*db, options.create, now); !ok) return std::unexpected{ok.error()};
  auto writer = sqlite_writer::start(std::move(*db), options.max_bytes);
  if (!writer) return std::unexpected{writer.error()};
  auto reader = start_reader(path->string(), options.patience);
  if (!reader) return std::unexpected{reader.error()};
  return std::make_unique<sqlite_store>(path->string(), options.patience, std::move(*lock), std::move(*writer),
                                        std::move(*reader));
}

std::expected<std::unique_ptr<store>, store_error> open_to_read(const std::filesystem::path& path,
                                                                std::chrono::milliseconds patience) {
  const auto place = true_path(path);
  if (!place) return std::unexpected{place.error()};
  std::error_code error;
  if (!std::filesystem::exists(*place, error)) return fail(*place, store_error_kind::io, "there is no store");
  auto reader = start_reader(place->string(), patience);
  if (!reader) return std::unexpected{reader.error()};
  return std::make_unique<sqlite_store>(place->string(), patience, std::nullopt, nullptr, std::move(*reader));
}

} // namespace

std::expected<std::unique_ptr<store>, store_error> open_sqlite_store(const sqlite_options& options, instant now) {
  return guarded(options.path, "opening", [&] { return open_to_write(options, now); });
}

std::expected<std::unique_ptr<store>, store_error> open_sqlite_store_read_only(const std::filesystem::path& path,
                                                                               std::chrono::milliseconds patience) {
  return guarded(path, "opening", [&] { return open_to_read(path, patience); });
}

} // namespace homeostat
