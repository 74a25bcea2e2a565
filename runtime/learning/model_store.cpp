#include "runtime/learning/model_store.hpp"

#include "runtime/ports/descriptor.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace homeostat {

namespace {

using failure = std::unexpected<std::string>;
namespace fs = std::filesystem;

constexpr std::string_view stem = "model-";
constexpr std::size_t id_digits = 12;
constexpr std::string_view suffix = ".hsmodel";
constexpr const char* unfinished = "unfinished"; ///< the file being written; one from before a crash is written over

/// No model of ours comes near: 500 complete trees of depth 8 are 30 MB of JSON.
constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 27;

failure refused(const fs::path& path, const std::string& why) { return failure(path.string() + " " + why); }
failure system_refused(const fs::path& path, const char* what, int error) {
  return failure(path.string() + " " + what + ": " + std::generic_category().message(error));
}

std::expected<void, std::string> write_synced(const fs::path& path, std::string_view bytes) {
  const descriptor out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (out.get() < 0) return system_refused(path, "cannot be written", errno);
  while (!bytes.empty()) {
    const ssize_t written = ::write(out.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return system_refused(path, "cannot be written", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(out.get()) != 0) return system_refused(path, "cannot be synced", errno);
  return {};
}

std::expected<void, std::string> sync_folder(const fs::path& folder) {
  const descriptor d(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (d.get() < 0 || ::fsync(d.get()) != 0) return system_refused(folder, "cannot be synced", errno);
  return {};
}

std::optional<std::uint64_t> id_of(const std::string& name) {
  if (!name.starts_with(stem) || !name.ends_with(suffix)) return std::nullopt;
  const std::string_view digits(name.data() + stem.size(), name.size() - stem.size() - suffix.size());
  if (digits.size() != id_digits) return std::nullopt; // such as file_of writes: 5 and 000000000005 are not one file
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (error != std::errc() || end != digits.data() + digits.size() || id == 0) return std::nullopt;
  return id;
}

} // namespace

std::expected<model_store, std::string> model_store::open(fs::path folder, std::size_t keep) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return refused(folder, "cannot be made: " + failed.message());
  return model_store(std::move(folder), std::max<std::size_t>(keep, 1));
}

fs::path model_store::file_of(std::uint64_t id) const {
  std::string digits = std::to_string(id);
  if (digits.size() < id_digits) digits.insert(0, id_digits - digits.size(), '0');
  return folder_ / (std::string(stem) + digits + std::string(suffix));
}

std::expected<std::vector<std::uint64_t>, std::string> model_store::list() const {
  std::vector<std::uint64_t> ids;
  std::error_code failed;
  fs::directory_iterator files(folder_, failed);
  for (; !failed && files != fs::directory_iterator(); files.increment(failed))
    if (const auto id = id_of(files->path().filename().string())) ids.push_back(*id);
  if (failed) return refused(folder_, "cannot be read: " + failed.message());
  std::ranges::sort(ids);
  return ids;
}

std::expected<std::uint64_t, std::string> model_store::save(const stored_model& model) {
  if (!model.lineage.gate.passed) return failure("a model that did not pass its gate is not stored");
  const auto ids = list();
  if (!ids) return failure(ids.error());
  stored_model numbered = model;
  numbered.lineage.id = ids->empty() ? 1 : ids->back() + 1;
  const fs::path temporary = folder_ / unfinished;
  const fs::path path = file_of(numbered.lineage.id);
  if (auto ok = write_synced(temporary, encode_model_file(numbered)); !ok) return failure(std::move(ok.error()));
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return system_refused(path, "cannot be put in place", errno);
  if (auto ok = sync_folder(folder_); !ok) return failure(std::move(ok.error()));
  remove_old();
  return numbered.lineage.id;
}

void model_store::remove_old() const {
  const auto ids = list();
  if (!ids) return;
  std::error_code ignored; // what cannot be removed now is tried again with the next model
  for (std::size_t i = 0; i + keep_ < ids->size(); ++i) fs::remove(file_of((*ids)[i]), ignored);
}

std::expected<stored_model, std::string> model_store::load(std::uint64_t id) const {
  const fs::path path = file_of(id);
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed) return refused(path, "cannot be read: " + failed.message());
  if (size > largest_file) return refused(path, "is too large for a model: " + std::to_string(size) + " bytes");
  std::string bytes(size, '\0');
  std::ifstream in(path, std::ios::binary);
  if (!in.read(bytes.data(), static_cast<std::streamsize>(size))) return refused(path, "cannot be read");
  auto model = decode_model_file(bytes);
  if (!model) return refused(path, model.error());
  if (model->lineage.id != id) return refused(path, "holds model " + std::to_string(model->lineage.id));
  return model;
}

std::expected<stored_model, std::string> model_store::load_latest() const {
  const auto ids = list();
  if (!ids) return failure(ids.error());
  if (ids->empty()) return refused(folder_, "holds no model");
  return load(ids->back());
}

} // namespace homeostat
