#include "runtime/transfer/transfer_channel.hpp"

#include <algorithm>
#include <exception>

namespace homeostat {

namespace {

constexpr std::size_t longest_reason = 1000;

std::unexpected<std::string> refused(std::string reason) {
  if (reason.empty()) reason = "the consumer gave no reason";
  if (reason.size() > longest_reason) reason.resize(longest_reason);
  std::ranges::replace_if(reason, [](char c) { return c < ' ' || c > '~'; }, '?');
  return std::unexpected(std::move(reason));
}

} // namespace

std::expected<std::uint64_t, std::string> consume(const transfer_consumer& consumer, std::span<const std::byte> bytes,
                                                  const transfer_characteristics& data) {
  try {
    return consumer(bytes, data);
  } catch (const std::exception& e) { return refused(e.what()); } catch (...) {
    return refused({});
  }
}

} // namespace homeostat
