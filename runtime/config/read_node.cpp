#include "policies/number_text.hpp"
#include "runtime/config/readers.hpp"
#include "runtime/config/settings_fields.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <limits>

namespace homeostat::yaml {

namespace {

constexpr std::array<field<supervision_settings>, 5> supervision_fields{{
    {"intensity", &supervision_settings::intensity},
    {"period", &supervision_settings::period},
    {"backoff", &supervision_settings::backoff},
    {"backoff_limit", &supervision_settings::backoff_limit},
    {"jitter", &supervision_settings::jitter},
}};

std::expected<void, std::string> check_supervision(const supervision_settings& s) {
  const auto wrong = [](std::string_view name, const std::string& value, const std::string& expected) {
    return std::unexpected(std::string(name) + " is " + value + ", expected " + expected);
  };
  if (s.intensity > 1000) return wrong("intensity", std::to_string(s.intensity), "0 to 1000");
  if (s.period <= 0us) return wrong("period", duration_text(s.period), "a duration above 0");
  if (s.backoff_limit < s.backoff)
    return wrong("backoff_limit", duration_text(s.backoff_limit), "at least backoff, " + duration_text(s.backoff));
  if (!(s.jitter >= 0 && s.jitter <= 1)) return wrong("jitter", number_text(s.jitter), "0 to 1");
  return {};
}

/// @returns whether it is a loopback address; nothing for what is no IP address.
std::optional<bool> is_loopback(const std::string& host, bool bracketed) {
  if (bracketed) {
    in6_addr address{};
    if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return std::nullopt;
    return IN6_IS_ADDR_LOOPBACK(&address);
  }
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) != 1) return std::nullopt;
  return (ntohl(address.s_addr) >> 24) == 127;
}

/// @param has_tls, has_tokens  what an address off loopback needs.
void read_listen(const value& v, bool has_tls, bool has_tokens, node_config& node) {
  const auto text = text_of(v);
  if (!text) return;
  const bool bracketed = text->starts_with('[');
  const std::size_t colon = std::min(text->rfind(':'), text->size());
  const std::uint64_t port = parse_whole(std::string_view(*text).substr(std::min(colon + 1, text->size())))
                                 .value_or(std::uint64_t{std::numeric_limits<std::uint16_t>::max()} + 1);
  std::string host = text->substr(0, colon);
  if (bracketed) host = host.ends_with(']') ? host.substr(1, host.size() - 2) : "";
  const auto loopback = is_loopback(host, bracketed);
  if (port > std::numeric_limits<std::uint16_t>::max() || !loopback)
    return v.refuse_form(
        "an IP address and a port from 0 (the system chooses) to 65535, such as \"127.0.0.1:8421\" or \"[::1]:8421\"");
  if (!*loopback && !(has_tls && has_tokens)) {
    const std::string missing = has_tls ? "tokens_file" : has_tokens ? "tls" : "tls and tokens_file";
    return v.refuse_form("a loopback address, 127.0.0.1 or [::1], as long as the api has no " + missing);
  }
  node.api_host = host;
  node.api_port = static_cast<std::uint16_t>(port);
}

void read_word(const mapping& m, std::string_view name, const word_set& set, std::string& target) {
  const auto v = m.find(name);
  const auto chosen = v ? choice_of(*v, set.words) : std::nullopt;
  if (chosen) target = std::string(set.words[*chosen]);
}

} // namespace

const key_table& node_keys() {
  static const key_table table{"node", {{"store"}, {"api"}, {"log"}, {"supervision"}, {"authority"}, {"seed"}}};
  return table;
}
const key_table& store_keys() {
  static const key_table table{"store", {{"path", "the path of the store's file"}}};
  return table;
}
const key_table& api_keys() {
  static const key_table table{
      "api", {{"listen", "an address and a port, such as \"127.0.0.1:8421\""}, {"tokens_file"}, {"tls"}}};
  return table;
}
const key_table& tls_keys() {
  static const key_table table{"tls", {{"certificate", "the path of a PEM file"}, {"key", "the path of a PEM file"}}};
  return table;
}
const key_table& log_keys() {
  static const key_table table{"log", {{"format"}, {"level"}}};
  return table;
}
const key_table& supervision_keys() {
  static const key_table table{"supervision",
                               keys_of<supervision_settings>({{.name = "strategy"}}, supervision_fields)};
  return table;
}
const key_table& pool_keys() {
  static const key_table table{"pool", {{"policy"}, {"supervision"}, {"transfer"}}};
  return table;
}

const word_set& log_format_words() {
  static constexpr std::array<std::string_view, 2> words{"text", "json"};
  static const word_set set{"log_format", words};
  return set;
}
const word_set& log_level_words() {
  static constexpr std::array<std::string_view, 5> words{"trace", "debug", "info", "warn", "error"};
  static const word_set set{"log_level", words};
  return set;
}
const word_set& supervision_strategy_words() {
  // In the order of restart_strategy.
  static constexpr std::array<std::string_view, 3> words{"one_for_one", "one_for_all", "rest_for_one"};
  static const word_set set{"supervision_strategy", words};
  return set;
}

supervision_settings read_supervision(const mapping& spec) {
  supervision_settings settings;
  in_section(spec, "supervision", supervision_keys(), [&](const mapping& m) {
    const auto v = m.find("strategy");
    if (const auto chosen = v ? choice_of(*v, supervision_strategy_words().words) : std::nullopt)
      settings.strategy = static_cast<restart_strategy>(*chosen);
    read_fields<supervision_settings>(m, settings, supervision_fields);
    report_checks<supervision_settings>(m, m.self(), settings, supervision_settings{}, supervision_fields,
                                        check_supervision);
  });
  return settings;
}

void read_node(const mapping& spec, node_config& node) {
  in_section(spec, "store", store_keys(), [&](const mapping& m) {
    if (const auto v = m.find("path")) node.store_path = text_of(*v).value_or(node.store_path);
  });
  in_section(spec, "api", api_keys(), [&](const mapping& m) {
    if (const auto v = m.find("tokens_file")) node.api_tokens_file = text_of(*v);
    in_section(m, "tls", tls_keys(), [&](const mapping& tls) {
      const auto certificate = tls.find("certificate"), key = tls.find("key");
      const auto c = certificate ? text_of(*certificate) : std::nullopt, k = key ? text_of(*key) : std::nullopt;
      if (c && k) node.api_tls = tls_config{.certificate = *c, .key = *k};
    });
    if (const auto v = m.find("listen")) read_listen(*v, m.has("tls"), m.has("tokens_file"), node);
  });
  in_section(spec, "log", log_keys(), [&](const mapping& m) {
    read_word(m, "format", log_format_words(), node.log_format);
    read_word(m, "level", log_level_words(), node.log_level);
  });
  node.supervision = read_supervision(spec);
  read_node_authority(spec, node.authority);
  if (const auto v = spec.find("seed"))
    node.seed = whole_of(*v, 0, std::numeric_limits<std::uint64_t>::max()).value_or(node.seed);
}

} // namespace homeostat::yaml
