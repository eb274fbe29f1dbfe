// SPDX-License-Identifier: BSD-3-Clause
//
// What is on the screen while the demo runs: one line per finished step, and on a terminal a bar
// below them. Where the output is no terminal there are only the lines.

#pragma once

#include "demo/comparison.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace demo {

/// Writes to standard output. One thread.
class progress {
public:
  /// `expected_runs` is how many runs there will be, or a little less.
  explicit progress(std::size_t expected_runs);

  /// A run begins, with so many requests per second.
  void begin_run(std::string_view side, double rate);
  /// `part` of the running one is over, 0 to 1.
  void show_part(double part) const;
  /// The runs that measure how much a side can take at most are over.
  void end_calibration(const side_result& side) const;
  /// A step is over: its line appears.
  void end_step(std::string_view side, const step_result& step) const;
  /// Takes the bar off the screen.
  void clear_bar() const;

private:
  bool is_terminal_;
  double expected_runs_;
  double runs_ = 0;
  std::string label_;
};

} // namespace demo
