#include "tests/actors/doubles.hpp"

#include "policies/number_text.hpp"

#include <algorithm>

namespace homeostat::testing {

std::string text_of(const knob_values& values) {
  std::string text;
  for (double v : values) text += (text.empty() ? "" : " ") + number_text(v);
  return text;
}

// ---- store
// -------------------------------------------------------------------------------------------------------------

namespace {

std::string kinds_of(const audit_batch& batch) {
  std::string text;
  for (const audit_record& r : batch.records) text += (text.empty() ? "" : "+") + std::string(name_of(r.kind));
  return text.empty() ? "state" : text;
}

audit_answer answer_of(const std::string& failure) {
  return {.ticket = 0, .status = failure.empty() ? audit_status::durable : audit_status::failed, .text = failure};
}

} // namespace

bool fake_store::take(way w, std::function<void(const std::string&)> finish) {
  switch (w) {
  case way::throwing: throw std::runtime_error("the store broke");
  case way::failing: finish("disk gone"); return true;
  case way::at_once: finish(""); return true;
  case way::held: break;
  }
  if (held_.size() >= capacity) return false;
  held_.push_back(std::move(finish));
  return true;
}

bool fake_store::submit(audit_batch batch, std::function<void(audit_answer)> done) {
  if (capacity == 0) return false;
  const std::string kinds = kinds_of(batch);
  log_->push_back("submit " + kinds);
  return take(submits, [this, kinds, batch = std::move(batch), done = std::move(done)](const std::string& failure) {
    log_->push_back((failure.empty() ? "durable " : "lost ") + kinds);
    if (failure.empty()) {
      durable.push_back(batch);
      if (!batch.state.empty()) states["governor/" + batch.loop] = batch.state;
      for (const kept_state& kept : batch.kept)
        if (kept.value.empty())
          states.erase(kept.key);
        else
          states[kept.key] = kept.value;
    }
    done(answer_of(failure));
  });
}

bool fake_store::save(std::string key, std::string value, std::function<void(audit_answer)> done) {
  if (capacity == 0) return false;
  return take(saves, [this, key = std::move(key), value = std::move(value),
                      done = std::move(done)](const std::string& failure) {
    if (failure.empty()) states[key] = value;
    done(answer_of(failure));
  });
}

void fake_store::load(std::string key, std::function<void(loaded)> done) {
  take(loads, [this, key = std::move(key), done = std::move(done)](const std::string& failure) {
    const auto found = states.find(key);
    if (!failure.empty())
      done(std::unexpected(load_failure));
    else
      done(found == states.end() ? std::nullopt : std::optional(found->second));
  });
}

void fake_store::release(const std::string& failure, std::size_t count) {
  for (; count > 0 && !held_.empty(); --count) {
    auto finish = std::move(held_.front());
    held_.pop_front();
    finish(failure);
  }
}

std::vector<audit_record> fake_store::records(std::string_view loop) const {
  std::vector<audit_record> all;
  for (const audit_batch& batch : durable)
    if (loop.empty() || batch.loop == loop) all.insert(all.end(), batch.records.begin(), batch.records.end());
  return all;
}

std::vector<audit_kind> fake_store::kinds(std::string_view loop) const {
  std::vector<audit_kind> all;
  for (const audit_record& r : records(loop)) all.push_back(r.kind);
  return all;
}

std::vector<audit_record> fake_store::records_of(audit_kind kind) const {
  std::vector<audit_record> some = records();
  std::erase_if(some, [&](const audit_record& r) { return r.kind != kind; });
  return some;
}

// ---- actuator
// ----------------------------------------------------------------------------------------------------------

void fake_actuator::answer(way w, std::function<void(actuation_answer)> done,
                           std::function<actuation_answer()> carry_out) {
  if (w == way::throwing) throw std::runtime_error("the plant broke");
  most_open = std::max(most_open, ++open);
  const auto finish = [this, done = std::move(done), carry_out = std::move(carry_out)] {
    --open;
    done(carry_out());
  };
  if (w == way::silent)
    held_.push_back(finish);
  else
    finish();
}

void fake_actuator::apply(actuation wanted, std::function<void(actuation_answer)> done) {
  log_->push_back("apply " + text_of(wanted.values));
  asked.push_back(wanted);
  answer(applies, std::move(done), [this, wanted]() -> actuation_answer {
    if (applies == way::failing) return {.ticket = wanted.ticket, .ok = false, .read_back = {}, .text = "refused"};
    // A liar says it is done, under a number nobody gave it, and does nothing.
    if (applies == way::lying) return {.ticket = wanted.ticket + 1000, .ok = true, .read_back = in_force, .text = {}};
    in_force = wanted.values;
    return {.ticket = wanted.ticket, .ok = true, .read_back = in_force, .text = {}};
  });
}

void fake_actuator::read_back(std::function<void(actuation_answer)> done) {
  log_->push_back("read");
  answer(reads, std::move(done), [this]() -> actuation_answer {
    if (reads == way::failing) return {.ticket = 0, .ok = false, .read_back = {}, .text = "refused"};
    return {.ticket = 0, .ok = true, .read_back = in_force, .text = {}};
  });
}

void fake_actuator::release() {
  while (!held_.empty()) {
    auto finish = std::move(held_.front());
    held_.pop_front();
    finish();
  }
}

// ---- telemetry
// ---------------------------------------------------------------------------------------------------------

std::optional<telemetry_digest> fake_telemetry::pop() {
  if (throws) throw std::runtime_error("the source broke");
  if (ring_.empty()) {
    told_ = false;
    return std::nullopt;
  }
  const telemetry_digest front = ring_.front();
  ring_.pop_front();
  return front;
}

void fake_telemetry::on_ready(std::function<void()> wake) {
  has_listener = static_cast<bool>(wake);
  wake_ = std::move(wake);
}

void fake_telemetry::report(instant at, double objective) {
  push({.at = at,
        .window = 100ms,
        .sequence = ++sequence,
        .generation = generation,
        .sample_count = 10,
        .objective = objective,
        .measures = {}});
}

void fake_telemetry::push(telemetry_digest digest) {
  if (ring_.size() == capacity) ring_.pop_front();
  ring_.push_back(digest);
  if (told_ || !wake_) return;
  told_ = true;
  ++wakes;
  wake_();
}

double simulated_plant::objective_at(const knob_values& values) const {
  double sum = 10;
  for (double v : values) sum += 40 * (v - best) * (v - best) / 1e4;
  return sum;
}

void simulated_plant::report(instant at) {
  const double spread = 0.1 * (noise.uniform() + noise.uniform() + noise.uniform() - 1.5);
  telemetry->report(at, objective_at(actuator->in_force) + spread);
}

} // namespace homeostat::testing
