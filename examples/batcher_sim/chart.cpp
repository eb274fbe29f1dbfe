// SPDX-License-Identifier: BSD-3-Clause
//
// Draws a line chart, see chart.hpp.

#include "batcher_sim/chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace sim {

namespace {

constexpr double left = 70;
constexpr double right = chart_width - 130; // the legend stands behind it
constexpr double top = 34;
constexpr double bottom = chart_height - 50;
constexpr std::size_t most_in_legend = 8;

template <class... Values>
std::string print(const char* format, Values... values) {
  std::array<char, 512> text;
  auto length = std::snprintf(text.data(), text.size(), format, values...);
  return {text.data(), std::min(text.size() - 1, static_cast<std::size_t>(length))};
}

std::string number(double value) {
  auto size = std::abs(value);
  if (size >= 1e6) return print("%g M", value / 1e6);
  if (size >= 1e3) return print("%g k", value / 1e3);
  return print("%g", value);
}

/// One axis: from values to places in the picture.
struct axis {
  double low = 0;
  double high = 1;
  double from = 0;
  double to = 1;
  bool is_log = false;

  [[nodiscard]] double place(double value) const {
    auto share =
      is_log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + share * (to - from);
  }

  // Linear: 1, 2 or 5 times a power of ten, about five of them. Logarithmic: the same, or all
  // digits while the range is short.
  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> result;
    if (is_log) {
      auto is_short = high / low < 20;
      for (auto power = std::floor(std::log10(low)); power <= std::log10(high); ++power)
        for (auto digit : {1, 2, 3, 4, 5, 6, 7, 8, 9})
          if (is_short || digit == 1 || digit == 2 || digit == 5)
            add(result, digit * std::pow(10, power));
      return result;
    }
    auto rough = (high - low) / 5;
    auto decade = std::pow(10, std::floor(std::log10(rough)));
    auto step = decade
                * (rough > 5 * decade   ? 10
                   : rough > 2 * decade ? 5
                   : rough > decade     ? 2
                                        : 1);
    for (auto i = std::ceil(low / step); i * step <= high * (1 + 1e-9); ++i) add(result, i * step);
    return result;
  }

private:
  void add(std::vector<double>& ticks, double value) const {
    if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) ticks.push_back(value);
  }
};

// To a single digit times a power of ten.
double round_log(double value, bool is_up) {
  auto power = std::pow(10, std::floor(std::log10(value)));
  return power * (is_up ? std::ceil(value / power) : std::floor(value / power));
}

struct axes {
  axis x{.from = left, .to = right};
  axis y{.from = bottom, .to = top};
};

bool is_drawn(const chart& what, const chart_point& p) { return !what.has_log_x || p.x > 0; }

axes fit(const chart& what) {
  auto low = std::numeric_limits<double>::infinity();
  auto high = -low;
  auto y_high = 0.0;
  for (auto& line : what.lines)
    for (auto& p : line.points) {
      if (!is_drawn(what, p)) continue;
      low = std::min(low, p.x);
      high = std::max(high, p.x);
      y_high = std::max(y_high, p.y);
    }
  axes result;
  result.x.is_log = what.has_log_x;
  if (low <= high) {
    result.x.low = what.has_log_x ? round_log(low, false) : std::min(0.0, low);
    result.x.high = what.has_log_x ? round_log(high, true) : high;
    if (result.x.high <= result.x.low) result.x.high = what.has_log_x ? 2 * low : low + 1;
  } else if (what.has_log_x) {
    result.x.low = 0.1;
  }
  if (y_high > 0) result.y.high = y_high * 1.04;
  return result;
}

std::string text(double x, double y, const char* anchor, const std::string& content,
                 const char* more = "") {
  return print("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>", x, y, anchor, more)
         + escape(content) + "</text>\n";
}

std::string grid_line(double x1, double y1, double x2, double y2) {
  return print("<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x1, y1,
               x2, y2);
}

std::string draw(const chart& what, const axes& to) {
  std::string svg;
  for (auto tick : to.x.ticks()) {
    auto x = to.x.place(tick);
    svg += grid_line(x, top, x, bottom) + text(x, bottom + 16, "middle", number(tick));
  }
  for (auto tick : to.y.ticks()) {
    auto y = to.y.place(tick);
    svg += grid_line(left, y, right, y) + text(left - 6, y + 4, "end", number(tick));
  }
  svg += text((left + right) / 2, bottom + 36, "middle", what.x_label);
  auto middle = (top + bottom) / 2;
  auto turn = print("transform=\"rotate(-90 16 %.1f)\"", middle);
  svg += text(16, middle, "middle", what.y_label, turn.c_str());
  return svg + text(left, 20, "start", what.title, "class=\"title\"");
}

// From blue to red, dark enough for white paper.
std::string colour(std::size_t i, std::size_t lines) {
  auto share = lines > 1 ? static_cast<double>(i) / static_cast<double>(lines - 1) : 0;
  return print("hsl(%.0f 75%% 42%%)", 220 + share * 140);
}

std::string draw(const chart& what, std::size_t i, const axes& to) {
  std::string places;
  for (auto& p : what.lines[i].points)
    if (is_drawn(what, p)) places += print("%.1f,%.1f ", to.x.place(p.x), to.y.place(p.y));
  return "<polyline stroke=\"" + colour(i, what.lines.size()) + "\" points=\"" + places
         + "\"><title>" + escape(what.lines[i].name) + "</title></polyline>\n";
}

// All lines if they are few, else the first and the last.
std::string legend(const chart& what) {
  std::string svg;
  auto n = what.lines.size();
  auto y = top + 10;
  for (std::size_t i = 0; n > 1 && i < n; ++i) {
    if (n > most_in_legend && i != 0 && i + 1 != n) continue;
    auto paint = "style=\"fill:" + colour(i, n) + '"';
    svg += text(right + 8, y, "start", what.lines[i].name, paint.c_str());
    y += 16;
  }
  return svg;
}

} // namespace

std::string to_svg(const chart& what, double x, double y) {
  auto to = fit(what);
  auto svg = print("<g transform=\"translate(%.1f %.1f)\">\n", x, y) + draw(what, to);
  for (std::size_t i = 0; i < what.lines.size(); ++i) svg += draw(what, i, to);
  return svg + legend(what) + "</g>\n";
}

std::string escape(const std::string& text) {
  std::string result;
  for (auto c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

} // namespace sim
