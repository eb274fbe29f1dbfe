// SPDX-License-Identifier: BSD-3-Clause
//
// A line chart as a part of an SVG picture.

#pragma once

#include <string>
#include <vector>

namespace sim {

struct chart_point {
  double x = 0;
  double y = 0;
};

struct chart_line {
  std::string name; ///< Shown in the legend and while the pointer rests on the line.
  std::vector<chart_point> points = {};
};

struct chart {
  std::string title;
  std::string x_label; ///< With unit.
  std::string y_label;
  std::vector<chart_line> lines = {};
  /// Logarithmic; points at 0 or below are left out.
  bool has_log_x = false;
};

/// What a chart takes, in the unit of the picture.
inline constexpr double chart_width = 640;
inline constexpr double chart_height = 330;

/// Returns the chart as a `<g>` element whose upper left corner is (x, y).
[[nodiscard]] std::string to_svg(const chart& what, double x, double y);

/// Returns the text with the characters escaped that mean something in SVG.
[[nodiscard]] std::string escape(const std::string& text);

} // namespace sim
