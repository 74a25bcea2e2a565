#include "sim/store.hpp"

#include <algorithm>
#include <utility>

namespace homeostat::sim {

audit_store::audit_store(kernel& k, const scenario& s, invariants& check) : kernel_(k), scenario_(s), check_(check) {}

void audit_store::write(batch_mail& batch) {
  for (const audit_record& r : batch.records) check_.durable(r), ++records_;
  if (batch.state) state_ = std::move(batch.state);
  if (batch.authority) keep(*batch.authority);
}

void audit_store::keep(const authority_batch& batch) {
  for (const auto& [id, p] : batch.proposals) {
    check_.authority().kept(id, p ? &*p : nullptr);
    if (p)
      proposals_[id] = *p;
    else
      proposals_.erase(id);
  }
  for (const auto& [id, r] : batch.advice)
    if (r)
      advice_[id] = *r;
    else
      advice_.erase(id);
  if (batch.index) index_ = batch.index;
}

std::unique_ptr<authority_memory> audit_store::memory() const {
  auto memory = std::make_unique<authority_memory>();
  if (!index_) return memory;
  memory->ledger = index_->ledger;
  for (const std::uint64_t id : index_->proposals)
    if (const auto p = proposals_.find(id); p != proposals_.end()) memory->proposals.push_back(p->second);
  for (const std::string& id : index_->advice)
    if (const auto r = advice_.find(id); r != advice_.end()) memory->advice.push_back(r->second);
  return memory;
}

/// A refused ticket refuses the change and nothing else: what has happened already must be told.
batch_mail audit_store::without_intent(batch_mail batch) {
  std::erase_if(batch.records, [](const audit_record& r) { return r.kind == audit_kind::intent; });
  batch.ticket.reset();
  batch.state.reset();
  return batch;
}

void audit_store::on(batch_mail batch) {
  const bool full = queue_.size() >= scenario_.times.audit_capacity || kernel_.strikes(fault::audit_full);
  if (full && batch.ticket) {
    kernel_.note([] { return std::string("store: full"); });
    kernel_.send(
        party::store, party::governor,
        audit_answer{.ticket = *batch.ticket, .status = audit_status::full, .text = "the audit queue is full"});
    batch = without_intent(std::move(batch));
    if (batch.records.empty()) return;
  }
  if (full && batch.authority)
    return kernel_.send(party::store, party::authority, batch_result{.id = batch.id, .durable = false});
  queue_.push_back(std::move(batch));
  begin_flush();
}

void audit_store::begin_flush() {
  if (flushing_ || queue_.empty()) return;
  flushing_ = true;
  in_flush_ = queue_.size();
  duration takes = scaled(scenario_.times.flush, kernel_.random().uniform(0.5, 1.5));
  if (kernel_.strikes(fault::audit_slow)) takes += kernel_.random().exponential(2s);
  kernel_.arm(party::store, takes, alarm::flush_done);
}

void audit_store::on(const alarm_mail& a) {
  if (a.what != alarm::flush_done) return;
  flushing_ = false;
  const bool failed = kernel_.strikes(fault::audit_failing);
  // A failed fsync says nothing about what reached the disk.
  const bool durable_anyway = failed && kernel_.random().chance(0.3);
  if (failed)
    kernel_.note([&] { return std::string("store: flush failed") + (durable_anyway ? ", durable anyway" : ""); });
  std::deque<batch_mail> again;
  for (std::size_t i = 0; i < in_flush_; ++i) {
    batch_mail batch = std::move(queue_.front());
    queue_.pop_front();
    if (!failed || durable_anyway) write(batch);
    const std::uint64_t id = batch.id;
    const bool kept = failed && !durable_anyway;
    if (batch.authority) { // all of it or nothing: who wrote it knows what to do
      kernel_.send(party::store, party::authority, batch_result{.id = id, .durable = !failed});
      continue;
    }
    if (batch.ticket) {
      if (!failed) check_.acknowledged(*batch.ticket);
      kernel_.send(party::store, party::governor,
                   audit_answer{.ticket = *batch.ticket,
                                .status = failed ? audit_status::failed : audit_status::durable,
                                .text = failed ? "fsync failed" : ""});
      if (kept) batch = without_intent(std::move(batch));
    }
    if (kept && !(batch.records.empty() && !batch.state))
      again.push_back(std::move(batch)); // written with the next flush
    if (!failed) kernel_.send(party::store, party::governor, batch_answer{id});
  }
  in_flush_ = 0;
  queue_.insert(queue_.begin(), std::make_move_iterator(again.begin()), std::make_move_iterator(again.end()));
  answer_loads();
  begin_flush();
}

void audit_store::on(const load_request& request) {
  (request.from == party::authority ? authority_load_token_ : load_token_) = request.token;
  answer_loads();
}

void audit_store::answer_loads() {
  // Behind all that waits: a governor that starts must see what its predecessor handed over.
  if (flushing_ || !queue_.empty()) return;
  if (authority_load_token_)
    kernel_.send(party::store, party::authority,
                 memory_mail{.token = *std::exchange(authority_load_token_, std::nullopt), .memory = memory()});
  if (!load_token_) return;
  load_answer answer{.token = *load_token_, .ok = true, .state = nullptr};
  if (state_) answer.state = std::make_unique<governor_state>(*state_);
  load_token_.reset();
  kernel_.send(party::store, party::governor, std::move(answer));
}

void audit_store::on_process_end() {
  const std::size_t reached = flushing_ ? kernel_.random().below(in_flush_ + 1) : 0;
  for (std::size_t i = 0; i < reached; ++i) write(queue_[i]);
  queue_.clear();
  in_flush_ = 0;
  flushing_ = false;
  load_token_.reset();
  authority_load_token_.reset();
  kernel_.kill(party::store);
}

} // namespace homeostat::sim
