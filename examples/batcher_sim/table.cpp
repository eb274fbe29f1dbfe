// SPDX-License-Identifier: BSD-3-Clause
//
// Columns, see table.hpp.

#include "batcher_sim/table.hpp"

#include "command_line/values.hpp"

#include <array>
#include <string_view>

namespace sim {

namespace {

using command_line::grouped;

using batcher::errc;

struct column {
  std::string_view name;
  std::size_t width;
};

constexpr std::array columns{
  column{"requests/s", 10}, column{"load", 5},     column{"mean, ms", 8}, column{"+-", 6},
  column{"p50", 8},         column{"p95", 8},      column{"p99", 8},      column{"max", 8},
  column{"fill", 6},        column{"goodput", 10}, column{"busy", 5},     column{"batches", 9},
  column{"refused", 7},     column{"late", 7},     column{"failed", 7},
};

std::string right(std::string_view text, std::size_t width) {
  std::string padded(width > text.size() ? width - text.size() : 0, ' ');
  return padded.append(text);
}

std::string ms(batcher::duration d) { return grouped(batcher::to_seconds(d) * 1e3, 2); }

std::string percent(double share) { return grouped(share * 100) + '%'; }

} // namespace

std::string table_head() {
  std::string line;
  for (auto& c : columns) {
    if (!line.empty()) line += ' ';
    line += right(c.name, c.width);
  }
  return line + '\n' + std::string(line.size(), '-') + '\n';
}

std::string table_row(const result& r, double capacity) {
  auto count = [](std::uint64_t n) { return grouped(static_cast<double>(n)); };
  auto late = r.answered_with(errc::expired);
  auto failed = r.answered_with(errc::batch_failed) + r.answered_with(errc::batch_timeout);
  std::array<std::string, columns.size()> cells{
    grouped(r.offered),
    percent(r.offered / capacity),
    ms(r.mean),
    ms(r.mean_error),
    ms(r.p50),
    ms(r.p95),
    ms(r.p99),
    ms(r.max),
    grouped(r.fill, 1),
    grouped(r.goodput),
    percent(r.utilisation),
    count(r.batches),
    count(r.refused_or_failed() - late - failed),
    count(late),
    count(failed),
  };
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ' ';
    line += right(cells[i], columns[i].width);
  }
  return line + '\n';
}

} // namespace sim
