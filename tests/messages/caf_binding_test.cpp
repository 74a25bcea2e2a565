// Every message type is registered with CAF and survives its wire format.
#include "messages/caf_binding.hpp"
#include "tests/messages/filled.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/message.hpp>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <tuple>
#include <type_traits>

namespace homeostat {
namespace {

using testing::anything, testing::distinct, testing::expect_always, testing::same;

// Every type of the block, in its order: a type added to the block and not to this list stops the build.
using registered = std::tuple<proposal, proposal_verdict, live_configuration, actuation, actuation_answer,
                              objective_window, audit_batch, audit_answer, operator_command, command_result,
                              loop_status, sensor_status, std::vector<loop_status>, authority_call, authority_reply>;

template <std::size_t I>
constexpr bool has_its_id =
    caf::type_id<std::tuple_element_t<I, registered>>::value == caf::id_block::homeostat::begin + static_cast<int>(I);

template <std::size_t... I> constexpr bool all_have_their_id(std::index_sequence<I...>) {
  return (has_its_id<I> && ...);
}
static_assert(std::tuple_size_v<registered> == caf::id_block::homeostat::end - caf::id_block::homeostat::begin);
static_assert(all_have_their_id(std::make_index_sequence<std::tuple_size_v<registered>>{}));

template <class Tuple> struct as_types;
template <class... T> struct as_types<std::tuple<T...>> {
  using type = ::testing::Types<T...>;
};

caf::actor_system_config& with_messages(caf::actor_system_config& config) {
  register_messages(config);
  config.set("scheduler.policy", caf::atom("testing")); // no threads are needed here
  return config;
}

template <class T> class caf_round_trip : public ::testing::Test {
protected:
  caf::actor_system_config config;
  caf::actor_system system{with_messages(config)};

  static T filled() {
    if constexpr (std::is_same_v<T, std::vector<loop_status>>)
      return {distinct<loop_status>(), loop_status{}};
    else
      return distinct<T>();
  }

  /// As a CAF message between two processes, which needs the type's name on both sides.
  std::optional<T> through_the_wire(const T& x) {
    caf::message sent = caf::make_message(x);
    std::vector<char> bytes;
    caf::binary_serializer sink(system, bytes);
    if (const caf::error failed = sink(sent)) return std::nullopt;
    caf::message received;
    caf::binary_deserializer source(system, bytes);
    if (const caf::error failed = source(received)) return std::nullopt;
    if (!received.match_elements<T>()) return std::nullopt;
    return received.get_as<T>(0);
  }
};

TYPED_TEST_SUITE(caf_round_trip, as_types<registered>::type);

TYPED_TEST(caf_round_trip, KeepsEveryFilledField) {
  const TypeParam sent = this->filled();
  const auto received = this->through_the_wire(sent);
  ASSERT_TRUE(received.has_value());
  EXPECT_TRUE(same(sent, *received));
}

TYPED_TEST(caf_round_trip, KeepsAnything) {
  expect_always([this] {
    TypeParam sent;
    if constexpr (std::is_same_v<TypeParam, std::vector<loop_status>>)
      sent = {anything<loop_status>()};
    else
      sent = anything<TypeParam>();
    const auto received = this->through_the_wire(sent);
    RC_ASSERT(received.has_value());
    RC_ASSERT(same(sent, *received));
  });
}

// What a broken peer sends is an error of the message, never a default value.
TYPED_TEST(caf_round_trip, RefusesWhatTheCodecRefuses) {
  if constexpr (!std::is_same_v<TypeParam, std::vector<loop_status>>) {
    std::vector<char> bytes;
    std::string garbage = "\x07\x07";
    caf::binary_serializer sink(this->system, bytes);
    ASSERT_FALSE(sink(garbage));
    TypeParam x = this->filled();
    caf::binary_deserializer source(this->system, bytes);
    const caf::error refused = source(x);
    EXPECT_TRUE(static_cast<bool>(refused));
    EXPECT_NE(this->system.render(refused).find("homeostat.v1."), std::string::npos) << this->system.render(refused);
    EXPECT_TRUE(same(x, this->filled())) << "half a value was left behind";
  }
}

} // namespace
} // namespace homeostat
