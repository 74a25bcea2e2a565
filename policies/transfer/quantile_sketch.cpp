#include "policies/transfer/quantile_sketch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace homeostat {

namespace {

constexpr double gamma = (1 + quantile_sketch::relative_error) / (1 - quantile_sketch::relative_error);
const double log_gamma = std::log(gamma);

std::int32_t index_of(double value) { return static_cast<std::int32_t>(std::ceil(std::log(value) / log_gamma)); }

/// @returns the number that is within the relative error of everything in the bin.
double middle_of(std::int32_t index) { return 2 * std::exp(index * log_gamma) / (gamma + 1); }

void put_number(std::string& out, std::uint64_t n) { // seven bits a byte, the lowest first
  for (; n >= 0x80; n >>= 7U) out += static_cast<char>(n | 0x80U);
  out += static_cast<char>(n);
}

bool take_number(std::string_view& in, std::uint64_t& n) {
  n = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    if (shift == 63 && byte > 1) return false;
    n |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return shift == 0 || byte != 0; // the shortest form only: equal sketches, equal bytes
  }
  return false;
}

} // namespace

bool quantile_sketch::add(double value) {
  if (!(std::isfinite(value) && value >= 0)) return false;
  ++count_;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  if (value < least_value) {
    ++zeros_;
    return true;
  }
  const std::int32_t index = index_of(value);
  const auto at = std::ranges::lower_bound(bins_, index, {}, &bin::index);
  if (at != bins_.end() && at->index == index) {
    ++at->count;
  } else if (at == bins_.begin() && bins_.size() == max_bins) {
    ++at->count; // below the lowest of a full set: folded into it
  } else {
    bins_.insert(at, {.index = index, .count = 1});
    fold_lowest();
  }
  return true;
}

void quantile_sketch::merge(const quantile_sketch& other) {
  count_ += other.count_;
  zeros_ += other.zeros_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  std::vector<bin> both;
  both.reserve(bins_.size() + other.bins_.size());
  std::ranges::merge(bins_, other.bins_, std::back_inserter(both), {}, &bin::index, &bin::index);
  bins_.clear();
  for (const bin& b : both) {
    if (!bins_.empty() && bins_.back().index == b.index)
      bins_.back().count += b.count;
    else
      bins_.push_back(b);
  }
  fold_lowest();
}

// Keeps the highest max_bins bins that are in use. The highest of a union are the highest of the highest of its parts,
// so that the order of adding and merging does not show.
void quantile_sketch::fold_lowest() {
  if (bins_.size() <= max_bins) return;
  const auto kept = bins_.end() - static_cast<std::ptrdiff_t>(max_bins);
  for (auto b = bins_.begin(); b != kept; ++b) kept->count += b->count;
  bins_.erase(bins_.begin(), kept);
}

std::optional<double> quantile_sketch::quantile(double q) const {
  if (count_ == 0 || !(q >= 0 && q <= 1)) return std::nullopt;
  const auto rank =
      std::min(count_ - 1, static_cast<std::uint64_t>(std::floor(q * static_cast<double>(count_ - 1)))); // rounding
  std::uint64_t seen = zeros_;
  if (rank < seen) return 0.0;
  for (const bin& b : bins_) {
    seen += b.count;
    if (rank < seen) return std::clamp(middle_of(b.index), min_, max_);
  }
  return max_;
}

std::uint64_t quantile_sketch::count_above(double x) const {
  if (!(x < max_)) return 0; // also for NaN
  if (x < 0) return count_;
  std::uint64_t above = 0;
  const std::int32_t index = x < least_value ? std::numeric_limits<std::int32_t>::min() : index_of(x);
  for (auto b = bins_.rbegin(); b != bins_.rend() && b->index > index; ++b) above += b->count;
  return above;
}

std::string quantile_sketch::pack() const {
  std::string out;
  put_number(out, zeros_);
  put_number(out, bins_.size());
  std::int64_t before = 0;
  for (const bin& b : bins_) {
    const std::int64_t step = b.index - before; // only the first may be negative
    put_number(out, (static_cast<std::uint64_t>(step) << 1U) ^ static_cast<std::uint64_t>(step >> 63U));
    put_number(out, b.count);
    before = b.index;
  }
  if (count_ == 0) return out;
  for (const double extreme : {min_, max_})
    for (unsigned shift = 0; shift < 64; shift += 8)
      out += static_cast<char>(std::bit_cast<std::uint64_t>(extreme) >> shift);
  return out;
}

std::expected<quantile_sketch, std::string> quantile_sketch::unpack(std::string_view bytes) {
  const auto wrong = [](const char* what) { return std::unexpected("packed quantile sketch: " + std::string(what)); };
  quantile_sketch s;
  std::uint64_t size = 0, step = 0, count = 0;
  if (!take_number(bytes, s.zeros_) || !take_number(bytes, size)) return wrong("cut short or a number too long");
  if (size > max_bins) return wrong("more bins than a sketch has");
  s.count_ = s.zeros_;
  std::int64_t index = 0;
  for (std::uint64_t i = 0; i < size; ++i) {
    if (!take_number(bytes, step) || !take_number(bytes, count)) return wrong("cut short or a number too long");
    const auto delta = static_cast<std::int64_t>(step >> 1U) ^ -static_cast<std::int64_t>(step & 1U);
    if (delta > 1'000'000 || delta < -1'000'000 || (i > 0 && delta <= 0)) return wrong("bins out of order or of range");
    index += delta;
    if (std::abs(index) > 1'000'000) return wrong("bins out of order or of range");
    if (count == 0 || s.count_ + count < s.count_) return wrong("an empty bin or an overflow");
    s.count_ += count;
    s.bins_.push_back({.index = static_cast<std::int32_t>(index), .count = count});
  }
  if (s.count_ == 0) return bytes.empty() ? std::expected<quantile_sketch, std::string>(s) : wrong("bytes left over");
  if (bytes.size() != 16) return wrong("16 bytes of extremes expected at the end");
  for (double* extreme : {&s.min_, &s.max_}) {
    std::uint64_t bits = 0;
    for (unsigned shift = 0; shift < 64; shift += 8, bytes.remove_prefix(1))
      bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes.front())) << shift;
    *extreme = std::bit_cast<double>(bits);
  }
  if (!(s.min_ >= 0 && s.min_ <= s.max_ && std::isfinite(s.max_))) return wrong("extremes out of order or not finite");
  return s;
}

} // namespace homeostat
