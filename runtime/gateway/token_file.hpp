#pragma once

#include "policies/authority/roles.hpp"

#include <array>
#include <cstddef>
#include <expected>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// Tokens of the API. A token is 256 random bits, which nobody guesses; so its SHA-256 is kept as it is: salt and
// stretching protect what people choose, and would only make every request slow.
//
// The file has one token a line, `NAME ROLE SHA256`, and comments after '#'. It is refused when others may read it or
// its group may write it.

/// One token, as the file knows it.
struct api_token {
  std::string name; ///< whom the audit names
  role acts_as{role::viewer};
  std::array<std::byte, 32> digest{}; ///< SHA-256 of the token's text
};

/// @returns the tokens of a file, or one sentence on what is wrong with it.
[[nodiscard]] std::expected<std::vector<api_token>, std::string> read_tokens(const std::filesystem::path& file);

/// Adds a token. The file is made if there is none, with mode 0600.
/// @param name  1..63 of [a-z0-9_.-], the first a letter; not in the file yet.
/// @returns the token's text, which is nowhere else; or one sentence on why there is none.
[[nodiscard]] std::expected<std::string, std::string> create_token(const std::filesystem::path& file,
                                                                   const std::string& name, role acts_as);
/// Takes a token out of the file. @returns one sentence if that did not work, for instance because there is none.
[[nodiscard]] std::expected<void, std::string> revoke_token(const std::filesystem::path& file, const std::string& name);

/// The tokens that are valid now: the file is read again when it has changed, so that a revoked token ends at the next
/// request. While the file cannot be read, no token is valid. From any thread.
class token_store {
public:
  /// @returns the store, or one sentence on why the file is not usable.
  [[nodiscard]] static std::expected<std::unique_ptr<token_store>, std::string> open(std::filesystem::path file);

  /// @returns whose token the text is, compared in constant time; nothing if it is nobody's.
  [[nodiscard]] std::optional<api_token> find(std::string_view text);

private:
  struct version {
    std::uint64_t inode{0};
    std::int64_t seconds{0}, nanoseconds{0}, size{-1};
    std::uint32_t mode{0};
    friend bool operator==(const version&, const version&) = default;
  };
  explicit token_store(std::filesystem::path file) : file_(std::move(file)) {}
  [[nodiscard]] version present() const;

  std::filesystem::path file_;
  std::mutex mutex_;
  version seen_;
  std::vector<api_token> tokens_;
};

/// @returns the SHA-256 of a text.
[[nodiscard]] std::array<std::byte, 32> sha256(std::string_view text);

} // namespace homeostat
