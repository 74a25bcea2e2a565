#include "runtime/node/store_adapter.hpp"

#include "messages/codec.hpp"

#include <utility>

namespace homeostat {

namespace {

audit_answer answer_of(const commit_outcome& outcome) {
  if (outcome) return {};
  return {.ticket = 0, .status = audit_status::failed, .text = outcome.error().what};
}

} // namespace

store_adapter::store_adapter(std::shared_ptr<store> target) : store_(std::move(target)), committer_(*store_) {}

store_adapter::~store_adapter() { stop(std::chrono::seconds(1)); }

bool store_adapter::submit(audit_batch batch, std::function<void(audit_answer)> done) {
  store_batch out;
  for (const audit_record& record : batch.records)
    out.records.push_back({.time = record.time,
                           .loop = batch.loop,
                           .kind = std::string(name_of(record.kind)),
                           .generation = record.generation,
                           .payload = encode(record, batch.loop)});
  if (!batch.state.empty()) out.state.push_back({.key = "governor/" + batch.loop, .value = std::move(batch.state)});
  for (kept_state& kept : batch.kept) {
    std::optional<std::string> value;
    if (!kept.value.empty()) value = std::move(kept.value);
    out.state.push_back({.key = std::move(kept.key), .value = std::move(value)});
  }
  return committer_.submit(std::move(out),
                           [done = std::move(done)](const commit_outcome& outcome) { done(answer_of(outcome)); });
}

bool store_adapter::save(std::string key, std::string value, std::function<void(audit_answer)> done) {
  store_batch out;
  out.state.push_back({.key = std::move(key), .value = std::move(value)});
  return committer_.submit(std::move(out),
                           [done = std::move(done)](const commit_outcome& outcome) { done(answer_of(outcome)); });
}

void store_adapter::load(std::string key, std::function<void(loaded)> done) {
  const bool taken = reader_.post([this, key = std::move(key), done] {
    auto value = store_->load_state(key);
    if (value)
      done(std::move(*value));
    else
      done(std::unexpected(value.error().what));
  });
  if (!taken) done(std::unexpected(std::string("too many reads are waiting for the store")));
}

void store_adapter::stop(std::chrono::milliseconds deadline) {
  reader_.stop();
  committer_.stop(deadline);
}

} // namespace homeostat
