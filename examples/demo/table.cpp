// SPDX-License-Identifier: BSD-3-Clause
//
// Lays out the text tables, see table.hpp.

#include "demo/table.hpp"

#include <fmt/format.h>

namespace demo {

namespace {

std::string summary_line(std::string_view what, const comparison& result, auto value) {
  auto cell = [&](const side_result& side) {
    const auto* step = side.sustained();
    return step ? value(*step) : std::string{"-"};
  };
  return fmt::format("  {:32}{:>12}{:>12}\n", what, cell(result.unbatched), cell(result.batched));
}

std::string in_ms(double ms) { return fmt::format("{:.1f}", ms); }
std::string whole(double number) { return fmt::format("{:.0f}", number); }

} // namespace

std::string step_header() {
  return fmt::format(
    "{:9}{:>11}{:>11}{:>9}{:>9}{:>9}{:>8}{:>9}{:>8}\n{:9}{:>11}{:>11}{:>9}{:>9}{:>9}"
    "{:>8}",
    "", "offered", "served", "p50", "p95", "p99", "mean", "refused", "failed", "", "/s", "/s", "ms",
    "ms", "ms", "batch");
}

std::string step_line(std::string_view side, const step_result& step) {
  return fmt::format("{:9}{:11.0f}{:11.0f}{:9.1f}{:9.1f}{:9.1f}{:8.1f}{:9}{:8}{}", side,
                     step.offered_per_second, step.served_per_second, step.p50_ms, step.p95_ms,
                     step.p99_ms, step.mean_batch_items, step.refused, step.failed,
                     is_good(step) ? "" : "  *");
}

std::string summary(const comparison& result) {
  auto line = [&](std::string_view what, auto value) { return summary_line(what, result, value); };
  auto text = fmt::format("* not served in full and in time\n\n  {:32}{:>12}{:>12}\n",
                          "at the highest sustained rate", "unbatched", "batched");
  text += line("offered requests/s", [](auto& x) { return whole(x.offered_per_second); });
  text += line("served requests/s", [](auto& x) { return whole(x.served_per_second); });
  text += line("latency p50, ms", [](auto& x) { return in_ms(x.p50_ms); });
  text += line("latency p95, ms", [](auto& x) { return in_ms(x.p95_ms); });
  text += line("latency p99, ms", [](auto& x) { return in_ms(x.p99_ms); });
  text +=
    line("mean batch, items", [](auto& x) { return fmt::format("{:.1f}", x.mean_batch_items); });
  text += line("refused", [](auto& x) { return std::to_string(x.refused); });
  text += line("failed", [](auto& x) { return std::to_string(x.failed); });
  if (result.ratio() > 0)
    text +=
      fmt::format("\n  batching served {:.1f} times as many requests per second\n", result.ratio());
  else
    text +=
      "\n  no ratio: a side sustained none of its rates (is the machine busy, or a step short?)\n";
  text += fmt::format("\nsustained: {}\n", sustained_rule);
  return text;
}

} // namespace demo
