#include "runtime/learning/learning_service.hpp"

#include <algorithm>
#include <utility>

namespace homeostat {

namespace {

/// A model as a decision uses it: with the confidence it needs at its present step.
class served_model final : public transfer_advisor {
public:
  served_model(std::shared_ptr<const stored_model> model, std::optional<double> limit)
      : model_(std::move(model)), limit_(limit) {}

  [[nodiscard]] model_prediction predict(const transfer_characteristics& data,
                                         const system_conditions& now) const noexcept override {
    const transfer_prediction said = model_->model.predict(data, now);
    constexpr float never = 2; // above every confidence
    return {.method = said.choice,
            .confidence = static_cast<float>(said.confidence),
            .least_confidence = limit_ ? static_cast<float>(*limit_) : never,
            .grpc_us = said.latency_of(transfer_method::grpc),
            .zero_copy_us = said.latency_of(transfer_method::zero_copy)};
  }

private:
  std::shared_ptr<const stored_model> model_;
  std::optional<double> limit_;
};

} // namespace

struct learning_service::one {
  transfer_pool* pool;
  pool_learning learning;
  std::optional<model_store> files;
  std::shared_ptr<const stored_model> model;
  std::string no_files; ///< why there are none
  std::string broken;   ///< what is wrong with the files, or with that of the model served
  bool training{false};
  bool saving{false};           ///< the worker is: files are its own for so long
  std::uint64_t withdrawals{0}; ///< what was asked for before the latest one is void

