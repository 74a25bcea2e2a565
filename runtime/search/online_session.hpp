#pragma once

#include "policies/search/online/online_strategy.hpp"
#include "policies/search/solver.hpp"
#include "runtime/search/interactive.hpp"

#include <google/protobuf/struct.pb.h>

#include <expected>
#include <optional>
#include <string>

namespace homeostat {

/// @param settings  of the configuration, with the name of an online strategy; `strategy_params` may hold
///                  max_delta_per_step and, for adaptive, noise_floor.
/// @returns what the strategy is given, or one sentence that names the setting, its value and the expected form.
[[nodiscard]] std::expected<online_settings, std::string> online_settings_of(const solver_settings& settings);

/// An online search behind the JSON-lines protocol: ask, tell, abandon, best, status.
class online_session {
public:
  /// @param settings  as above; the budget ends the asking, the default values are where it starts.
  /// @returns the session, or one sentence on what is wrong.
  [[nodiscard]] static std::expected<online_session, std::string> create(const solver_settings& settings);
  /// @returns the reply to one request line, or what is wrong with it; then nothing has changed.
  [[nodiscard]] std::expected<google::protobuf::Struct, std::string> reply(const std::string& line);

  [[nodiscard]] session_counts counts() const;

private:
  online_session(online_settings settings, search_space space, std::optional<std::uint64_t> budget)
      : settings_(std::move(settings)), space_(std::move(space)), state_(fresh_online(settings_)), budget_(budget) {}
  using answer = std::expected<google::protobuf::Struct, std::string>;
  answer ask();
  answer tell(const google::protobuf::Struct& request);
  answer abandoned();
  answer best() const;
  answer status() const;

  online_settings settings_;
  search_space space_;
  online_state state_;
  std::optional<std::uint64_t> budget_;
  std::uint64_t asks_{0}; ///< candidates; one that is asked again counts once
};

} // namespace homeostat
