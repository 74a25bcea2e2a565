#pragma once

// Makes our values CAF messages: type ids, atoms, and one inspector for all. Inside a process they travel as they are;
// what leaves it is the Protobuf encoding of messages/codec.hpp.

#include "messages/codec.hpp"

#include <caf/atom.hpp>
#include <caf/error.hpp>
#include <caf/fwd.hpp>
#include <caf/meta/load_callback.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/sec.hpp>
#include <caf/type_id.hpp>

#include <type_traits>

// clang-format off
CAF_BEGIN_TYPE_ID_BLOCK(homeostat, first_custom_type_id)
  CAF_ADD_TYPE_ID(homeostat, (homeostat::proposal))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::proposal_verdict))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::live_configuration))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::actuation))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::actuation_answer))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::objective_window))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::audit_batch))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::audit_answer))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::operator_command))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::command_result))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::loop_status))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::sensor_status))
  CAF_ADD_TYPE_ID(homeostat, (std::vector<homeostat::loop_status>))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::authority_call))
  CAF_ADD_TYPE_ID(homeostat, (homeostat::authority_reply))
  CAF_ADD_ATOM(homeostat, homeostat, load_atom, "load")         // read one durable state
  CAF_ADD_ATOM(homeostat, homeostat, save_atom, "save")         // write one durable state
  CAF_ADD_ATOM(homeostat, homeostat, readback_atom, "readback") // values in force
  CAF_ADD_ATOM(homeostat, homeostat, listen_atom, "listen")     // be told of live configurations
  CAF_ADD_ATOM(homeostat, homeostat, credit_atom, "credit")     // that many more windows may be sent
  CAF_ADD_ATOM(homeostat, homeostat, wake_atom, "wake")         // internal: a port has something
  CAF_ADD_ATOM(homeostat, homeostat, look_atom, "look")         // internal: a timer has run out
  CAF_ADD_ATOM(homeostat, homeostat, status_atom, "status")
  CAF_ADD_ATOM(homeostat, homeostat, stop_atom, "stop")         // ordered shutdown
  CAF_ADD_ATOM(homeostat, homeostat, giveup_atom, "giveup")     // restart intensity exceeded
  CAF_ADD_ATOM(homeostat, homeostat, start_atom, "start")       // internal: start children again
CAF_END_TYPE_ID_BLOCK(homeostat)
// clang-format on

namespace homeostat {

/// The values that are CAF messages.
template <class T>
concept caf_message =
    std::is_same_v<T, proposal> || std::is_same_v<T, proposal_verdict> || std::is_same_v<T, live_configuration> ||
    std::is_same_v<T, actuation> || std::is_same_v<T, actuation_answer> || std::is_same_v<T, objective_window> ||
    std::is_same_v<T, audit_batch> || std::is_same_v<T, audit_answer> || std::is_same_v<T, operator_command> ||
    std::is_same_v<T, command_result> || std::is_same_v<T, loop_status> || std::is_same_v<T, sensor_status> ||
    std::is_same_v<T, authority_call> || std::is_same_v<T, authority_reply>;

/// One inspector for all of them: their Protobuf bytes.
template <class Inspector, caf_message T> typename Inspector::result_type inspect(Inspector& f, T& x) {
  std::string bytes;
  if constexpr (Inspector::reads_state) bytes = encode(x);
  auto load = [&]() -> caf::error {
    auto value = decode<T>(bytes);
    if (!value) return make_error(caf::sec::invalid_argument, value.error());
    x = std::move(*value);
    return caf::none;
  };
  return f(caf::meta::type_name("homeostat"), bytes, caf::meta::load_callback(load));
}

/// Registers every message type; call before the actor system is made.
void register_messages(caf::actor_system_config& config);

} // namespace homeostat
