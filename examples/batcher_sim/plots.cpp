// SPDX-License-Identifier: BSD-3-Clause
//
// Turns results into charts, see plots.hpp.

#include "batcher_sim/plots.hpp"

#include "batcher_sim/chart.hpp"
#include "command_line/values.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace sim {

namespace {

using command_line::grouped;

constexpr auto style = R"(<style>
 text { font: 12px system-ui, sans-serif; fill: #333 }
 .title { font-weight: 600; font-size: 13px }
 .grid { stroke: #ddd }
 polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round }
</style>
)";

double ms(batcher::duration d) { return batcher::to_seconds(d) * 1e3; }

std::string name_of(const result& r) { return grouped(r.offered) + " requests/s"; }

chart latency_chart(const std::vector<outcome>& rows) {
  chart c{.title = "Latency: share of the results that came within",
          .x_label = "ms",
          .y_label = "%",
          .has_log_x = true};
  for (auto& row : rows) {
    chart_line line{.name = name_of(row.came)};
    auto& latencies = row.came.latencies;
    for (int i = 0; latencies.values() > 0 && i <= 1'000; ++i)
      line.points.push_back({ms(latencies.quantile(i / 1e3)), i / 10.0});
    c.lines.push_back(std::move(line));
  }
  return c;
}

chart queue_chart(const std::vector<outcome>& rows) {
  chart c{.title = "Queue: items that wait for dispatch",
          .x_label = "seconds since the start",
          .y_label = "items, mean of a step"};
  for (auto& row : rows) {
    chart_line line{.name = name_of(row.came)};
    auto step = batcher::to_seconds(row.came.queue_step);
    for (std::size_t i = 0; i < row.came.queue.size(); ++i)
      line.points.push_back({(static_cast<double>(i) + 0.5) * step, row.came.queue[i].mean});
    c.lines.push_back(std::move(line));
  }
  return c;
}

chart fill_chart(const std::vector<outcome>& rows) {
  chart c{.title = "Fill: share of the batches with at most so many items",
          .x_label = "items",
          .y_label = "%"};
  for (auto& row : rows) {
    chart_line line{.name = name_of(row.came)};
    auto& counts = row.came.batches_by_items;
    double seen = 0;
    for (std::size_t items = 0; row.came.batches > 0 && items < counts.size(); ++items) {
      seen += static_cast<double>(counts[items]);
      // Where nothing changes between two points, the line between them says so.
      if (counts[items] == 0 && items + 1 < counts.size() && counts[items + 1] == 0) continue;
      line.points.push_back(
        {static_cast<double>(items), 100 * seen / static_cast<double>(row.came.batches)});
    }
    c.lines.push_back(std::move(line));
  }
  return c;
}

chart sweep_chart(const std::vector<outcome>& rows) {
  constexpr std::array<std::pair<const char*, batcher::duration result::*>, 4> kinds{{
    {"p50", &result::p50},
    {"mean", &result::mean},
    {"p95", &result::p95},
    {"p99", &result::p99},
  }};
  chart c{.title = "Latency against rate", .x_label = "requests/s", .y_label = "ms"};
  for (auto& [name, member] : kinds) {
    chart_line line{.name = name};
    for (auto& row : rows) line.points.push_back({row.came.offered, ms(row.came.*member)});
    c.lines.push_back(std::move(line));
  }
  return c;
}

} // namespace

std::string to_svg(const std::vector<outcome>& rows) {
  std::vector charts{latency_chart(rows), queue_chart(rows), fill_chart(rows)};
  if (rows.size() > 1) charts.push_back(sweep_chart(rows));
  std::string body;
  for (std::size_t i = 0; i < charts.size(); ++i) {
    auto row = i / 2;
    body += to_svg(charts[i], static_cast<double>(i % 2) * chart_width,
                   static_cast<double>(row) * chart_height);
  }
  auto size = std::to_string(2 * static_cast<int>(chart_width)) + ' '
              + std::to_string(2 * static_cast<int>(chart_height));
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + size + "\">\n" + style
         + "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n" + body + "</svg>\n";
}

} // namespace sim
