#pragma once

#include "policies/learning/gate.hpp"
#include "policies/learning/training_schedule.hpp"
#include "policies/learning/transfer_model.hpp"
#include "policies/time.hpp"

#include <filesystem>

namespace homeostat {

/// Where a model comes from.
struct model_lineage {
  std::uint64_t id{0};     ///< given by the store, rising
  std::uint64_t parent{0}; ///< the model it continued; 0: from scratch
  instant created{};
  instant first_sample{}; ///< of the training part
  instant last_sample{};
  std::uint64_t training_samples{0};
  std::uint64_t held_out_samples{0};
  std::uint64_t labels{0}; ///< of method choices that were trained on
  std::uint64_t seed{0};
  gate_result gate{};
  friend bool operator==(const model_lineage&, const model_lineage&) = default;
};

/// A model with its lineage, as trained or as loaded.
struct stored_model {
  model_lineage lineage{};
  std::string latency_json{}; ///< XGBoost's own, to continue from
  std::string choice_json{};
  transfer_model model;
};

/// A pool's models: one file each in a folder of their own.
///
/// Files and no database, because a model is written whole, read whole, and may be copied to another machine. Layout,
/// all integers little endian: "hsmodel\n" ‖ u32 format ‖ u64 length of the body ‖ SHA-256 of the body ‖ body
/// (Protobuf, stored_model.proto). A file is written beside its place, synced, renamed, and the folder synced: a crash
/// leaves the old state or the new one. Loading believes nothing: length, checksum, format, layout of the features, the
/// gate's verdict and the structure of both models are checked before anything is built from them. One process at a
/// time writes a folder.
class model_store {
public:
  /// @param folder  is made if it does not exist.  @param keep  latest models kept, >= 1; older files are removed.
  [[nodiscard]] static std::expected<model_store, std::string> open(std::filesystem::path folder,
                                                                    std::size_t keep = 10);

  /// Saves a model under a new id. Only one that passed its gate: what lies here may be served.
  /// @returns the id, or the file and the reason; nothing is then changed.
  std::expected<std::uint64_t, std::string> save(const stored_model& model);

  /// @returns the model, or the file and the reason: never anything in between, and never an older one instead.
  [[nodiscard]] std::expected<stored_model, std::string> load(std::uint64_t id) const;
  [[nodiscard]] std::expected<stored_model, std::string> load_latest() const;

  /// @returns the ids in the folder, rising.
  [[nodiscard]] std::expected<std::vector<std::uint64_t>, std::string> list() const;
  [[nodiscard]] std::filesystem::path file_of(std::uint64_t id) const;

private:
  model_store(std::filesystem::path folder, std::size_t keep) : folder_(std::move(folder)), keep_(keep) {}
  void remove_old() const;

  std::filesystem::path folder_;
  std::size_t keep_;
};

/// @returns the bytes of a model file. @param model  its lineage complete.
[[nodiscard]] std::string encode_model_file(const stored_model& model);
/// @returns the model in a file's bytes, or the reason why there is none. Any bytes may be given.
[[nodiscard]] std::expected<stored_model, std::string> decode_model_file(std::string_view bytes);

} // namespace homeostat
