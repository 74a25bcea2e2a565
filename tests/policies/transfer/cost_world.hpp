#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/search/normal.hpp"
#include "policies/transfer/transfer_learner.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace homeostat {

/// Judged by latency, at every size.
inline transfer_policy latency_policy() {
  transfer_policy policy;
  policy.goal = transfer_goal::minimize_latency;
  policy.minimum_threshold = 0;
  return policy;
}

/// A machine whose transfers cost what a test says, with log-normal noise.
struct cost_world {
  std::function<double(transfer_method, const transfer_characteristics&)> latency_us;
  double noise{0.1};
  chacha8_rng rng{1, 2};

  /// Both methods on the same buffer, with noise of their own.
  std::array<double, transfer_method_count> both(const transfer_characteristics& data) {
    std::array<double, transfer_method_count> result{};
    for (const transfer_method m : transfer_methods)
      result[static_cast<std::size_t>(m)] = latency_us(m, data) * std::exp(noise * normal(rng));
    return result;
  }
};

/// Total times of some transfers, by the pool's choices and by others.
struct world_totals {
  double pool{0}, oracle{0}, grpc{0}, zero_copy{0}, threshold{0};
  std::size_t explored{0};
  [[nodiscard]] double best_fixed() const { return std::min(grpc, zero_copy); }
};

/// Runs transfers of sizes even over their logarithm. Ratios are of what transfers cost on average, without the noise.
inline world_totals run_transfers(transfer_learner& learner, cost_world& world, int count, std::uint64_t low,
                                  std::uint64_t high, instant& now, data_type type = data_type::binary) {
  world_totals t;
  transfer_view view = learner.look(now);
  for (int i = 0; i < count; ++i) {
    const double share = world.rng.uniform();
    transfer_characteristics data;
    data.type = type;
    data.data_size = static_cast<std::uint64_t>(static_cast<double>(low) *
                                                std::pow(static_cast<double>(high) / static_cast<double>(low), share));
    if (i % 4 == 0) view = learner.look(now); // outcomes come back a little later than decisions are wanted
    const transfer_decision d = decide(view, data, 0, nullptr, world.rng.uniform());
    const auto cost = world.both(data);
    transfer_metrics done;
    done.timestamp = now;
    done.method = d.method;
    done.data = data;
    done.latency_us = cost[static_cast<std::size_t>(d.method)];
    done.cpu_time_us = done.latency_us;
    done.memory_used = data.data_size;
    done.predicted_latency_us = d.predicted_us();
    done.explored = d.reason == decision_reason::exploration;
    learner.record(done);
    now += 10ms;
    const double g = world.latency_us(transfer_method::grpc, data);
    const double z = world.latency_us(transfer_method::zero_copy, data);
    t.pool += d.method == transfer_method::grpc ? g : z;
    t.oracle += std::min(g, z);
    t.grpc += g;
    t.zero_copy += z;
    t.threshold += data.data_size >= learner.policy().zero_copy_threshold ? z : g;
    t.explored += done.explored ? 1 : 0;
  }
  return t;
}

} // namespace homeostat
