#pragma once

#include "policies/authority/authority.hpp"
#include "policies/safety/governor.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace homeostat::sim {

/// Who sends and receives in a simulation: the actors of one loop, what surrounds them, and the people.
enum class party : std::uint8_t {
  source,
  sensor,
  engine,
  governor,
  actuator,
  store,
  supervisor,
  operators,
  rival,
  world,
  authority,
  neighbour, ///< a second loop, on another node, that the same authority governs
  reviewers
};
inline constexpr std::size_t party_count = 13;
[[nodiscard]] constexpr std::string_view name_of(party p) {
  constexpr std::string_view names[] = {"source",    "sensor",     "engine",    "governor", "actuator",
                                        "store",     "supervisor", "operators", "rival",    "world",
                                        "authority", "neighbour",  "reviewers"};
  return names[static_cast<std::size_t>(p)];
}

/// What a timer of an actor means; `token` tells an armed one from one that was replaced.
enum class alarm : std::uint8_t {
  sample,            ///< source: measure now
  release,           ///< source: the burst ends
  look,              ///< engine: ask again; governor, authority: tick
  no_answer,         ///< engine: the verdict did not come
  audit_timeout,     ///< governor; token = ticket; authority; token = batch
  actuation_timeout, ///< governor; token = ticket
  command_timeout,   ///< governor; token = batch
  load_timeout,      ///< governor, authority: the store did not answer
  read_timeout,      ///< governor: the plant did not answer
  flush_done,        ///< store
  land,              ///< actuator: the values reach the plant
  finish,            ///< actuator: the operation is over
  revert,            ///< actuator: the plant falls back
  start,             ///< supervisor; token = child; world: the authority
  boot,              ///< world: the process comes up
  turn,              ///< operators, rival, reviewers, neighbour: act
  observe,           ///< authority: look at the loops
  verdict_timeout,   ///< authority: a governor did not answer; token = request
  status_timeout,    ///< authority: a loop did not say how it is; token = question
  stop,              ///< world: shutdown is asked for
};
struct alarm_mail {
  alarm what{};
  std::uint64_t token{0};
};

struct digest_mail {
  telemetry_digest digest;
  std::uint32_t truth{0};  ///< the checker's number of what was really measured
  std::uint32_t stream{0}; ///< connection of the source it came over
};
/// The source's numbering starts over: a new connection.
struct stream_mail {
  std::uint32_t stream{0};
};
struct proposal_mail {
  proposal wish;
  party from{};
  std::uint64_t token{0}; ///< of the authority's request
};
/// A governor that has just started says what the plant's values are called: whatever they were called before.
struct rename_mail {
  std::uint64_t generation{0};
  std::uint64_t last_generation{0}; ///< no change after this one can have reached the plant under its own name
};
/// Whoever was asked is gone.
struct failed_request {};
/// "Tell me the live configuration": what a restarted sensor or proposer asks the governor first.
struct subscribe {
  party who{};
};

/// What the authority keeps with its records: what has changed, and, where that has changed, what there is.
struct authority_index {
  authority_ledger ledger;
  std::vector<std::uint64_t> proposals;
  std::vector<std::string> advice;
};
struct authority_batch {
  std::vector<std::pair<std::uint64_t, std::optional<config_proposal>>> proposals; ///< nothing: forgotten
  std::vector<std::pair<std::string, std::optional<config_recommendation>>> advice;
  std::optional<authority_index> index;
};

struct batch_mail {
  std::uint64_t id{0};
  std::optional<std::uint64_t> ticket;
  std::vector<audit_record> records;
  std::unique_ptr<const governor_state> state;
  std::unique_ptr<const authority_batch> authority; ///< comes from the authority, which waits for it
};
struct batch_answer {
  std::uint64_t id{0};
};
struct load_request {
  std::uint64_t token{0};
  party from{party::governor};
};
struct load_answer {
  std::uint64_t token{0};
  bool ok{false};
  std::unique_ptr<governor_state> state;
};
struct actuation_mail {
  actuation wanted;
  duration deadline{0}; ///< true time after which nobody waits any more: it is not begun then
};
struct read_request {
  std::uint64_t token{0};
  duration deadline{0};
};
struct read_answer {
  std::uint64_t token{0};
  std::optional<knob_values> values;
};
struct command_answer {
  operator_action action{};
  bool ok{false};
  bool durable{false};
  std::string text;
};
struct governor_stopped {};

// ---- the authority's conversations
struct batch_result { ///< of a batch of the authority
  std::uint64_t id{0};
  bool durable{false};
};
struct memory_mail {
  std::uint64_t token{0};
  std::unique_ptr<authority_memory> memory;
};
/// A person's or a program's call.
struct call_mail {
  std::uint64_t call{0};
  authority_input input;
};
struct call_answer {
  std::uint64_t call{0};
  bool ok{false};
  std::optional<std::uint64_t> proposal;
  std::string text;
};
struct status_request {
  party from{};
  std::uint64_t token{0};
};
struct status_answer {
  std::uint64_t token{0};
  bool running{false};
  loop_observation seen; ///< without metrics
  std::vector<std::uint64_t> drifts;
};
/// A governor's verdict for the authority; none: whoever was asked is gone.
struct request_reply {
  std::uint64_t token{0};
  std::optional<proposal_verdict> verdict;
};
struct order_mail {
  operator_command command;
  party from{};
};
/// What a person sees of the authority: a page that is old by the time it is read.
struct page_request {};
struct page_mail {
  struct seen {
    std::uint64_t id{0};
    std::uint64_t version{0};
    std::string author;
    bool open{false};
  };
  std::vector<seen> proposals;
  std::vector<std::string> advice;
};

using mail =
    std::variant<alarm_mail, digest_mail, stream_mail, rename_mail, proposal_mail, failed_request, subscribe,
                 batch_mail, batch_answer, load_request, load_answer, actuation_mail, read_request, read_answer,
                 command_answer, governor_stopped, objective_window, live_configuration, proposal_verdict, audit_answer,
                 actuation_answer, operator_command, give_up, stop_request, batch_result, memory_mail, call_mail,
                 call_answer, status_request, status_answer, request_reply, order_mail, page_request, page_mail>;

} // namespace homeostat::sim
