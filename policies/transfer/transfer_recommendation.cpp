#include "policies/transfer/transfer_recommendation.hpp"

#include "policies/fnv1a.hpp"
#include "policies/number_text.hpp"
#include "policies/transfer/advice_life.hpp"
#include "policies/transfer/rank_test.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <set>
#include <tuple>

namespace homeostat {

namespace {

using windows = std::vector<metrics_window>;

/// Mean latency of one series. Windows are the observations: their spread tells how well the mean is known.
struct known_latency {
  double transfers{0};
  double explored{0};
  double mean_us{0};
  double variance{0}; ///< of the mean
  std::size_t windows{0};
};

known_latency latency_of(const windows& ws) {
  known_latency k;
  double time = 0;
  for (const metrics_window& w : ws) {
    const auto n = static_cast<double>(w.of.delivered);
    k.transfers += n;
    k.explored += static_cast<double>(w.of.explored);
    time += n * w.of.latency_mean_us;
  }
  k.windows = ws.size();
  if (k.transfers <= 0 || k.windows < 2) return k;
  k.mean_us = time / k.transfers;
  double squares = 0; // linearised ratio estimator, as windows differ in size
  for (const metrics_window& w : ws) {
    const double off = static_cast<double>(w.of.delivered) * (w.of.latency_mean_us - k.mean_us);
    squares += off * off;
  }
  const auto n = static_cast<double>(k.windows);
  k.variance = squares * n / (n - 1) / (k.transfers * k.transfers);
  return k;
}

/// A size and type with what both methods cost.
struct compared {
  size_class size{0};
  known_latency grpc, shared;
  [[nodiscard]] double saved_by_sharing() const { return grpc.mean_us - shared.mean_us; } ///< per transfer
  [[nodiscard]] double variance() const { return grpc.variance + shared.variance; }
};

/// A sum of savings with its variance, in microseconds.
struct saving {
  double us{0};
  double variance{0};
  void add(double transfers, double saved, double of_variance) {
    us += transfers * saved;
    variance += transfers * transfers * of_variance;
  }
};

/// Everything advice is drawn from.
struct records {
  std::vector<compared> both; ///< by size
  double total_us{0};         ///< time of all transfers recorded
  double transfers{0};
  double z{0};
  [[nodiscard]] expected_share share_of(const saving& s) const {
    const double reach = z * std::sqrt(s.variance);
    return {.share = s.us / total_us, .low = (s.us - reach) / total_us, .high = (s.us + reach) / total_us};
  }
};

records read(const std::map<series_key, windows>& all, const advice_settings& s) {
  records r;
  r.z = normal_quantile(0.5 + s.confidence / 2);
  std::map<std::pair<size_class, data_type>, compared> strata;
  for (const auto& [key, ws] : all) {
    const known_latency k = latency_of(ws);
    r.total_us += k.transfers * k.mean_us;
    r.transfers += k.transfers;
    compared& c = strata[{key.size, key.type}];
    c.size = key.size;
    (key.method == transfer_method::grpc ? c.grpc : c.shared) = k;
  }
  for (const auto& [place, c] : strata)
    if (c.grpc.windows >= s.min_windows && c.shared.windows >= s.min_windows) r.both.push_back(c);
  return r;
}

/// What moving the threshold from the class `from` to the class `to` would have saved on the recorded transfers: those
/// between the two that went the usual way of their size, and would have gone the other.
saving saved_by_moving(const records& r, size_class from, size_class to) {
  saving s;
  for (const compared& c : r.both) {
    if (c.size >= to && c.size < from) s.add(c.grpc.transfers, c.saved_by_sharing(), c.variance());
    if (c.size >= from && c.size < to) s.add(c.shared.transfers, -c.saved_by_sharing(), c.variance());
  }
  return s;
}

bool is_size(const transfer_recommendation& r) { return r.key.ends_with("_threshold") && !r.key.contains("pressure"); }

transfer_recommendation advice(const transfer_settings_view& pool, std::string key, std::string before,
                               std::string value, const std::string& comment, std::string evidence,
                               std::optional<expected_share> gain, std::uint32_t effort, instant now) {
  transfer_recommendation r;
  r.pool = pool.pool;
  r.key = std::move(key);
  r.before = std::move(before);
  r.value = std::move(value);
  r.evidence = std::move(evidence);
  r.gain = gain;
  r.effort = effort;
  r.score = gain ? gain->low / effort : 0;
  r.first_seen = r.last_seen = now;
  r.snippet = snippet_of(r.pool, r.key, is_size(r) ? r.value + " B" : r.value, comment);
  r.id = id_of(r);
  return r;
}

std::string percent(double share) { return number_text(std::round(share * 1000) / 10) + " %"; }

std::string gain_text(const expected_share& g) {
  return "saves " + percent(g.share) + " of the pool's transfer time (" + percent(g.low) + " to " + percent(g.high) +
         ")";
}

/// The threshold that would have saved most. Where it would lie beyond a limit of the quick path, the limit is in its
/// way and is what should move.
void advise_threshold(const transfer_settings_view& pool, const records& r, const advice_settings& s, instant now,
                      std::vector<transfer_recommendation>& out) {
  if (r.both.empty()) return;
  std::set<size_class> places;
  for (const compared& c : r.both) places.insert(c.size), places.insert(static_cast<size_class>(c.size + 1));
  const size_class from = size_class_of(pool.zero_copy_threshold);
  size_class best = from;
  saving most;
  for (const size_class at : places)
    if (const saving here = saved_by_moving(r, from, at); here.us > most.us) best = at, most = here;
  const expected_share gain = r.share_of(most);
  if (gain.low <= 0 || gain.share < s.least_gain) return;
  const std::uint64_t wanted = least_size(best);
  std::string evidence = "a threshold of " + size_text(wanted) + " " + gain_text(gain) + ", from " +
                         std::to_string(r.both.size()) + " sizes seen with both methods";
  const bool below = wanted<pool.minimum_threshold, above = wanted> pool.maximum_threshold;
  const std::uint64_t now_is = below   ? pool.minimum_threshold
                               : above ? pool.maximum_threshold
                                       : pool.zero_copy_threshold;
  if (size_class_of(now_is) == best) return; // a fraction of a class is no difference
  out.push_back(advice(pool,
                       below   ? "minimum_threshold"
                       : above ? "maximum_threshold"
                               : "zero_copy_threshold",
                       std::to_string(now_is), std::to_string(wanted), size_text(wanted), std::move(evidence), gain,
                       below || above ? 2 : 1, now));
}

/// Below the minimum nothing is ever tried. Where sharing already wins at the smallest size that may be tried, the
/// limit itself is in doubt; what lies below it is unknown, and so is the gain.
void advise_minimum(const transfer_settings_view& pool, const records& r, instant now,
                    std::vector<transfer_recommendation>& out) {
  if (r.both.empty() || pool.minimum_threshold < 2) return;
  const compared& smallest = r.both.front();
  const size_class limit = size_class_of(pool.minimum_threshold);
  if (smallest.size < limit || smallest.size > limit + 2) return;
  const double saved = smallest.saved_by_sharing(), reach = r.z * std::sqrt(smallest.variance());
  if (saved <= reach) return;
  const std::uint64_t wanted = pool.minimum_threshold / 2;
  out.push_back(advice(pool, "minimum_threshold", std::to_string(pool.minimum_threshold), std::to_string(wanted),
                       size_text(wanted),
                       "zero_copy is faster by " + number_text(std::round(saved)) + " us at " +
                           size_text(least_size(smallest.size)) + " already, and smaller sizes are never tried",
                       std::nullopt, 2, now));
}

/// Exploring costs what the transfers sent the slower way took longer.
void advise_exploration(const transfer_settings_view& pool, const records& r, const advice_settings& s, instant now,
                        std::vector<transfer_recommendation>& out) {
  if (pool.exploration_rate <= 0.01) return; // less would not notice a change of the machine
  saving cost;
  for (const compared& c : r.both) {
    if (c.saved_by_sharing() > 0)
      cost.add(c.grpc.explored / 2, c.saved_by_sharing(), c.variance());
    else
      cost.add(c.shared.explored / 2, -c.saved_by_sharing(), c.variance());
  }
  const expected_share gain = r.share_of(cost);
  if (gain.low <= 0 || gain.share < s.least_gain) return;
  const double wanted = std::max(0.01, pool.exploration_rate / 2);
  out.push_back(
      advice(pool, "exploration_rate", number_text(pool.exploration_rate), number_text(wanted), "share",
             "exploring costs " + percent(2 * gain.share) + " of the transfer time; half of it " + gain_text(gain),
             gain, 3, now));
}

/// A machine under some pressure that is slow before the limit is reached: the limit is too high. How much the shifted
/// threshold would gain cannot be told from the records.
void advise_pressure(const transfer_settings_view& pool, const std::map<series_key, windows>& all, const char* key,
                     double limit, double metrics_summary::* pressure, const advice_settings& s, instant now,
                     std::vector<transfer_recommendation>& out) {
  if (limit <= 0.3) return;
  std::vector<double> p, ratios;
  for (const auto& [series, ws] : all) {
    if (pressure == &metrics_summary::memory_pressure && series.method == transfer_method::grpc) continue;
    std::vector<double> calm, near;
    for (const metrics_window& w : ws) {
      const double at = w.of.*pressure;
      if (at >= limit || w.of.latency_p50_us <= 0) continue;
      (at >= limit - 0.1 ? near : calm).push_back(std::log(w.of.latency_p50_us));
    }
    if (calm.size() < s.min_windows || near.size() < s.min_windows) continue;
    const rank_comparison slower = compare_ranks(calm, near, s.confidence);
    p.push_back(slower.p);
    ratios.push_back(std::exp(slower.shift));
  }
  const std::vector<double> adjusted = adjust_for_many(p);
  double worst = 1;
  for (std::size_t i = 0; i < adjusted.size(); ++i)
    if (adjusted[i] <= 0.01) worst = std::max(worst, ratios[i]);
  if (worst < 1.2) return;
  const double wanted = std::round((limit - 0.1) * 100) / 100;
  out.push_back(advice(pool, key, number_text(limit), number_text(wanted), "share",
                       "latency is " + number_text(std::round(worst * 100) / 100) + " times as high from " +
                           percent(limit - 0.1) + " on, before the limit is reached",
                       std::nullopt, 1, now));
}

bool is_same_advice(const transfer_recommendation& a, const transfer_recommendation& b) {
  return a.pool == b.pool && a.key == b.key && is_same_value(a, a.value, b.value);
}

bool is_decided(const transfer_recommendation& r) {
  return r.state == advice_state::accepted || r.state == advice_state::dismissed;
}

void renew(transfer_recommendation& known, const transfer_recommendation& fresh, instant now) {
  ++known.seen;
  known.last_seen = now;
  known.evidence = fresh.evidence;
  if (known.applied && !is_same_value(known, fresh.before, known.value)) reopen_advice(known, "no longer in force");
  if (is_decided(known)) return;
  known.gain = fresh.gain;
  known.score = fresh.score;
  known.before = fresh.before;
  if (known.state == advice_state::expired) known.state = advice_state::open;
}

/// Forgets the longest unseen of what waits for nothing.
void bound(std::vector<transfer_recommendation>& known, std::size_t most) {
  const auto may_go = [](const transfer_recommendation& r) {
    return r.state == advice_state::expired || r.state == advice_state::dismissed || r.applied;
  };
  while (known.size() > most) {
    auto oldest = known.end();
    for (auto r = known.begin(); r != known.end(); ++r)
      if (may_go(*r) && (oldest == known.end() || r->last_seen < oldest->last_seen)) oldest = r;
    if (oldest == known.end()) return;
    known.erase(oldest);
  }
}

} // namespace

std::vector<transfer_recommendation> recommend(const transfer_settings_view& pool,
                                               const std::map<series_key, std::vector<metrics_window>>& all,
                                               const advice_settings& s, instant now) {
  std::vector<transfer_recommendation> found;
  const records r = read(all, s);
  if (r.total_us > 0) {
    advise_threshold(pool, r, s, now, found);
    const auto moves_minimum = [](const transfer_recommendation& a) { return a.key == "minimum_threshold"; };
    if (std::ranges::none_of(found, moves_minimum)) advise_minimum(pool, r, now, found);
    advise_exploration(pool, r, s, now, found);
    if (!pool.learning_enabled && r.transfers >= 1000)
      found.push_back(advice(pool, "learning_enabled", "false", "true", {},
                             number_text(r.transfers) + " transfers are recorded, enough for a model to be trained",
                             std::nullopt, 3, now));
  }
  advise_pressure(pool, all, "memory_pressure_threshold", pool.memory_pressure_threshold,
                  &metrics_summary::memory_pressure, s, now, found);
  advise_pressure(pool, all, "cpu_pressure_threshold", pool.cpu_pressure_threshold, &metrics_summary::cpu_load, s, now,
                  found);
  std::ranges::sort(found, {}, [](const transfer_recommendation& a) { return std::tuple(-a.score, a.effort, a.key); });
  return found;
}

void merge_advice(std::vector<transfer_recommendation>& known, const std::vector<transfer_recommendation>& fresh,
                  const advice_settings& s, instant now) {
  for (const transfer_recommendation& f : fresh) {
    const auto same = std::ranges::find_if(known, [&](const auto& k) { return is_same_advice(k, f); });
    if (same != known.end()) {
      renew(*same, f, now);
      continue;
    }
    for (transfer_recommendation& k : known)
      if (k.pool == f.pool && k.key == f.key && !is_decided(k)) k.state = advice_state::expired;
    known.push_back(f);
  }
  for (transfer_recommendation& k : known) {
    if (k.state == advice_state::snoozed && k.snoozed_until && now >= *k.snoozed_until) {
      k.state = advice_state::open;
      k.snoozed_until.reset();
    }
    if (k.state == advice_state::open && now - k.last_seen >= s.expire_after) k.state = advice_state::expired;
  }
  bound(known, s.most);
}

bool is_same_value(const transfer_recommendation& of, std::string_view a, std::string_view b) {
  if (a == b) return true;
  if (!is_size(of)) return false;
  const auto size_of = [](std::string_view text) {
    std::uint64_t bytes = 0;
    std::from_chars(text.data(), text.data() + text.size(), bytes);
    return static_cast<int>(size_class_of(bytes));
  };
  return std::abs(size_of(a) - size_of(b)) <= 1;
}

transfer_settings_view settings_view_of(std::string pool, const transfer_policy& policy) {
  return {.pool = std::move(pool),
          .zero_copy_threshold = policy.zero_copy_threshold,
          .minimum_threshold = policy.minimum_threshold,
          .maximum_threshold = policy.maximum_threshold,
          .exploration_rate = policy.exploration_rate,
          .learning_enabled = policy.learning_enabled,
          .memory_pressure_threshold = policy.memory_pressure_threshold,
          .cpu_pressure_threshold = policy.cpu_pressure_threshold};
}

std::string value_of(const transfer_settings_view& s, std::string_view key) {
  if (key == "zero_copy_threshold") return std::to_string(s.zero_copy_threshold);
  if (key == "minimum_threshold") return std::to_string(s.minimum_threshold);
  if (key == "maximum_threshold") return std::to_string(s.maximum_threshold);
  if (key == "exploration_rate") return number_text(s.exploration_rate);
  if (key == "learning_enabled") return s.learning_enabled ? "true" : "false";
  if (key == "memory_pressure_threshold") return number_text(s.memory_pressure_threshold);
  if (key == "cpu_pressure_threshold") return number_text(s.cpu_pressure_threshold);
  return {};
}

std::string id_of(const transfer_recommendation& r) {
  std::uint64_t hash = fnv1a("");
  for (const std::string* part : {&r.pool, &r.key, &r.value}) hash = fnv1a({"\0", 1}, fnv1a(*part, hash));
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

std::string snippet_of(std::string_view pool, std::string_view key, std::string_view value, std::string_view comment) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  std::string name(pool);
  const bool letter_first = !name.empty() && ((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z'));
  if (!letter_first || !std::ranges::all_of(name, plain)) {
    std::string quoted = "\"";
    for (const char c : name) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    name = quoted + "\"";
  }
  std::string text = "apiVersion: homeostat/v1\nkind: Pool\nmetadata: {name: " + name + "}\nspec:\n  transfer:\n    " +
                     std::string(key) + ": " + std::string(value);
  if (!comment.empty()) text += " # " + std::string(comment);
  return text + "\n";
}

} // namespace homeostat
