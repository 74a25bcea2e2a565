#include "policies/learning/training_set.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace homeostat {

std::expected<void, std::string> check(const training_set_settings& s) {
  const auto wrong = [](const char* name, double value, const char* expected) {
    return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + expected);
  };
  if (s.per_class < 1 || s.per_class > 100'000)
    return wrong("per_class", static_cast<double>(s.per_class), "1 to 100000");
  if (s.classes < 1 || s.classes > 10'000) return wrong("classes", static_cast<double>(s.classes), "1 to 10000");
  if (s.least < 10) return wrong("least", static_cast<double>(s.least), "10 or more");
  if (!(s.held_out > 0 && s.held_out < 0.5)) return wrong("held_out", s.held_out, "more than 0, less than 0.5");
  return {};
}

transfer_class class_of(const transfer_metrics& m) noexcept {
  const int octave = 63 - std::countl_zero(m.data.data_size | 1);
  return {.method = m.method, .type = m.data.type, .octave = static_cast<std::uint8_t>(octave)};
}

bool training_set::add(const transfer_metrics& m) {
  if (m.failed || m.data.data_size == 0 || !(std::isfinite(m.latency_us) && m.latency_us > 0)) return false;
  const transfer_class wanted = class_of(m);
  make_room(wanted);
  reservoir& r = reservoirs_[wanted];
  r.latest = std::max(r.latest, m.timestamp);
  if (r.kept.size() < settings_.per_class) {
    r.kept.push_back(m);
    ++size_;
  } else {
    const auto place = static_cast<std::size_t>(rng_.uniform() * static_cast<double>(r.kept.size()));
    r.kept[place] = m;
  }
  return true;
}

void training_set::forget_before(instant when) {
  for (auto it = reservoirs_.begin(); it != reservoirs_.end();) {
    size_ -= std::erase_if(it->second.kept, [when](const transfer_metrics& m) { return m.timestamp < when; });
    it = it->second.kept.empty() ? reservoirs_.erase(it) : std::next(it);
  }
}

std::size_t training_set::count(const transfer_class& c) const {
  const auto found = reservoirs_.find(c);
  return found == reservoirs_.end() ? 0 : found->second.kept.size();
}

void training_set::make_room(const transfer_class& wanted) {
  if (reservoirs_.contains(wanted) || reservoirs_.size() < settings_.classes) return;
  const auto stalest = std::ranges::min_element(reservoirs_, {}, [](const auto& r) { return r.second.latest; });
  size_ -= stalest->second.kept.size();
  reservoirs_.erase(stalest);
}

std::expected<training_set::parts, std::string> training_set::split() const {
  if (size_ < settings_.least)
    return std::unexpected(std::to_string(size_) + " transfers to learn from, at least " +
                           std::to_string(settings_.least) + " needed");
  parts p;
  p.training.reserve(size_);
  for (const auto& [kind, r] : reservoirs_) p.training.insert(p.training.end(), r.kept.begin(), r.kept.end());
  std::ranges::sort(p.training, {}, [](const transfer_metrics& m) { return std::pair(m.timestamp, m.transfer_id); });
  const auto held = static_cast<std::size_t>(std::ceil(static_cast<double>(size_) * settings_.held_out));
  const auto border = p.training.end() - static_cast<std::ptrdiff_t>(held);
  p.held_out.assign(border, p.training.end());
  p.training.erase(border, p.training.end());
  return p;
}

} // namespace homeostat
