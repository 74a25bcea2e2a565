#include "runtime/search/interactive.hpp"

#include "messages/json.hpp"
#include "runtime/search/online_session.hpp"
#include "runtime/search/result_json.hpp"
#include "runtime/search/search_config.hpp"

#include <chrono>
#include <cmath>
#include <expected>
#include <istream>
#include <ostream>
#include <utility>

namespace homeostat {

namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using reply = std::expected<Struct, std::string>;

reply ask(solver& search, const Struct& request) {
  std::size_t count = search.settings().batch_size;
  if (const auto batch = request.fields().find("batch"); batch != request.fields().end()) {
    const double number = batch->second.has_number_value() ? batch->second.number_value() : 0;
    if (!(number >= 1 && number <= 4096) || number != std::floor(number))
      return std::unexpected("batch is " + shown(batch->second) + ", expected a whole number from 1 to 4096");
    count = static_cast<std::size_t>(number);
  }
  Struct out;
  auto* list = field(out, "params").mutable_list_value();
  for (const trial& t : search.ask(count))
    write_params(search.space(), t.values, *list->add_values()->mutable_struct_value());
  return out;
}

reply tell(solver& search, const Struct& request, bool seeds) {
  const auto results = request.fields().find("results");
  if (results == request.fields().end() || !results->second.has_list_value())
    return std::unexpected("results is missing, expected a list of {\"params\":{..},\"value\":number}");
  int kept = 0;
  for (const Value& value : results->second.list_value().values()) {
    const std::string before = kept == 0 ? "" : " (" + std::to_string(kept) + " results before it were taken)";
    const auto result = read_result(search.space(), value);
    if (!result) return std::unexpected(result.error() + before);
    if (auto told = seeds ? search.add_seed(*result) : search.tell(*result); !told)
      return std::unexpected(told.error().text + before);
    ++kept;
  }
  Struct out;
  field(out, "ok").set_bool_value(true);
  return out;
}

reply best(const solver& search) {
  Struct out;
  const auto point = search.recommend();
  if (!point) {
    field(out, "params").set_null_value(google::protobuf::NULL_VALUE);
    return out;
  }
  write_params(search.space(), point->values, *field(out, "params").mutable_struct_value());
  field(out, "value").set_number_value(point->expected_value);
  field(out, "from_model").set_bool_value(point->from_model);
  return out;
}

reply status(const solver& search) {
  Struct out;
  field(out, "asked").set_number_value(static_cast<double>(search.asked()));
  field(out, "told").set_number_value(static_cast<double>(search.told()));
  field(out, "finished").set_bool_value(search.finished());
  auto* list = field(out, "switches").mutable_list_value();
  for (const strategy_switch& change : search.switches()) {
    Struct& entry = *list->add_values()->mutable_struct_value();
    field(entry, "at_trial").set_number_value(static_cast<double>(change.at_trial));
    field(entry, "from").set_string_value(change.from);
    field(entry, "to").set_string_value(change.to);
    field(entry, "why").set_string_value(change.why);
  }
  return out;
}

std::string answered(const reply& result) {
  if (result) return to_json(*result);
  Struct refused;
  field(refused, "error").set_string_value(result.error());
  return to_json(refused);
}

reply dispatch(solver& search, const std::string& line) {
  Struct request;
  if (auto parsed = from_json(line, request); !parsed) return std::unexpected("not a JSON object: " + parsed.error());
  const auto cmd = request.fields().find("cmd");
  const std::string name = cmd != request.fields().end() ? cmd->second.string_value() : "";
  if (name == "ask") return ask(search, request);
  if (name == "tell") return tell(search, request, false);
  if (name == "seed") return tell(search, request, true);
  if (name == "best") return best(search);
  if (name == "status") return status(search);
  return std::unexpected("cmd is " + (cmd != request.fields().end() ? shown(cmd->second) : "missing") +
                         ", expected ask, tell, seed, best or status");
}

session_counts counts_of(const solver& search) {
  const std::uint64_t seeds = search.trials().size() - search.asked();
  return {.asks = search.asked(), .tells = search.told() - seeds, .history = search.trials().size()};
}

/// Longest request: some 4096 results with 1000 parameters each. What is longer is read past.
constexpr std::size_t longest_line = std::size_t{1} << 27;

/// @returns false at the end. `line` holds one byte more than the longest request where the line is too long.
bool next_line(std::istream& in, std::string& line) {
  line.clear();
  constexpr auto end = std::istream::traits_type::eof();
  for (auto c = in.rdbuf()->sbumpc();; c = in.rdbuf()->sbumpc()) {
    if (c == end) return !line.empty();
    if (c == '\n') return true;
    if (line.size() <= longest_line) line += std::istream::traits_type::to_char_type(c);
  }
}

/// Measures how long candidates are out. What was never told about does not count.
class stopwatch {
public:
  /// A request has come in.
  void request() {
    if (out_) waited_ += std::chrono::duration<double>(clock::now() - since_).count();
  }
  /// The request has been dealt with. @returns the counts with the time filled in.
  session_counts read(session_counts now) {
    if (now.tells > tells_) total_ += std::exchange(waited_, 0);
    tells_ = now.tells;
    out_ = now.asks > now.tells + now.abandoned;
    if (!out_) waited_ = 0;
    since_ = clock::now();
    now.evaluation_seconds = total_;
    return now;
  }

private:
  using clock = std::chrono::steady_clock;
  clock::time_point since_{};
  std::uint64_t tells_{0};
  bool out_{false};
  double waited_{0};
  double total_{0};
};

} // namespace

std::string reply_to(solver& search, const std::string& line) { return answered(dispatch(search, line)); }

int run_interactive(const std::string& file, const std::string& config, std::istream& in, std::ostream& out,
                    std::ostream& errors, const std::function<void(const session_counts&)>& progress) {
  const auto refuse = [&](const std::string& why) {
    errors << why << std::endl;
    return 1;
  };
  const auto serve = [&](const auto& respond, const auto& counts_now) {
    stopwatch watch;
    progress(watch.read(counts_now()));
    for (std::string line; next_line(in, line);) {
      if (line.empty()) continue;
      watch.request();
      const std::string reply =
          line.size() <= longest_line
              ? respond(line)
              : answered(std::unexpected("the line has more than " + std::to_string(longest_line) + " bytes"));
      progress(watch.read(counts_now())); // before the answer: who has it finds its numbers there
      out << reply << std::endl;
      if (!out) return refuse("standard output: cannot be written");
    }
    return 0;
  };
  auto settings = read_search_config(file, config);
  if (!settings) return refuse(lines_of(settings.error()));
  if (online_kind_from(settings->strategy)) {
    auto search = online_session::create(*settings);
    if (!search) return refuse(search.error());
    return serve([&](const std::string& line) { return answered(search->reply(line)); },
                 [&] { return search->counts(); });
  }
  auto search = solver::create(std::move(*settings));
  if (!search) return refuse(search.error());
  return serve([&](const std::string& line) { return reply_to(*search, line); }, [&] { return counts_of(*search); });
}

} // namespace homeostat
