// SPDX-License-Identifier: BSD-3-Clause
//
// A line chart as inline SVG, in colours that the page around it defines. Both axes are
// logarithmic: rates and latencies of the two sides lie powers of ten apart.

#pragma once

#include <string>
#include <vector>

namespace demo {

struct chart_point {
  double x = 0; ///< Above 0.
  double y = 0; ///< Above 0.
  bool is_filled = true;
  bool is_on_line = true; ///< The line goes through it, not past it.
  std::string hint;       ///< Shown while the pointer rests on it.
};

struct chart_series {
  std::string css_class; ///< Gives the colour.
  std::vector<chart_point> points = {};
};

struct chart {
  std::string title;
  std::string x_label; ///< With unit.
  std::string y_label;
  std::vector<chart_series> series;
  /// Draws y = this as a dashed line with the label below; 0: none.
  double y_limit = 0;
  std::string y_limit_label = {};
  /// Draws y = x as a dashed line.
  bool has_diagonal = false;
};

/// Returns the chart as an `<svg>` element.
[[nodiscard]] std::string to_svg(const chart& what);

} // namespace demo
