// homeostat_sim: years of a governed loop in minutes. Exit code 0: every invariant held; 1: one did not; 2: usage.
#include "sim/campaign.hpp"
#include "sim/scenarios/runaway.hpp"

#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>
#include <thread>

namespace {

using namespace homeostat;

constexpr const char* usage_text =
    "usage: homeostat_sim [--seeds N] [--first S] [--jobs J] [--output table|json] [--all]\n"
    "       homeostat_sim --seed S [--trace]\n"
    "       homeostat_sim --scenario NAME\n"
    "\n"
    "  --seeds N    how many seeds to run (default 1000)\n"
    "  --first S    the first of them (default 1)\n"
    "  --jobs J     threads (default: one per core, at most 2)\n"
    "  --output F   table (default) or json\n"
    "  --all        go on after a violation and report every one\n"
    "  --seed S     run one seed\n"
    "  --trace      with --seed: print every event\n"
    "  --scenario N a way in which feedback runs away, without its mitigation and with it: oscillation, noise,\n"
    "               gaming, cascade, drift, or all\n";

struct arguments {
  sim::campaign_settings campaign;
  std::optional<std::uint64_t> seed;
  bool trace{false};
  bool json{false};
};

std::optional<std::uint64_t> number_from(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// @returns nothing after saying on standard error what is wrong.
std::optional<arguments> parse(int count, char** values) {
  arguments a;
  a.campaign.progress = true;
  a.campaign.jobs = std::min(2U, std::max(1U, std::thread::hardware_concurrency()));
  for (int i = 1; i < count; ++i) {
    const std::string_view name = values[i];
    if (name == "--trace") {
      a.trace = true;
      continue;
    }
    if (name == "--all") {
      a.campaign.stop_at_first = false;
      continue;
    }
    const std::string_view value = i + 1 < count ? values[i + 1] : "";
    const auto number = number_from(value);
    ++i;
    if (name == "--output" && (value == "table" || value == "json"))
      a.json = value == "json";
    else if (name == "--seeds" && number && *number > 0 && *number <= 100'000'000)
      a.campaign.seeds = *number;
    else if (name == "--first" && number)
      a.campaign.first = *number;
    else if (name == "--jobs" && number && *number >= 1 && *number <= 256)
      a.campaign.jobs = static_cast<unsigned>(*number);
    else if (name == "--seed" && number)
      a.seed = *number;
    else {
      std::fprintf(stderr, "homeostat_sim: cannot use '%s %s'\n%s", values[i - 1], std::string(value).c_str(),
                   usage_text);
      return std::nullopt;
    }
  }
  return a;
}

/// @returns the exit code.
int show_scenario(std::string_view name) {
  bool found = false;
  for (const std::string_view known : sim::runaway_names()) {
    if (name != known && name != "all") continue;
    found = true;
    std::fputs(sim::as_table(*sim::run_runaway(known)).c_str(), stdout);
  }
  if (!found) std::fprintf(stderr, "homeostat_sim: no scenario '%s'\n%s", std::string(name).c_str(), usage_text);
  return found ? 0 : 2;
}

int run_one(const arguments& a, const sim::policy_set& policies) {
  const sim::run_result r =
      a.trace ? sim::run_seed(*a.seed, policies, [](const std::string& line) { std::puts(line.c_str()); })
              : sim::run_seed(*a.seed, policies);
  if (r.broken) {
    std::fprintf(stderr, "%s", sim::report(r, policies).c_str());
    return 1;
  }
  std::printf("seed %llu: %llu steps, %.1f s virtual time, every invariant held, hash %016llx\n",
              static_cast<unsigned long long>(r.seed), static_cast<unsigned long long>(r.steps), seconds_of(r.at),
              static_cast<unsigned long long>(r.hash));
  return 0;
}

} // namespace

int main(int count, char** values) {
  if (count == 2 && (std::string_view(values[1]) == "--help" || std::string_view(values[1]) == "-h")) {
    std::fputs(usage_text, stdout);
    return 0;
  }
  if (count == 3 && std::string_view(values[1]) == "--scenario") return show_scenario(values[2]);
  const auto a = parse(count, values);
  if (!a) return 2;
  const sim::policy_set policies;
  if (a->seed) return run_one(*a, policies);
  const sim::campaign_summary s = sim::run_campaign(a->campaign, policies);
  std::fputs((a->json ? sim::as_json(s) : sim::as_table(s)).c_str(), stdout);
  for (const sim::run_result& broken : s.broken) std::fprintf(stderr, "\n%s", sim::report(broken, policies).c_str());
  return s.broken.empty() ? 0 : 1;
}
