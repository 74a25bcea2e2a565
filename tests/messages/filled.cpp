#include "tests/messages/filled.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat::testing {
namespace {

// ---- enumerators, counted by the compiler
// ------------------------------------------------------------------------------

template <auto Value> [[nodiscard]] constexpr bool is_enumerator() {
  const std::string_view signature = __PRETTY_FUNCTION__; // a number without a name is printed as a cast: (enum)7
  return signature.find("= (") == std::string_view::npos && signature.find("Value = (") == std::string_view::npos;
}

template <class Enum, std::size_t N = 0> [[nodiscard]] constexpr std::size_t enumerators() {
  if constexpr (is_enumerator<static_cast<Enum>(N)>())
    return enumerators<Enum, N + 1>();
  else
    return N;
}
static_assert(enumerators<change_phase>() == 2);
static_assert(enumerators<violation_code>() == violation_code_count);
static_assert(enumerators<safe_mode_reason>() == safe_mode_reason_count);
static_assert(enumerators<audit_kind>() == audit_kind_count);
static_assert(enumerators<experiment_phase>() == experiment_phase_count);
static_assert(enumerators<experiment_verdict>() == experiment_verdict_count);

// ---- where the values come from
// ----------------------------------------------------------------------------------------

class value_source {
public:
  virtual ~value_source() = default;
  virtual std::uint64_t any() = 0;
  virtual std::uint64_t below(std::uint64_t limit) = 0;
  virtual double real() = 0;
  virtual bool flag() = 0;
  virtual std::string text() = 0;
  virtual std::size_t size(std::size_t limit) = 0;
};

class counting final : public value_source {
public:
  std::uint64_t any() override { return ++n_; }
  std::uint64_t below(std::uint64_t limit) override { return 1 + ++n_ % (limit - 1); }
  double real() override { return static_cast<double>(++n_) + 0.5; }
  bool flag() override { return true; }
  std::string text() override { return "t" + std::to_string(++n_); }
  std::size_t size(std::size_t) override { return 2; }

private:
  std::uint64_t n_{0};
};

class arbitrary final : public value_source {
public:
  std::uint64_t any() override {
    return *rc::gen::oneOf(rc::gen::arbitrary<std::uint64_t>(), rc::gen::just(~std::uint64_t{0}));
  }
  std::uint64_t below(std::uint64_t limit) override {
    return *rc::gen::resize(100, rc::gen::inRange<std::uint64_t>(0, limit));
  }
  double real() override {
    using limits = std::numeric_limits<double>;
    return *rc::gen::oneOf(rc::gen::arbitrary<double>(),
                           rc::gen::element(0.0, -0.0, limits::max(), limits::lowest(), limits::denorm_min(),
                                            limits::infinity(), -limits::infinity()));
  }
  bool flag() override { return *rc::gen::arbitrary<bool>(); }
  std::string text() override {
    std::string text;
    for (std::size_t i = size(6); i > 0; --i)
      text +=
          *rc::gen::element<std::string>("a", " ", "\n", "\"", std::string(1, '\0'), "\u00e9", "\u20ac", "\U0001F600");
    return text;
  }
  std::size_t size(std::size_t limit) override { return below(limit + 1); }
};

// ---- filling
// -----------------------------------------------------------------------------------------------------------

// clang-format off
void fill(value_source& s, std::uint64_t& x) { x = s.any(); }
void fill(value_source& s, std::uint32_t& x) { x = static_cast<std::uint32_t>(s.any()); }
/// A number of either sign that a time may have, in microseconds or seconds; see farthest_us in messages/codec_fields.hpp.
std::int64_t some_time(value_source& s, std::int64_t farthest) { return static_cast<std::int64_t>(s.any() % (2 * static_cast<std::uint64_t>(farthest) + 1)) - farthest; }
void fill(value_source& s, std::int64_t& x) { x = some_time(s, (std::int64_t{1} << 56) / 1'000'000); }
void fill(value_source& s, int& x) { x = static_cast<int>(s.any()); }
void fill(value_source& s, double& x) { x = s.real(); }
void fill(value_source& s, bool& x) { x = s.flag(); }
void fill(value_source& s, std::string& x) { x = s.text(); }
void fill(value_source& s, duration& x) { x = duration(some_time(s, std::int64_t{1} << 56)); }
void fill(value_source& s, instant& x) { x = instant(duration(some_time(s, std::int64_t{1} << 56))); }
void fill(value_source& s, chacha8_rng& x) { const auto seed = s.any(), stream = s.any(); x = chacha8_rng(seed, stream, s.any()); }
// clang-format on

template <class Enum>
  requires std::is_enum_v<Enum>
void fill(value_source& s, Enum& x) {
  x = static_cast<Enum>(s.below(enumerators<Enum>()));
}

/// Counted from the last one, which is the default.
void fill(value_source& s, online_kind& x) { x = static_cast<online_kind>(1 - s.below(2)); }

void fill(value_source& s, knob_values& x) {
  x = {};
  for (std::size_t i = s.size(max_knobs); i > 0; --i) x.push_back(s.real());
}

template <class T> void fill(value_source& s, std::vector<T>& x) {
  x.resize(s.size(max_knobs));
  for (T& element : x) fill(s, element);
}

template <class T> void fill(value_source& s, std::optional<T>& x) {
  x.reset();
  if (s.flag()) fill(s, x.emplace());
}

void fill(value_source& s, std::pair<std::string, std::string>& x) {
  fill(s, x.first);
  fill(s, x.second);
}

template <class Key, class T> void fill(value_source& s, std::map<Key, T>& x) {
  x.clear();
  for (std::size_t i = s.size(4); i > 0; --i) {
    Key key;
    fill(s, key);
    fill(s, x[key]);
  }
}

template <with_fields T> void fill(value_source& s, T& x) {
  std::apply([&](auto&... each) { (fill(s, each), ...); }, fields(x));
}

/// A sketch holds what it was shown.
void fill(value_source& s, quantile_sketch& x) {
  x = {};
  for (std::size_t i = s.size(max_knobs); i > 0; --i) x.add(static_cast<double>(s.below(1'000'000)));
}

/// An arm has all its cells.
void fill(value_source& s, arm_record& x) {
  std::apply([&](auto&... each) { (fill(s, each), ...); }, fields(x));
  x.groups.resize(arm_record::cells);
}

/// A proposal was acknowledged at some time if it was.
void fill(value_source& s, config_proposal& x) {
  std::apply([&](auto&... each) { (fill(s, each), ...); }, fields(x));
  if (!x.acknowledged) fill(s, x.acknowledged.emplace());
}

/// A hold lies at its reason's place.
template <std::size_t N> void fill(value_source& s, std::array<std::optional<safe_mode_state::hold>, N>& holds) {
  for (std::size_t i = 0; i < N; ++i) {
    holds[i].reset();
    if (!s.flag()) continue;
    fill(s, holds[i].emplace());
    holds[i]->reason = static_cast<safe_mode_reason>(i);
  }
}

/// A state has at most as many dimensions as knobs.
void fill(value_source& s, spsa_state& x) {
  std::apply([&](auto&... each) { (fill(s, each), ...); }, fields(x));
  x.dimensions = s.below(max_knobs + 1);
}

/// A verdict is one or the other.
void fill(value_source& s, proposal_verdict& x) {
  x = {};
  fill(s, x.proposal_id);
  if (s.below(2) == 0)
    fill(s, x.accepted.emplace());
  else
    fill(s, x.refused.emplace());
}

} // namespace

