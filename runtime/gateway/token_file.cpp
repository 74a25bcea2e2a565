#include "runtime/gateway/token_file.hpp"

#include "runtime/ports/descriptor.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace homeostat {

namespace {

constexpr std::size_t file_limit = std::size_t{1} << 20;
constexpr std::string_view hex_digits = "0123456789abcdef";

std::string failure(const std::filesystem::path& file, const std::string& what) {
  return file.string() + ": " + what + ": " + std::strerror(errno);
}

std::string hex_of(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    text += hex_digits[std::to_integer<unsigned>(b) >> 4];
    text += hex_digits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

std::optional<std::array<std::byte, 32>> digest_of(std::string_view hex) {
  std::array<std::byte, 32> digest{};
  if (hex.size() != 64) return std::nullopt;
  for (std::size_t i = 0; i < 64; ++i) {
    const auto digit = hex_digits.find(hex[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    digest[i / 2] = (digest[i / 2] << 4) | static_cast<std::byte>(digit);
  }
  return digest;
}

bool is_name(std::string_view name) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= 63 && letter(name.front()) && std::ranges::all_of(name, [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

std::expected<std::vector<api_token>, std::string> parse(const std::filesystem::path& file, const std::string& text) {
  std::vector<api_token> tokens;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto where = file.string() + ":" + std::to_string(++number) + ": ";
    std::istringstream words(line.substr(0, line.find('#')));
    std::string name, role_name, hex, more;
    if (!(words >> name)) continue;
    words >> role_name >> hex;
    const auto acts_as = role_from(role_name);
    const auto digest = digest_of(hex);
    if (!is_name(name) || !acts_as || !digest || words >> more)
      return std::unexpected(where +
                             "expected NAME ROLE SHA256, with a role of viewer, proposer, operator, approver or "
                             "admin and 64 hexadecimal digits");
    if (std::ranges::find(tokens, name, &api_token::name) != tokens.end())
      return std::unexpected(where + "a second token named '" + name + "'");
    tokens.push_back({.name = name, .acts_as = *acts_as, .digest = *digest});
  }
  return tokens;
}

std::expected<std::string, std::string> content(const std::filesystem::path& file, int fd) {
  struct stat info{};
  if (fstat(fd, &info) != 0) return std::unexpected(failure(file, "cannot be read"));
  if (!S_ISREG(info.st_mode)) return std::unexpected(file.string() + ": is not a file");
  if ((info.st_mode & 0027) != 0)
    return std::unexpected(file.string() + ": others may read it or its group may write it; chmod 600 it");
  std::string text;
  std::array<char, 4096> part{};
  while (true) {
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0) return std::unexpected(failure(file, "cannot be read"));
    if (got == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
    if (text.size() > file_limit) return std::unexpected(file.string() + ": is larger than 1 MiB");
  }
}

/// Replaces the file in one step, so that a reader sees the old tokens or the new ones.
std::expected<void, std::string> replace(const std::filesystem::path& file, const std::string& text) {
  const std::string temporary = file.string() + "." + std::to_string(getpid()) + ".new";
  {
    const descriptor out(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (out.get() < 0) return std::unexpected(failure(temporary, "cannot be written"));
    if (::write(out.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || fsync(out.get()) != 0) {
      auto why = failure(temporary, "cannot be written");
      unlink(temporary.c_str());
      return std::unexpected(std::move(why));
    }
  }
  if (rename(temporary.c_str(), file.c_str()) == 0) return {};
  auto why = failure(file, "cannot be replaced");
  unlink(temporary.c_str());
  return std::unexpected(std::move(why));
}

/// Changes the text of the file under a lock. @param change  returns the new text.
template <class Change>
std::expected<void, std::string> edit(const std::filesystem::path& file, int flags, Change change) {
  while (true) {
    const descriptor in(::open(file.c_str(), O_RDWR | O_CLOEXEC | flags, 0600));
    if (in.get() < 0) return std::unexpected(failure(file, "cannot be opened"));
    if (flock(in.get(), LOCK_EX) != 0) return std::unexpected(failure(file, "cannot be locked"));
    struct stat ours{}, present{};
    if (fstat(in.get(), &ours) != 0 || stat(file.c_str(), &present) != 0 || ours.st_ino != present.st_ino)
      continue; // somebody replaced it while we waited for the lock
    const auto old = content(file, in.get());
    if (!old) return std::unexpected(old.error());
    const auto tokens = parse(file, *old);
    if (!tokens) return std::unexpected(tokens.error());
    auto wanted = change(*old, *tokens);
    if (!wanted) return std::unexpected(wanted.error());
    return replace(file, *wanted);
  }
}

} // namespace

std::array<std::byte, 32> sha256(std::string_view text) {
  std::array<std::byte, 32> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
                 nullptr) != 1)
    throw std::runtime_error("SHA-256 is not available");
  return digest;
}

std::expected<std::vector<api_token>, std::string> read_tokens(const std::filesystem::path& file) {
  const descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.get() < 0) return std::unexpected(failure(file, "cannot be opened"));
  const auto text = content(file, in.get());
  if (!text) return std::unexpected(text.error());
  return parse(file, *text);
}

std::expected<std::string, std::string> create_token(const std::filesystem::path& file, const std::string& name,
                                                     role acts_as) {
  if (!is_name(name))
    return std::unexpected("'" + name + "' is not a token's name: 1 to 63 of [a-z0-9_.-], the first a letter");
  std::array<std::byte, 32> secret{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), secret.size()) != 1)
    return std::unexpected("the system has no random numbers");
  std::string token = "hst_" + hex_of(secret); // the prefix lets scanners of leaked secrets recognise it
  const auto done = edit(
      file, O_CREAT,
      [&](const std::string& old, const std::vector<api_token>& tokens) -> std::expected<std::string, std::string> {
        if (std::ranges::find(tokens, name, &api_token::name) != tokens.end())
          return std::unexpected(file.string() + ": there is a token named '" + name + "'; revoke it first");
        std::string text = old;
        if (!text.empty() && !text.ends_with('\n')) text += '\n';
        return text + name + " " + std::string(name_of(acts_as)) + " " + hex_of(sha256(token)) + "\n";
      });
  if (!done) return std::unexpected(done.error());
  return token;
}

std::expected<void, std::string> revoke_token(const std::filesystem::path& file, const std::string& name) {
  return edit(file, 0,
              [&](const std::string& old, const std::vector<api_token>&) -> std::expected<std::string, std::string> {
                std::string text;
                bool found = false;
                std::istringstream lines(old);
                for (std::string line; std::getline(lines, line);) {
                  std::string first;
                  std::istringstream(line) >> first;
                  if (first == name)
                    found = true;
                  else
                    text += line + "\n";
                }
                if (!found) return std::unexpected(file.string() + ": no token is named '" + name + "'");
                return text;
              });
}

std::expected<std::unique_ptr<token_store>, std::string> token_store::open(std::filesystem::path file) {
  std::unique_ptr<token_store> store(new token_store(std::move(file)));
  store->seen_ = store->present();
  auto tokens = read_tokens(store->file_);
  if (!tokens) return std::unexpected(tokens.error());
  store->tokens_ = std::move(*tokens);
  return store;
}

token_store::version token_store::present() const {
  struct stat info{};
  if (stat(file_.c_str(), &info) != 0) return {};
  return {.inode = info.st_ino,
          .seconds = info.st_mtim.tv_sec,
          .nanoseconds = info.st_mtim.tv_nsec,
          .size = info.st_size,
          .mode = info.st_mode};
}

std::optional<api_token> token_store::find(std::string_view text) {
  const auto digest = sha256(text);
  const std::lock_guard lock(mutex_);
  if (const version v = present(); v != seen_) {
    seen_ = v;
    auto tokens = read_tokens(file_);
    if (!tokens) spdlog::error("no token is valid until this is mended: {}", tokens.error());
    tokens_ = tokens ? std::move(*tokens) : std::vector<api_token>{};
  }
  const api_token* found = nullptr;
  for (const api_token& token : tokens_) // all of them, whichever it is: the time says nothing
    if (CRYPTO_memcmp(token.digest.data(), digest.data(), digest.size()) == 0) found = &token;
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

} // namespace homeostat
