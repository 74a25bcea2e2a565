#include "runtime/learning/model_json.hpp"
#include "runtime/learning/model_store.hpp"
#include "runtime/learning/stored_model.pb.h"

#include <openssl/evp.h>

#include <array>
#include <limits>

namespace homeostat {

namespace {

using failure = std::unexpected<std::string>;

constexpr std::string_view magic = "hsmodel\n";
constexpr std::uint32_t format = 1;
constexpr std::size_t digest_size = 32;
constexpr std::size_t header_size = magic.size() + 4 + 8 + digest_size;

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

/// @returns the digest; empty if the crypto library has none, which no file's digest equals.
std::string sha256(std::string_view bytes) {
  std::array<unsigned char, digest_size> digest{};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) return {};
  return {reinterpret_cast<const char*>(digest.data()), length};
}

std::int64_t microseconds(instant t) { return t.time_since_epoch().count(); }
instant time_of(std::int64_t us) { return instant(duration(us)); }

void write_lineage(const model_lineage& from, learning::lineage& to) {
  to.set_id(from.id);
  to.set_parent_id(from.parent);
  to.set_created_at_us(microseconds(from.created));
  to.set_first_sample_us(microseconds(from.first_sample));
  to.set_last_sample_us(microseconds(from.last_sample));
  to.set_training_samples(from.training_samples);
  to.set_held_out_samples(from.held_out_samples);
  to.set_labels(from.labels);
  to.set_seed(from.seed);
  to.set_feature_layout(feature_layout);
  to.set_gate_passed(from.gate.passed);
  for (const gate_figure& f : from.gate.figures) {
    auto& figure = *to.add_figures();
    figure.set_name(f.name);
    figure.set_value(f.value);
    figure.set_limit(f.limit);
    figure.set_count(f.count);
    figure.set_passed(f.passed);
    figure.set_text(f.text);
  }
}

model_lineage read_lineage(const learning::lineage& from) {
  model_lineage to{.id = from.id(),
                   .parent = from.parent_id(),
                   .created = time_of(from.created_at_us()),
                   .first_sample = time_of(from.first_sample_us()),
                   .last_sample = time_of(from.last_sample_us()),
                   .training_samples = from.training_samples(),
                   .held_out_samples = from.held_out_samples(),
                   .labels = from.labels(),
                   .seed = from.seed(),
                   .gate = {.passed = from.gate_passed(), .figures = {}}};
  for (const auto& f : from.figures())
    to.gate.figures.push_back({.name = f.name(),
                               .value = f.value(),
                               .limit = f.limit(),
                               .count = f.count(),
                               .passed = f.passed(),
                               .text = f.text()});
  return to;
}

/// @returns the body of a file whose header and checksum are right.
std::expected<std::string_view, std::string> body_of(std::string_view bytes) {
  if (bytes.size() < header_size)
    return failure("is cut off: " + std::to_string(bytes.size()) + " bytes, its header alone has " +
                   std::to_string(header_size));
  if (!bytes.starts_with(magic)) return failure("is no model file");
  if (const auto version = number_at(bytes, magic.size(), 4); version != format)
    return failure("has format " + std::to_string(version) + ", expected " + std::to_string(format));
  const std::uint64_t length = number_at(bytes, magic.size() + 4, 8);
  const std::string_view body = bytes.substr(header_size);
  if (body.size() != length)
    return failure("has a body of " + std::to_string(body.size()) + " bytes, its header says " +
                   std::to_string(length));
  if (sha256(body) != bytes.substr(header_size - digest_size, digest_size))
    return failure("is damaged: its SHA-256 is another one");
  return body;
}

std::expected<forest, std::string> named(const char* name, const std::string& json) {
  auto f = forest_from_json(json);
  if (!f) return failure(std::string("has a bad ") + name + " model: " + f.error());
  return f;
}

} // namespace

std::string encode_model_file(const stored_model& model) {
  learning::stored_model message;
  write_lineage(model.lineage, *message.mutable_lineage());
  message.set_latency_model(model.latency_json);
  message.set_choice_model(model.choice_json);
  const std::string body = message.SerializeAsString();
  return std::string(magic) + little_endian(format, 4) + little_endian(body.size(), 8) + sha256(body) + body;
}

std::expected<stored_model, std::string> decode_model_file(std::string_view bytes) {
  const auto body = body_of(bytes);
  if (!body) return failure(body.error());
  learning::stored_model message;
  if (body->size() > std::numeric_limits<int>::max() ||
      !message.ParseFromArray(body->data(), static_cast<int>(body->size())))
    return failure("has a body that is no model");
  if (message.lineage().feature_layout() != feature_layout)
    return failure("was trained on feature layout " + std::to_string(message.lineage().feature_layout()) +
                   ", expected " + std::to_string(feature_layout));
  if (!message.lineage().gate_passed()) return failure("did not pass its gate");
  auto latency = named("latency", message.latency_model());
  if (!latency) return failure(std::move(latency.error()));
  auto choice = named("choice", message.choice_model());
  if (!choice) return failure(std::move(choice.error()));
  auto model = transfer_model::create(*std::move(latency), *std::move(choice));
  if (!model) return failure("does not fit together: " + model.error());
  return stored_model{.lineage = read_lineage(message.lineage()),
                      .latency_json = std::move(*message.mutable_latency_model()),
                      .choice_json = std::move(*message.mutable_choice_model()),
                      .model = *std::move(model)};
}

} // namespace homeostat
