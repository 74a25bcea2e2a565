#include "runtime/demo/live_view.hpp"

#include "policies/number_text.hpp"

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace homeostat {

namespace {

constexpr const char* bold = "\x1b[1m";
constexpr const char* dim = "\x1b[2m";
constexpr const char* green = "\x1b[32m";
constexpr const char* red = "\x1b[31m";
constexpr const char* plain = "\x1b[0m";

/// A knob between its bounds: '|' the static default, '#' the live value.
std::string knob_bar(const knob_status& knob, int cells) {
  std::string bar(static_cast<std::size_t>(cells), '-');
  const bool log_like = knob.min > 0 && knob.max / knob.min >= 20;
  const auto cell = [&](double value) {
    const double place = log_like ? std::log(value / knob.min) / std::log(knob.max / knob.min)
                                  : (value - knob.min) / (knob.max - knob.min);
    return static_cast<std::size_t>(std::clamp(place, 0.0, 1.0) * (cells - 1) + 0.5);
  };
  bar[cell(knob.baseline)] = '|';
  bar[cell(knob.value)] = '#';
  return bar;
}

std::string sparkline(const std::deque<double>& values) {
  static const char* levels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty()) return "";
  const auto [low, high] = std::ranges::minmax(values);
  const double floor = std::min(low, 0.0);
  const double range = std::max(high - floor, 0.05);
  std::string text;
  for (double v : values) text += levels[static_cast<std::size_t>(std::clamp((v - floor) / range, 0.0, 1.0) * 7)];
  return text;
}

std::string signed_percent(double fraction) { return fmt::format("{:+.1f} %", 100 * fraction); }

} // namespace

std::string render(const demo_view& view, int width) {
  std::string out;
  const auto line = [&](const std::string& text) { out += text + "\x1b[K\n"; };
  const std::string clock = view.length_s > 0 ? fmt::format("{:.0f} of {:.0f} s", view.elapsed_s, view.length_s)
                                              : fmt::format("{:.0f} s", view.elapsed_s);
  line(fmt::format("{}{}{}   {}   traffic: {}", bold, view.title, plain, clock, view.traffic));
  line("");
  const double now = view.fixed != 0 ? (view.fixed - view.tuned) / std::abs(view.fixed) : 0;
  line(fmt::format("  objective (lower is better)   tuned {}{:8.2f}{}   static default {:8.2f}", bold, view.tuned,
                   plain, view.fixed));
  line(fmt::format("  gain over the static default  now {}{:>8}{}   whole run {}{:>8}{}  {}", now >= 0 ? green : red,
                   signed_percent(now), plain, bold, signed_percent(view.gain_total), plain, sparkline(view.gains)));
  line("");
  const int cells = std::clamp(width - 54, 10, 60);
  for (const knob_status& knob : view.loop.knobs)
    line(fmt::format("  {:<14} {:>8} {:<8} {:>6} [{}] {}", knob.name, number_text(std::round(knob.value * 100) / 100),
                     knob.unit, number_text(knob.min), knob_bar(knob, cells), number_text(knob.max)));
  line(fmt::format("  {}# live   | static default{}", dim, plain));
  line("");
  std::uint64_t refused = 0;
  for (const auto& [name, count] : view.loop.rejected) refused += count;
  const bool frozen = !view.loop.safe_mode_reasons.empty();
  std::string reasons;
  for (const auto& reason : view.loop.safe_mode_reasons) reasons += " " + reason;
  line(fmt::format("  generation {}   applied {}   refused {}   rollbacks {}   {}", view.loop.generation,
                   view.loop.applied, refused, view.loop.rollbacks,
                   frozen ? fmt::format("{}SAFE MODE:{}{}", red, reasons, plain)
                          : fmt::format("{}running{}", green, plain)));
  line("");
  line(fmt::format("  {}latest decisions{}", dim, plain));
  for (const auto& decision : view.decisions)
    line("  " + decision.substr(0, static_cast<std::size_t>(std::max(20, width - 4))));
  return out;
}

live_screen::live_screen() : terminal_(isatty(STDERR_FILENO) != 0) {}

live_screen::~live_screen() {
  if (drawn_) std::fputs("\x1b[?25h", stderr);
}

void live_screen::draw(const demo_view& view) {
  if (!terminal_) {
    if (view.elapsed_s - last_line_s_ < 5) return;
    last_line_s_ = view.elapsed_s;
    fmt::print(stderr, "{:5.0f} s  traffic {:<6} objective {:.2f}, static {:.2f}, gain so far {}, applied {}{}\n",
               view.elapsed_s, view.traffic, view.tuned, view.fixed, signed_percent(view.gain_total), view.loop.applied,
               view.loop.safe_mode_reasons.empty() ? "" : ", SAFE MODE");
    return;
  }
  winsize size{};
  const int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  // Home and overwrite; erase what a longer frame left below.
  const std::string frame = std::string(drawn_ ? "\x1b[H" : "\x1b[2J\x1b[H\x1b[?25l") + render(view, width) + "\x1b[J";
  std::fwrite(frame.data(), 1, frame.size(), stderr);
  std::fflush(stderr);
  drawn_ = true;
}

} // namespace homeostat
