#include "policies/authority/idempotency.hpp"

#include <utility>

namespace homeostat {

namespace {

std::size_t size_of(const kept_answer& answer) {
  std::size_t size = answer.body.size() + answer.content_type.size();
  for (const auto& [name, value] : answer.headers) size += name.size() + value.size();
  return size;
}

} // namespace

idempotency_memory::idempotency_memory() : idempotency_memory(limits{}) {}

idempotency_memory::decision idempotency_memory::begin(const std::string& caller, const std::string& key,
                                                       const std::string& fingerprint, instant now) {
  while (!answered_.empty() && now - entries_.at(answered_.front()).at >= limits_.keep)
    drop(entries_.find(answered_.front()));
  const auto [at, fresh] = entries_.try_emplace({caller, key});
  entry& e = at->second;
  if (fresh) {
    e.fingerprint = fingerprint;
    e.at = now;
    return {};
  }
  if (e.fingerprint != fingerprint) return {.what = verdict::other};
  if (!e.answered) return {.what = verdict::in_flight};
  return {.what = verdict::replay, .answer = e.answer};
}

void idempotency_memory::finish(const std::string& caller, const std::string& key, kept_answer answer, instant now) {
  const auto at = entries_.find({caller, key});
  if (at == entries_.end() || at->second.answered) return;
  if (size_of(answer) > limits_.bytes) return forget(caller, key);
  bytes_ += size_of(answer);
  at->second.answered = true;
  at->second.answer = std::move(answer);
  at->second.at = now;
  at->second.place = answered_.insert(answered_.end(), at->first);
  while (answered_.size() > limits_.entries || bytes_ > limits_.bytes) drop(entries_.find(answered_.front()));
}

void idempotency_memory::forget(const std::string& caller, const std::string& key) {
  const auto at = entries_.find({caller, key});
  if (at != entries_.end() && !at->second.answered) entries_.erase(at);
}

void idempotency_memory::drop(std::map<id, entry>::iterator at) {
  bytes_ -= size_of(at->second.answer);
  answered_.erase(at->second.place);
  entries_.erase(at);
}

} // namespace homeostat