template <class T> T distinct() {
  counting source;
  T x{};
  fill(source, x);
  return x;
}

template <class T> T anything() {
  arbitrary source;
  T x{};
  fill(source, x);
  return x;
}

void expect_always(const std::function<void()>& property) { EXPECT_TRUE(rc::check(property)); }

#define HOMEOSTAT_FILLED(T)                                                                                            \
  template T distinct<T>();                                                                                            \
  template T anything<T>();
HOMEOSTAT_FILLED(proposal)
HOMEOSTAT_FILLED(proposal_verdict)
HOMEOSTAT_FILLED(live_configuration)
HOMEOSTAT_FILLED(actuation)
HOMEOSTAT_FILLED(actuation_answer)
HOMEOSTAT_FILLED(objective_window)
HOMEOSTAT_FILLED(audit_answer)
HOMEOSTAT_FILLED(audit_record)
HOMEOSTAT_FILLED(audit_batch)
HOMEOSTAT_FILLED(operator_command)
HOMEOSTAT_FILLED(command_result)
HOMEOSTAT_FILLED(loop_status)
HOMEOSTAT_FILLED(sensor_status)
HOMEOSTAT_FILLED(governor_state)
HOMEOSTAT_FILLED(engine_state)
HOMEOSTAT_FILLED(authority_call)
HOMEOSTAT_FILLED(authority_reply)
HOMEOSTAT_FILLED(config_proposal)
HOMEOSTAT_FILLED(config_recommendation)
HOMEOSTAT_FILLED(authority_index)
HOMEOSTAT_FILLED(experiment_state)
HOMEOSTAT_FILLED(receipt)
HOMEOSTAT_FILLED(violation)
#undef HOMEOSTAT_FILLED

} // namespace homeostat::testing
