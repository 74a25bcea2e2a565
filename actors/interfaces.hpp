#pragma once

// Every actor's interface: the table of contents of the running system. Plain values travel (messages/types.hpp,
// policies/); every request has a finite timeout at its sender. An error answer is a caf::error; refusals are values.

#include "messages/caf_binding.hpp"

#include <caf/replies_to.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace homeostat {

/// Somebody who is told what configuration is live: sensor and proposer.
using live_listener_actor = caf::typed_actor<
    // From the governor, after every commit, freeze and thaw.
    caf::reacts_to<live_configuration>>;

/// Somebody who is sent windows, one for each credit granted to the sensor: governor and proposer.
using window_listener_actor = caf::typed_actor<
    // From the sensor. The receiver grants a new credit when it is done with it.
    caf::reacts_to<objective_window>>;

/// Bounded queue in, durable log out. One per node.
using audit_sink_actor = caf::typed_actor<
    // From governors: records and state, durable as one. Status full or failed: nothing of it may be relied on.
    caf::replies_to<audit_batch>::with<audit_answer>,
    // From proposers and others: one durable state by key. The bool says whether there is one.
    caf::replies_to<load_atom, std::string>::with<bool, std::string>,
    caf::replies_to<save_atom, std::string, std::string>::with<audit_answer>,
    // Records waiting for the store now.
    caf::replies_to<status_atom>::with<std::uint64_t>,
    // Internal: the port has answered request n.
    caf::reacts_to<wake_atom, std::uint64_t, audit_answer>,
    caf::reacts_to<wake_atom, std::uint64_t, bool, std::string>>;

/// Applies to one plant and reads back. One per loop; only the governor talks to it.
using actuator_actor = caf::typed_actor<
    // A full set of values; the answer says what is in force.
    caf::replies_to<actuation>::with<actuation_answer>, caf::replies_to<readback_atom>::with<actuation_answer>,
    // Internal: the port has answered request n.
    caf::reacts_to<wake_atom, std::uint64_t, actuation_answer>>;

/// The safety executor: the sole path to an actuator. One per loop.
using governor_actor = window_listener_actor::extend<
    // From any proposer: the verdict comes once the change is in force or refused.
    caf::replies_to<proposal>::with<proposal_verdict>,
    // From people, through the supervisors.
    caf::replies_to<operator_command>::with<command_result>,
    // From sensor and proposer: be told what is live, beginning with the answer.
    caf::replies_to<listen_atom, live_listener_actor>::with<live_configuration>,
    caf::replies_to<status_atom>::with<loop_status>,
    // From the loop supervisor: finish or undo what is in flight (true: and revert to the baseline), then answer.
    caf::replies_to<stop_atom, bool>::with<bool>,
    // From the loop supervisor: restart intensity exceeded, freeze at the last good values.
    caf::reacts_to<giveup_atom, std::string>,
    // Internal: time alone may have changed something.
    caf::reacts_to<look_atom, std::uint64_t>>;

/// Source -> digests -> windows. One per loop.
using sensor_actor = live_listener_actor::extend<
    // From listeners: that many more windows may be sent to me.
    caf::reacts_to<credit_atom, window_listener_actor, std::uint32_t>,
    caf::replies_to<status_atom>::with<sensor_status>,
    // Internal: the ring is no longer empty.
    caf::reacts_to<wake_atom>>;

/// Strategy state machine: windows in, proposals to the governor out. One per loop.
using proposer_actor = live_listener_actor::extend<
    // From the sensor.
    caf::reacts_to<objective_window>,
    // Internal: a hold is over.
    caf::reacts_to<look_atom, std::uint64_t>>;

/// Learns from a pool's transfers. One per pool that decides on transfers.
using transfer_tuner_actor = caf::typed_actor<
    // Internal: the next look is due.
    caf::reacts_to<look_atom>>;

/// Keeps such an engine alive, and does without it when it fails too often. One per engine.
using engine_keeper_actor = caf::typed_actor<
    // Internal: a restart delay is over.
    caf::reacts_to<start_atom, std::uint64_t>>;

/// What every supervisor above one loop answers.
using loop_supervisor_actor =
    caf::typed_actor<caf::replies_to<operator_command>::with<command_result>,
                     caf::replies_to<status_atom>::with<loop_status>,
                     // From the authority: for the governor. The verdict comes once the change is in force or refused.
                     caf::replies_to<proposal>::with<proposal_verdict>,
                     // Ordered shutdown of the loop; answers when its plant is at rest and its children have ended.
                     caf::replies_to<stop_atom>::with<bool>,
                     // Internal: a restart delay or a stop timeout is over.
                     caf::reacts_to<start_atom, std::uint64_t>>;

/// Pool and node: commands by loop name.
using supervisor_actor =
    caf::typed_actor<caf::replies_to<std::string, operator_command>::with<command_result>,
                     caf::replies_to<std::string, proposal>::with<proposal_verdict>,
                     caf::replies_to<status_atom>::with<std::vector<loop_status>>,
                     caf::replies_to<status_atom, std::string>::with<loop_status>,
                     // Node only: for the authority.
                     caf::replies_to<authority_call>::with<authority_reply>, caf::replies_to<stop_atom>::with<bool>,
                     caf::reacts_to<start_atom, std::uint64_t>>;

/// Authoritative configuration: proposals, recommendations, who has to agree. One per node.
using authority_actor =
    caf::typed_actor<caf::replies_to<authority_call>::with<authority_reply>,
                     // Internal: time alone may have changed something; the next look at the loops is due.
                     caf::reacts_to<look_atom, std::uint64_t>, caf::reacts_to<look_atom>>;

} // namespace homeostat
