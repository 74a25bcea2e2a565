// The budgets of design §13 that exist by now, as ratios against a baseline of the same run.
#include "bench/row.hpp"
#include "policies/number_text.hpp"
#include "runtime/scratch_folder.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <string_view>

namespace {

using homeostat::number_text;
using homeostat::bench::row;

/// Numbers and names of ours only: nothing in them needs escaping.
void write_json(const std::string& path, const std::vector<row>& rows) {
  std::ofstream out(path);
  out << "{\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const row& r = rows[i];
    const auto number_or_null = [](double x) { return x != 0 ? number_text(x) : std::string("null"); };
    out << "  \"" << r.name << "\": {\"value\": " << number_text(r.value) << ", \"unit\": \"" << r.unit
        << "\", \"baseline\": " << number_or_null(r.baseline) << ", \"ratio\": " << number_or_null(r.ratio)
        << ", \"budget\": \"" << r.budget << "\", \"ok\": " << (r.ok ? "true" : "false") << "}"
        << (i + 1 < rows.size() ? ",\n" : "\n");
  }
  out << "}\n";
}

void print(const row& r) {
  const std::string baseline = r.baseline != 0 ? number_text(r.baseline) : "-";
  const std::string ratio = r.ratio != 0 ? number_text(std::round(r.ratio * 1000) / 1000) : "-";
  std::printf("%-30s %12s %-12s %12s %8s   %-26s %s\n", r.name.c_str(), number_text(r.value).c_str(), r.unit.c_str(),
              baseline.c_str(), ratio.c_str(), r.budget.c_str(), r.ok ? "ok" : "MISSED");
  std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
  std::string out = "bench.json", only;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--out" && i + 1 < argc) {
      out = argv[++i];
    } else if (option == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else {
      std::fprintf(stderr,
                   "unknown option '%s', expected --out FILE or --only "
                   "hotpath|decision|search|learning|store|actors|transfer\n",
                   argv[i]);
      return 2;
    }
  }
  const homeostat::scratch_folder scratch("homeostat-bench");
  std::printf("%-30s %12s %-12s %12s %8s   %-26s\n", "row", "value", "unit", "baseline", "ratio", "budget");
  std::vector<row> all;
  const auto wanted = [&](std::string_view group) { return only.empty() || only == group; };
  const auto add = [&](std::vector<row> rows) {
    for (row& r : rows) print(r), all.push_back(std::move(r));
  };
  if (wanted("hotpath")) add(homeostat::bench::hotpath_rows());
  if (wanted("decision")) add(homeostat::bench::decision_rows());
  if (wanted("search")) add(homeostat::bench::search_rows());
  if (wanted("learning")) add(homeostat::bench::learning_rows());
  if (wanted("store")) add(homeostat::bench::store_rows(scratch.path()));
  if (wanted("actors")) add(homeostat::bench::actor_rows());
  if (wanted("transfer")) add(homeostat::bench::transfer_rows());
  write_json(out, all);
  bool ok = !all.empty();
  for (const row& r : all) ok = ok && r.ok;
  return ok ? 0 : 1;
}