  [[nodiscard]] const transfer_model* serving() const { return model ? &model->model : nullptr; }
  void remove_files() const {
    if (!files) return;
    if (const auto ids = files->list())
      for (const std::uint64_t id : *ids) {
        std::error_code ignored;
        std::filesystem::remove(files->file_of(id), ignored);
      }
  }
};

learning_service::learning_service(std::filesystem::path folder, const pool_learning_settings& settings,
                                   pool_notes tell)
    : folder_(std::move(folder)), settings_(settings), tell_(std::move(tell)) {
  worker_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

learning_service::~learning_service() {
  worker_.request_stop();
  wake_.notify_all();
}

void learning_service::add(transfer_pool& pool, std::uint64_t seed, instant now) {
  auto added = std::make_unique<one>(one{.pool = &pool,
                                         .learning = pool_learning(settings_, seed, now),
                                         .files = {},
                                         .model = {},
                                         .no_files = {},
                                         .broken = {}});
  auto opened = model_store::open(folder_ / pool.name());
  if (opened) {
    added->files = std::move(*opened);
    const auto ids = added->files->list();
    if (ids && !ids->empty()) {
      if (auto loaded = added->files->load_latest()) {
        added->model = std::make_shared<const stored_model>(std::move(*loaded));
        added->learning.restored(now);
        tell_.note(pool.name(), "model " + std::to_string(added->model->lineage.id) + " loaded, to be observed");
      } else {
        added->broken = loaded.error();
        tell_.alert(pool.name(), "no model, rules decide: " + loaded.error());
      }
    }
  } else {
    added->broken = added->no_files = opened.error();
    tell_.alert(pool.name(), "models cannot be kept: " + opened.error());
  }
  const std::lock_guard hold(mutex_);
  serve(*added);
  pools_.push_back(std::move(added));
}

learning_service::one* learning_service::find(const std::string& pool) const {
  const auto found = std::ranges::find(pools_, pool, [](const auto& p) { return p->pool->name(); });
  return found == pools_.end() ? nullptr : found->get();
}

void learning_service::serve(one& of) {
  of.pool->set_model(of.model ? std::make_shared<served_model>(of.model, of.learning.limit()) : nullptr);
}

void learning_service::observe(const std::string& pool, const transfer_metrics& done, instant now) {
  const std::lock_guard hold(mutex_);
  if (!abandoned_.empty()) return;
  if (one* of = find(pool)) of->learning.observe(done, of->serving(), now);
}

void learning_service::review(instant now) {
  std::deque<result> done;
  {
    const std::lock_guard hold(queue_mutex_);
    done.swap(results_);
  }
  const std::lock_guard hold(mutex_);
  abandoned_.clear(); // whoever gave up looks again
  for (result& r : done) take(std::move(r), now);
  for (const auto& of : pools_) {
    if (!of->pool->policy().learning_enabled) continue;
    const auto plan = of->learning.review(of->serving(), now);
    for (const std::string& text : plan.notes) tell_.note(of->pool->name(), text);
    if (plan.limit_changed) serve(*of);
    if (!plan.train || of->training) continue;
    auto samples = of->learning.samples().split();
    of->learning.started(*plan.train, now);
    if (!samples) {
      of->learning.failed(samples.error(), now);
      continue;
    }
    of->training = true;
    const std::lock_guard queue(queue_mutex_);
    jobs_.push_back({of.get(), std::move(*samples), *plan.train == training_kind::incremental ? of->model : nullptr,
                     now, of->withdrawals});
    wake_.notify_one();
  }
}

void learning_service::work(const std::stop_token& stop) {
  while (true) {
    std::unique_lock hold(queue_mutex_);
    if (!wake_.wait(hold, stop, [this] { return !jobs_.empty(); })) return;
    job next = std::move(jobs_.front());
    jobs_.pop_front();
    hold.unlock();
    result made = train(std::move(next));
    keep(made);
    hold.lock();
    results_.push_back(std::move(made));
  }
}

learning_service::result learning_service::train(job next) {
  result r{.of = next.of, .made = std::unexpected(std::string("not enough memory")), .withdrawals = next.withdrawals};
  try {
    r.made = train_transfer_model(next.samples, {.pairing = settings_.pairing, .gate = settings_.gate},
                                  next.previous.get(), next.now);
  } catch (const std::exception& e) { r.made = std::unexpected(std::string(e.what())); }
  return r;
}

/// Writes a model that may be served to its file. The lock is held before and after, not while the disk is waited for.
void learning_service::keep(result& made) {
  one& of = *made.of;
  if (!made.made || !made.made->stored.lineage.gate.passed) return;
  {
    const std::lock_guard hold(mutex_);
    if (made.withdrawals != of.withdrawals) return;
    if (!of.files) {
      made.unkept = of.no_files;
      return;
    }
    of.saving = true;
  }
  std::expected<std::uint64_t, std::string> id = std::unexpected(std::string("not enough memory"));
  try {
    id = of.files->save(made.made->stored);
  } catch (const std::exception& e) { id = std::unexpected(std::string(e.what())); }
  if (id)
    made.made->stored.lineage.id = *id;
  else
    made.unkept = id.error();
  const std::lock_guard hold(mutex_);
  of.saving = false;
  if (made.withdrawals != of.withdrawals) of.remove_files();
}

void learning_service::take(result done, instant now) {
  one& of = *done.of;
  of.training = false;
  if (done.withdrawals != of.withdrawals) return;
  if (!done.made) return of.learning.failed(done.made.error(), now);
  stored_model& made = done.made->stored;
  if (!of.learning.judged(made.lineage.gate, now)) {
    // A model that is no longer good enough does not go on deciding because its successor is no better.
    return serve(of);
  }
  of.broken.clear();
  if (!done.unkept.empty()) {
    of.broken = "the model is served but could not be kept: " + done.unkept;
    tell_.alert(of.pool->name(), of.broken);
  }
  of.model = std::make_shared<const stored_model>(std::move(made));
  serve(of);
}

void learning_service::abandon(const std::string& why) {
  const std::lock_guard hold(mutex_);
  abandoned_ = "models are no longer used or trained: " + why;
  for (const auto& of : pools_) {
    of->model.reset();
    serve(*of);
  }
}

void learning_service::withdraw(const std::string& pool, const std::string& why, instant now) {
  const std::lock_guard hold(mutex_);
  one* of = find(pool);
  if (of == nullptr) return;
  of->learning.withdraw_model(why, now);
  of->model.reset();
  ++of->withdrawals;
  if (!of->saving) of->remove_files();
  serve(*of);
}

std::optional<learning_status> learning_service::status(const std::string& pool) const {
  const std::lock_guard hold(mutex_);
  const one* of = find(pool);
  if (of == nullptr) return std::nullopt;
  learning_status s;
  s.enabled = of->pool->policy().learning_enabled;
  s.samples = of->learning.samples().size();
  s.drifts = of->learning.drifts();
  s.gate = of->learning.last_gate().figures.empty() ? "" : of->learning.last_gate().text();
  s.failure = !abandoned_.empty()                   ? abandoned_
              : of->learning.last_failure().empty() ? of->broken
                                                    : of->learning.last_failure();
  s.training = of->training;
  if (of->model) {
    s.step = std::string(name_of(of->learning.step()));
    s.model = of->model->lineage.id;
    s.parent = of->model->lineage.parent;
  }
  return s;
}

} // namespace homeostat
