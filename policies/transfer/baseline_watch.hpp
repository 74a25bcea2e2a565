#pragma once

#include "policies/transfer/metrics_store.hpp"
#include "policies/transfer/performance_baseline.hpp"

#include <map>
#include <span>

namespace homeostat {

/// The baselines of one pool, shown each window of its series once.
///
/// Windows are cut where windows_of() would cut the whole series, but only series that had a transfer since are looked
/// at, and only from the end of the last window shown: a week of minutes need not be cut again every minute. A transfer
/// that comes late counts while its window is open, and in no window afterwards. Refused: carrying open windows along,
/// which a late transfer would miss.
class baseline_watch {
public:
  /// A transfer of this series was recorded in the store. @param now  of its recording.
  void note(const series_key& key, instant now);
  /// Shows every series its windows so far: once, with what a store was restored with.
  void show_all(const metrics_store& store, std::span<const generation_start> starts, instant now,
                const baseline_settings& settings);
  /// Shows the noted series the windows that were completed since.
  void show(const metrics_store& store, std::span<const generation_start> starts, instant now,
            const baseline_settings& settings);

  std::map<series_key, performance_baseline> baselines;

private:
  std::map<series_key, instant> noted_; ///< when its latest transfer was recorded
};

} // namespace homeostat
