#pragma once

#include "messages/types.hpp"

#include <deque>
#include <string>
#include <vector>

namespace homeostat {

/// What the live view shows at one moment.
struct demo_view {
  std::string title;
  std::string traffic; ///< what the traffic does now
  double elapsed_s{0};
  double length_s{0};       ///< 0: open end
  double tuned{0};          ///< smoothed objective
  double fixed{0};          ///< the same of the control instance
  double gain_total{0};     ///< fraction, over the whole run
  std::deque<double> gains; ///< recent, oldest first
  loop_status loop;
  std::deque<std::string> decisions; ///< latest guard decisions, oldest first
};

/// @param width  columns of the terminal.
/// @returns the view as lines for an ANSI terminal.
[[nodiscard]] std::string render(const demo_view& view, int width);

/// Draws the view in place on standard error if that is a terminal, else one line every five seconds.
class live_screen {
public:
  live_screen();
  ~live_screen();
  live_screen(const live_screen&) = delete;
  live_screen& operator=(const live_screen&) = delete;
  void draw(const demo_view& view);

private:
  bool terminal_;
  bool drawn_{false};
  double last_line_s_{-10};
};

} // namespace homeostat
