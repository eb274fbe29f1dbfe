// SPDX-License-Identifier: BSD-3-Clause
//
// batcher_sim: simulates a batcher at one rate or several, prints a row for each, and writes JSON
// and plots where asked to.

#include "batcher_sim/json.hpp"
#include "batcher_sim/plots.hpp"
#include "batcher_sim/settings.hpp"
#include "batcher_sim/simulate.hpp"
#include "batcher_sim/table.hpp"
#include "command_line/output_file.hpp"
#include "command_line/values.hpp"

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace {

using command_line::grouped;
using command_line::write_file;

std::vector<sim::outcome> simulate_all(const sim::settings& settings) {
  std::vector<sim::outcome> rows;
  std::cout << sim::table_head();
  for (auto rate : settings.rates) {
    auto row = sim::row_of(settings, rate);
    auto came = sim::simulate(row);
    auto most = sim::capacity(row.cost, row.workers, row.opts.max_batch_items);
    std::cout << sim::table_row(came, most) << std::flush;
    row.arrivals.instants.clear();
    rows.push_back({std::move(row), std::move(came)});
  }
  return rows;
}

// Above capacity, figures tell of the length of the run as much as of the batcher.
void warn_of_overload(const std::vector<sim::outcome>& rows) {
  for (auto& [what, came] : rows) {
    auto most = sim::capacity(what.cost, what.workers, what.opts.max_batch_items);
    if (came.offered <= most) continue;
    std::cout
      << "\nAbove a load of 100% the queue grows until it is full: latencies then depend on "
         "its limit and\non the length of the run.\n";
    return;
  }
}

} // namespace

int main(int argc, char** argv) {
  auto settings = sim::parse_command_line(argc, argv);
  auto begin = std::chrono::steady_clock::now();
  auto rows = simulate_all(settings);
  auto took = batcher::to_seconds(std::chrono::steady_clock::now() - begin);
  warn_of_overload(rows);
  std::uint64_t requests = 0;
  for (auto& row : rows) requests += row.came.arrived;
  std::cout << '\n'
            << grouped(static_cast<double>(requests)) << " requests simulated in "
            << grouped(took, 2) << " s\n";
  auto write = [](const std::string& file, const std::string& content) {
    return file.empty() || write_file("batcher_sim", file, content);
  };
  bool is_written = write(settings.json_file, sim::to_json(rows));
  if (!settings.svg_file.empty()) is_written &= write(settings.svg_file, sim::to_svg(rows));
  return is_written ? sim::exit_ok : sim::exit_failed;
}
