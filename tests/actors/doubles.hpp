#pragma once

// Ports that do what a test wants: slow, full, failing, lying, silent, throwing.

#include "actors/ports.hpp"
#include "policies/search/chacha8.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat::testing {

/// What happened, in order, as one line each: the order between ports is what many tests are about.
using journal = std::vector<std::string>;

[[nodiscard]] std::string text_of(const knob_values& values);

/// A store that answers when the test says so. What it took and answered as durable survives the actors.
class fake_store final : public store_port {
public:
  enum class way { at_once, held, failing, throwing };

  explicit fake_store(std::shared_ptr<journal> log = std::make_shared<journal>()) : log_(std::move(log)) {}

  bool submit(audit_batch batch, std::function<void(audit_answer)> done) override;
  bool save(std::string key, std::string value, std::function<void(audit_answer)> done) override;
  void load(std::string key, std::function<void(loaded)> done) override;

  /// Answers what is held, oldest first. @param failure  why it did not become durable; empty: it did.
  void release(const std::string& failure = {}, std::size_t count = ~std::size_t{0});
  [[nodiscard]] std::size_t held() const { return held_.size(); }

  [[nodiscard]] std::vector<audit_record> records(std::string_view loop = {}) const; ///< durable ones
  [[nodiscard]] std::vector<audit_kind> kinds(std::string_view loop = {}) const;
  [[nodiscard]] std::vector<audit_record> records_of(audit_kind kind) const;

  way submits{way::at_once};
  way saves{way::at_once};
  way loads{way::at_once};
  std::size_t capacity{64}; ///< held requests beyond this are refused
  std::string load_failure; ///< for loads that fail
  std::vector<audit_batch> durable;
  std::map<std::string, std::string> states;

private:
  bool take(way w, std::function<void(const std::string& failure)> finish);

  std::shared_ptr<journal> log_;
  std::deque<std::function<void(const std::string&)>> held_;
};

/// A plant's actuator.
class fake_actuator final : public actuator_port {
public:
  enum class way { ok, failing, lying, silent, throwing };

  explicit fake_actuator(knob_values at_first, std::shared_ptr<journal> log = std::make_shared<journal>())
      : in_force(at_first), log_(std::move(log)) {}

  void apply(actuation wanted, std::function<void(actuation_answer)> done) override;
  void read_back(std::function<void(actuation_answer)> done) override;

  /// Carries out and answers what a silent actuator was asked, oldest first.
  void release();
  [[nodiscard]] std::size_t held() const { return held_.size(); }

  way applies{way::ok};
  way reads{way::ok};
  knob_values in_force;
  std::vector<actuation> asked;
  int open{0};
  int most_open{0}; ///< calls that were open side by side

private:
  void answer(way w, std::function<void(actuation_answer)> done, std::function<actuation_answer()> carry_out);

  std::shared_ptr<journal> log_;
  std::deque<std::function<void()>> held_;
};

/// A plant's telemetry: a ring of digests.
class fake_telemetry final : public telemetry_port {
public:
  std::optional<telemetry_digest> pop() override;
  void on_ready(std::function<void()> wake) override;
  void set_live_generation(std::uint64_t live) override { generation = live; }

  /// One digest of the live generation that ends now and covers 100 ms.
  void report(instant at, double objective);
  void push(telemetry_digest digest);

  std::uint64_t generation{0};
  std::uint64_t sequence{0};
  std::size_t wakes{0};
  std::size_t capacity{64};
  bool throws{false};
  bool has_listener{false};
  std::size_t waiting() const { return ring_.size(); }

private:
  std::deque<telemetry_digest> ring_;
  std::function<void()> wake_;
  bool told_{false};
};

/// A noisy bowl: its objective is 10 at `best`, more the farther the knobs are from it.
struct simulated_plant {
  simulated_plant(knob_values at_first, double best_place, std::uint64_t seed)
      : actuator(std::make_shared<fake_actuator>(at_first)), telemetry(std::make_shared<fake_telemetry>()),
        best(best_place), noise(seed) {}

  /// @returns the objective without noise at these values. Knobs are in 0..100.
  [[nodiscard]] double objective_at(const knob_values& values) const;
  void report(instant at);

  std::shared_ptr<fake_actuator> actuator;
  std::shared_ptr<fake_telemetry> telemetry;
  double best;
  chacha8_rng noise;
};

} // namespace homeostat::testing
