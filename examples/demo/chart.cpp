// SPDX-License-Identifier: BSD-3-Clause
//
// Draws a line chart, see chart.hpp. Lengths are in the SVG's own unit, about a pixel.

#include "demo/chart.hpp"

#include "demo/markup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace demo {

namespace {

constexpr double width = 640;
constexpr double height = 340;
constexpr double left = 66;
constexpr double right = 622;
constexpr double top = 14;
constexpr double bottom = 284;

// 1, 2 or 5 times a power of ten, the `n`-th of them; 0 is 1.
double nice(int n) {
  constexpr double steps[] = {1, 2, 5};
  auto decade = static_cast<int>(std::floor(n / 3.0));
  return steps[n - 3 * decade] * std::pow(10, decade);
}

int nice_below(double value) {
  auto n = 3 * static_cast<int>(std::floor(std::log10(value)));
  while (nice(n + 1) <= value) ++n;
  return n;
}

struct scale {
  int low = 0; // as for `nice`
  int high = 1;
  double from = 0; // where they lie in the picture
  double to = 1;

  void include(double value) {
    low = std::min(low, nice_below(value));
    high =
      std::max(high, nice(nice_below(value)) < value ? nice_below(value) + 1 : nice_below(value));
  }

  [[nodiscard]] double place(double value) const {
    auto share = std::log(value / nice(low)) / std::log(nice(high) / nice(low));
    return from + share * (to - from);
  }

  // All of 1-2-5 while they are few, else powers of ten.
  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> result;
    for (auto n = low; n <= high; ++n)
      if (high - low < 10 || n % 3 == 0) result.push_back(nice(n));
    return result;
  }
};

struct scales {
  scale x{.from = left, .to = right};
  scale y{.from = bottom, .to = top};
};

scales fit(const chart& what) {
  scales result;
  auto is_first = true;
  auto include = [&](double x, double y) {
    if (is_first) {
      result.x.low = result.x.high = nice_below(x);
      result.y.low = result.y.high = nice_below(y);
      is_first = false;
    }
    result.x.include(x);
    result.y.include(y);
  };
  for (const auto& series : what.series)
    for (const auto& point : series.points) include(point.x, point.y);
  if (is_first) include(1, 1);
  if (what.y_limit > 0) result.y.include(what.y_limit);
  result.x.high = std::max(result.x.high, result.x.low + 1);
  result.y.high = std::max(result.y.high, result.y.low + 1);
  return result;
}

std::string number(double value) {
  if (value >= 1e6) return fmt::format("{:g} M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:g} k", value / 1e3);
  return fmt::format("{:g}", value);
}

std::string line(std::string_view css_class, double x1, double y1, double x2, double y2) {
  return fmt::format(R"(<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)",
                     css_class, x1, y1, x2, y2);
}

std::string text(std::string_view attributes, double x, double y, const std::string& content) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes,
                     escape(content));
}

std::string axes(const chart& what, const scales& to) {
  std::string svg;
  for (auto tick : to.x.ticks()) {
    auto x = to.x.place(tick);
    svg += line("grid", x, top, x, bottom)
           + text("text-anchor=\"middle\"", x, bottom + 17, number(tick));
  }
  for (auto tick : to.y.ticks()) {
    auto y = to.y.place(tick);
    svg +=
      line("grid", left, y, right, y) + text("text-anchor=\"end\"", left - 7, y + 4, number(tick));
  }
  svg += line("axis", left, bottom, right, bottom) + line("axis", left, top, left, bottom);
  svg +=
    text("class=\"label\" text-anchor=\"middle\"", (left + right) / 2, bottom + 42, what.x_label);
  auto middle = (top + bottom) / 2;
  svg +=
    text(fmt::format(R"-(class="label" text-anchor="middle" transform="rotate(-90 16 {:.1f})")-",
                     middle),
         16, middle, what.y_label);
  return svg;
}

std::string guides(const chart& what, const scales& to) {
  std::string svg;
  if (what.y_limit > 0) {
    auto y = to.y.place(what.y_limit);
    svg += line("guide", left, y, right, y);
    // At the left, where rates are low: what is above the limit is so at high rates.
    svg += text("class=\"label\"", left + 8, y - 6, what.y_limit_label);
  }
  if (what.has_diagonal) {
    auto low = std::max(nice(to.x.low), nice(to.y.low));
    auto high = std::min(nice(to.x.high), nice(to.y.high));
    svg += line("guide", to.x.place(low), to.y.place(low), to.x.place(high), to.y.place(high));
  }
  return svg;
}

std::string draw(const chart_series& series, const scales& to) {
  std::string path;
  std::string dots;
  for (const auto& point : series.points) {
    auto x = to.x.place(point.x);
    auto y = to.y.place(point.y);
    if (point.is_on_line) path += fmt::format("{:.1f},{:.1f} ", x, y);
    dots += fmt::format(
      "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"><title>{}</title></circle>\n",
      point.is_filled ? "full" : "hollow", x, y, escape(point.hint));
  }
  return fmt::format("<g class=\"{}\">\n<polyline points=\"{}\"/>\n{}</g>\n", series.css_class,
                     path, dots);
}

} // namespace

std::string to_svg(const chart& what) {
  auto to = fit(what);
  auto svg = fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\">\n", width,
                         height, escape(what.title));
  svg += axes(what, to) + guides(what, to);
  for (const auto& series : what.series) svg += draw(series, to);
  return svg + "</svg>\n";
}

} // namespace demo
