#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace homeostat {

/// Stands between SQLite and the file system while it lives, and knows at every moment what a loss of power would leave
/// on the disk: what was synced, plus an arbitrary part of what was written since, by sectors of 512 bytes.
/// Deleting a file is taken as durable at once. The shared-memory file does not exist for it. One at a time; the store
/// must be opened after it is made and closed before it ends.
class power_loss_disk {
public:
  /// The files as they would be found, by name without folder.
  struct image {
    std::map<std::string, std::string> files;
    void write_to(const std::filesystem::path& folder) const;
  };

  explicit power_loss_disk(std::mt19937& random);
  power_loss_disk(const power_loss_disk&) = delete;
  power_loss_disk& operator=(const power_loss_disk&) = delete;
  ~power_loss_disk();

  /// @param hook  called after every write and sync of a file.
  void on_write(std::function<void()> hook);

  [[nodiscard]] image lose_power() const;
  [[nodiscard]] std::size_t syncs() const;

  struct impl;

private:
  std::unique_ptr<impl> impl_;
};

} // namespace homeostat
