#include "runtime/transfer/transfer_sender.hpp"

#include <algorithm>
#include <chrono>

namespace homeostat {

namespace {

using steady = std::chrono::steady_clock;

double microseconds_since(steady::time_point start) {
  return std::chrono::duration<double, std::micro>(steady::now() - start).count();
}

instant wall_clock() { return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()); }

} // namespace

transfer_sender::transfer_sender(std::string name, transfer_policy policy, const sender_settings& settings,
                                 std::uint64_t seed)
    : pool_(std::move(name), std::move(policy), seed), shared_(settings.shared), serialised_(settings.serialised),
      zero_copy_patience_(settings.zero_copy_patience) {}

std::expected<transfer_receipt, transfer_error> transfer_sender::attempt(transfer_channel& by,
                                                                         std::span<const std::byte> bytes,
                                                                         duration patience, transfer_metrics& about,
                                                                         const experiment_place& place) {
  const auto start = steady::now();
  auto receipt = by.send(bytes, about.data, patience);
  about.failed = !receipt;
  about.latency_us = receipt ? receipt->latency_us : microseconds_since(start);
  about.cpu_time_us = receipt ? receipt->cpu_time_us : 0;
  about.memory_used = receipt ? receipt->memory_used : 0;
  about.timestamp = wall_clock();
  pool_.record(about, place);
  return receipt;
}

std::expected<sent_transfer, transfer_error> transfer_sender::send(std::span<const std::byte> bytes,
                                                                   transfer_characteristics data, duration patience,
                                                                   std::string_view session) {
  const auto start = steady::now();
  patience = std::min(patience, longest_patience);
  data.data_size = bytes.size();
  const transfer_pool::under_way mark(pool_);

  const transfer_decision decision = pool_.decide(data, session);
  transfer_metrics about;
  about.decision_time_us = microseconds_since(start);
  about.transfer_id = transfers_.fetch_add(1, std::memory_order_relaxed) + 1;
  about.method = decision.method;
  about.data = data;
  about.conditions = pool_.conditions();
  about.predicted_latency_us = decision.predicted_us();
  about.explored = decision.reason == decision_reason::exploration;
  about.generation = decision.generation;
  about.why = basis_of(decision);

  sent_transfer done;
  done.decision = decision;
  if (decision.method == transfer_method::zero_copy) {
    auto receipt =
        attempt(shared_, bytes, std::min(patience, zero_copy_patience_.value_or(patience)), about, decision.place);
    if (receipt) {
      done.receipt = *receipt;
      done.method = transfer_method::zero_copy;
      return done;
    }
    const auto left = std::chrono::duration_cast<duration>(start + patience - steady::now());
    if (receipt.error().why == transfer_error::kind::refused || left <= duration::zero())
      return std::unexpected(std::move(receipt.error()));
    done.fell_back = std::move(receipt.error());
    patience = left;
    about.method = transfer_method::grpc;
    about.predicted_latency_us = decision.grpc_us;
    about.why.reason = decision_reason::fallback;
    about.explored = false;
  }

  auto receipt = attempt(serialised_, bytes, patience, about, decision.place);
  if (!receipt) {
    transfer_error why = std::move(receipt.error());
    if (done.fell_back) why.text += "; before that, by shared memory: " + done.fell_back->text;
    return std::unexpected(std::move(why));
  }
  done.receipt = *receipt;
  return done;
}

} // namespace homeostat
