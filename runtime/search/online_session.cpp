#include "runtime/search/online_session.hpp"

#include "messages/json.hpp"
#include "policies/number_text.hpp"
#include "runtime/search/result_json.hpp"

namespace homeostat {

namespace {

using google::protobuf::Struct;

Struct ok() {
  Struct out;
  field(out, "ok").set_bool_value(true);
  return out;
}

} // namespace

std::expected<online_settings, std::string> online_settings_of(const solver_settings& settings) {
  const auto kind = online_kind_from(settings.strategy);
  if (!kind) return std::unexpected("strategy is '" + settings.strategy + "', expected adaptive or spsa");
  if (auto sound = check_strategy_params(settings.strategy, settings.strategy_params); !sound)
    return std::unexpected(sound.error());
  const auto param = [&](const char* name) {
    const auto given = settings.strategy_params.find(name);
    return given == settings.strategy_params.end() ? std::nullopt : std::optional(given->second);
  };
  online_settings online;
  online.knobs = settings.space;
  online.kind = *kind;
  online.seed = settings.seed;
  online.max_delta_per_step = param("max_delta_per_step");
  online.noise_floor = param("noise_floor");
  if (auto valid = check(online); !valid) return std::unexpected(valid.error());
  return online;
}

std::expected<online_session, std::string> online_session::create(const solver_settings& settings) {
  auto online = online_settings_of(settings);
  if (!online) return std::unexpected(online.error());
  auto space = search_space::create(settings.space);
  if (!space) return std::unexpected(space.error());
  return online_session(std::move(*online), std::move(*space), settings.budget);
}

online_session::answer online_session::reply(const std::string& line) {
  Struct request;
  if (auto parsed = from_json(line, request); !parsed) return std::unexpected("not a JSON object: " + parsed.error());
  const auto cmd = request.fields().find("cmd");
  const std::string name = cmd != request.fields().end() ? cmd->second.string_value() : "";
  if (name == "ask") return ask();
  if (name == "tell") return tell(request);
  if (name == "abandon") return abandoned();
  if (name == "best") return best();
  if (name == "status") return status();
  return std::unexpected("cmd is '" + name + "', expected ask, tell, abandon, best or status");
}

online_session::answer online_session::ask() {
  Struct out;
  auto* list = field(out, "params").mutable_list_value();
  if (budget_ && state_.recorded >= *budget_) return out;
  asks_ += !state_.asked;
  const knob_values values = values_of(next_point(state_, settings_), settings_);
  write_params(space_, {values.begin(), values.size()}, *list->add_values()->mutable_struct_value());
  return out;
}

online_session::answer online_session::tell(const Struct& request) {
  const auto results = request.fields().find("results");
  if (results == request.fields().end() || results->second.list_value().values_size() != 1)
    return std::unexpected(std::string("results is not a list of one: an online search has one candidate at a time"));
  if (!state_.asked) return std::unexpected(std::string("nothing was asked: ask first"));
  const auto result = read_result(space_, results->second.list_value().values(0));
  if (!result) return std::unexpected(result.error());
  if (!(result->cost >= 0)) return std::unexpected("cost is " + number_text(result->cost) + ", expected 0 or more");
  const knob_values asked = values_of(*state_.asked, settings_);
  for (std::size_t i = 0; i < space_.size(); ++i) {
    const auto told = result->values.find(space_.knobs()[i].name);
    if (told == result->values.end()) return std::unexpected("params." + space_.knobs()[i].name + " is missing");
    if (told->second != asked[i])
      return std::unexpected("params." + told->first + " is " + exact_text(told->second) + ", asked was " +
                             exact_text(asked[i]) + "; abandon what was not applied");
  }
  if (result->values.size() != space_.size())
    return std::unexpected("params has " + std::to_string(result->values.size()) + " values, expected " +
                           std::to_string(space_.size()));
  if (const auto event = record(state_, settings_, result->value); !event) return std::unexpected(event.error());
  return ok();
}

online_session::answer online_session::abandoned() {
  if (!state_.asked) return std::unexpected(std::string("nothing was asked: there is nothing to abandon"));
  abandon(state_, settings_);
  return ok();
}

online_session::answer online_session::best() const {
  Struct out;
  const knob_values values = values_of(incumbent(state_, settings_), settings_);
  write_params(space_, {values.begin(), values.size()}, *field(out, "params").mutable_struct_value());
  return out;
}

session_counts online_session::counts() const {
  return {.asks = asks_,
          .tells = state_.recorded,
          .abandoned = state_.refused,
          .history = state_.recorded,
          .changes = state_.changes,
          .recalls = state_.recalls,
          .returns = state_.returns};
}

online_session::answer online_session::status() const {
  Struct out;
  const auto count = [&](const char* name, std::uint64_t n) {
    field(out, name).set_number_value(static_cast<double>(n));
  };
  count("told", state_.recorded);
  count("refused", state_.refused);
  count("changes_detected", state_.changes);
  count("regimes_recalled", state_.recalls);
  count("returns_to_default", state_.returns);
  if (state_.asked) field(out, "reason").set_string_value(std::string(name_of(state_.asked->reason)));
  return out;
}

} // namespace homeostat
