#include "sim/campaign.hpp"

#include "policies/median.hpp"
#include "policies/number_text.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>

namespace homeostat::sim {

namespace {

double median_or_0(const std::vector<double>& values) { return values.empty() ? 0 : upper_median(values); }

template <std::size_t N> void add(std::array<std::uint64_t, N>& sum, const std::array<std::uint64_t, N>& more) {
  for (std::size_t i = 0; i < N; ++i) sum[i] += more[i];
}

void add(run_result& sum, const run_result& r) {
  sum.steps += r.steps;
  sum.digests += r.digests;
  sum.windows += r.windows;
  sum.updates += r.updates;
  sum.records += r.records;
  sum.process_crashes += r.process_crashes;
  sum.child_restarts += r.child_restarts;
  sum.commands += r.commands;
  sum.strange_proposals += r.strange_proposals;
  sum.governor.decisions += r.governor.decisions;
  sum.governor.committed += r.governor.committed;
  sum.governor.aborted += r.governor.aborted;
  sum.governor.rollbacks += r.governor.rollbacks;
  sum.governor.drifts += r.governor.drifts;
  sum.governor.recoveries += r.governor.recoveries;
  add(sum.governor.refusals, r.governor.refusals);
  add(sum.governor.safe_modes, r.governor.safe_modes);
  add(sum.engine_refusals, r.engine_refusals);
  add(sum.digest_faults, r.digest_faults);
}

campaign_summary sum_up(const std::vector<run_result>& results) {
  campaign_summary s;
  std::vector<double> whole;
  std::vector<double> half;
  std::array<std::vector<double>, landscape_kind_count> by_landscape;
  for (const run_result& r : results) {
    if (r.steps == 0) continue; // not run: the campaign ended before
    ++s.seeds;
    s.virtual_hours += seconds_of(r.at) / 3600;
    add(s.total, r);
    s.stopped += r.stopped;
    s.gave_up += r.gave_up;
    if (r.broken) s.broken.push_back(r);
    if (!r.fault_free) continue;
    ++s.fault_free;
    whole.push_back(r.benefit);
    half.push_back(r.benefit_second_half);
    by_landscape[static_cast<std::size_t>(r.landscape)].push_back(r.benefit_second_half);
    s.benefit_worst = std::max(s.benefit_worst, r.benefit);
  }
  s.benefit_median = median_or_0(whole);
  s.benefit_second_half_median = median_or_0(half);
  for (std::size_t i = 0; i < landscape_kind_count; ++i) s.benefit_by_landscape[i] = median_or_0(by_landscape[i]);
  return s;
}

} // namespace

campaign_summary run_campaign(const campaign_settings& settings, const policy_set& policies) {
  std::vector<run_result> results(settings.seeds);
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> repeated{0};
  std::atomic<bool> ended{false};
  const auto work = [&] {
    for (;;) {
      const std::uint64_t i = next++;
      if (i >= settings.seeds || ended) return;
      const std::uint64_t seed = settings.first + i;
      results[i] = run_seed(seed, policies);
      if (settings.repeat_every > 0 && i % settings.repeat_every == 0 && !results[i].broken) {
        ++repeated;
        const run_result again = run_seed(seed, policies);
        if (again.hash != results[i].hash || again.steps != results[i].steps)
          results[i].broken = finding{"I7", "the same seed decided differently the second time"};
      }
      if (results[i].broken && settings.stop_at_first) ended = true;
      if (const std::uint64_t n = ++done; settings.progress && n % 500 == 0)
        std::fprintf(stderr, "%llu of %llu seeds\n", static_cast<unsigned long long>(n),
                     static_cast<unsigned long long>(settings.seeds));
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < settings.jobs; ++i) threads.emplace_back(work);
    work();
  }
  campaign_summary s = sum_up(results);
  s.repeated = repeated;
  return s;
}

std::vector<std::string> last_events(std::uint64_t seed, const policy_set& policies, std::size_t lines) {
  std::deque<std::string> last;
  (void)run_seed(seed, policies, [&](std::string line) {
    if (last.size() == lines) last.pop_front();
    last.push_back(std::move(line));
  });
  return {last.begin(), last.end()};
}

std::string report(const run_result& broken, const policy_set& policies) {
  std::string text = "seed " + std::to_string(broken.seed) + ", step " + std::to_string(broken.steps) + ", " +
                     number_text(seconds_of(broken.at)) + " s virtual time: " + broken.broken->invariant +
                     " broken: " + broken.broken->what + "\n";
  constexpr std::size_t shown = 25;
  for (const std::string& line : last_events(broken.seed, policies, shown)) text += "  " + line + "\n";
  return text + "replay: ./dev sim --seed " + std::to_string(broken.seed) + " --trace\n";
}

namespace {

struct row {
  std::string name;
  double value;
};

/// The summary's numbers in the order in which people read them; a name with a dot is one of a family.
std::vector<row> rows_of(const campaign_summary& s) {
  const run_result& t = s.total;
  const auto n = [](std::uint64_t v) { return static_cast<double>(v); };
  std::vector<row> rows{{"seeds", n(s.seeds)},
                        {"seeds_run_twice", n(s.repeated)},
                        {"violations", n(s.broken.size())},
                        {"virtual_hours", s.virtual_hours},
                        {"steps", n(t.steps)},
                        {"digests", n(t.digests)},
                        {"windows", n(t.windows)},
                        {"decisions", n(t.governor.decisions)},
                        {"audit_records", n(t.records)},
                        {"applied", n(t.governor.committed)},
                        {"aborted", n(t.governor.aborted)},
                        {"updates", n(t.updates)},
                        {"rollbacks", n(t.governor.rollbacks)},
                        {"drifts", n(t.governor.drifts)},
                        {"process_crashes", n(t.process_crashes)},
                        {"child_restarts", n(t.child_restarts)},
                        {"governor_starts", n(t.governor.recoveries)},
                        {"supervisor_gave_up", n(s.gave_up)},
                        {"operator_commands", n(t.commands)},
                        {"hostile_proposals", n(t.strange_proposals)},
                        {"ordered_shutdowns", n(s.stopped)}};
  for (std::size_t i = 0; i < violation_code_count; ++i)
    if (t.governor.refusals[i] > 0)
      rows.push_back({"refused." + std::string(name_of(static_cast<violation_code>(i))), n(t.governor.refusals[i])});
  for (std::size_t i = 0; i < violation_code_count; ++i)
    if (t.engine_refusals[i] > 0)
      rows.push_back({"refused_own." + std::string(name_of(static_cast<violation_code>(i))), n(t.engine_refusals[i])});
  for (std::size_t i = 0; i < safe_mode_reason_count; ++i)
    rows.push_back(
        {"safe_mode." + std::string(name_of(static_cast<safe_mode_reason>(i))), n(t.governor.safe_modes[i])});
  for (std::size_t i = 0; i < digest_fault_count; ++i)
    rows.push_back({"digest_refused." + std::string(name_of(static_cast<digest_fault>(i))), n(t.digest_faults[i])});
  rows.push_back({"fault_free_seeds", n(s.fault_free)});
  rows.push_back({"benefit_median", s.benefit_median});
  rows.push_back({"benefit_median_second_half", s.benefit_second_half_median});
  rows.push_back({"benefit_worst", s.benefit_worst});
  for (std::size_t i = 0; i < landscape_kind_count; ++i)
    rows.push_back(
        {"benefit_second_half." + std::string(name_of(static_cast<landscape_kind>(i))), s.benefit_by_landscape[i]});
  return rows;
}

/// Counts in full, fractions with six digits.
std::string value_text(double value) {
  char text[48];
  std::snprintf(text, sizeof text, value == static_cast<double>(static_cast<std::int64_t>(value)) ? "%.0f" : "%.6g",
                value);
  return text;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

} // namespace

std::string as_table(const campaign_summary& summary) {
  std::string text;
  for (const row& r : rows_of(summary)) {
    char line[96];
    std::snprintf(line, sizeof line, "%-34s %16s\n", r.name.c_str(), value_text(r.value).c_str());
    text += line;
  }
  return text;
}

std::string as_json(const campaign_summary& summary) {
  std::string text = "{\n";
  for (const row& r : rows_of(summary)) text += "  " + quoted(r.name) + ": " + value_text(r.value) + ",\n";
  text += "  \"broken\": [";
  for (std::size_t i = 0; i < summary.broken.size(); ++i) {
    const run_result& b = summary.broken[i];
    text += std::string(i > 0 ? "," : "") + "\n    {\"seed\": " + std::to_string(b.seed) +
            ", \"step\": " + std::to_string(b.steps) + ", \"virtual_s\": " + value_text(seconds_of(b.at)) +
            ", \"invariant\": " + quoted(b.broken->invariant) + ", \"what\": " + quoted(b.broken->what) + "}";
  }
  return text + (summary.broken.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

} // namespace homeostat::sim
