// SPDX-License-Identifier: BSD-3-Clause
//
// The command line of batcher_sim.

#pragma once

#include "batcher_sim/scenario.hpp"

#include <string>
#include <vector>

namespace sim {

/// Exit codes, as `--help` explains them.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_bad_options = 2;

struct settings {
  scenario base;
  /// One for each row of the table. Unit: requests per second; 0: as a trace was recorded.
  std::vector<double> rates;
  std::string json_file; // empty: none
  std::string svg_file;
};

/// Reads the command line. Where there is nothing to run, after `--help` or because of a mistake,
/// it prints what there is to say and ends the program.
[[nodiscard]] settings parse_command_line(int argc, const char* const* argv);

/// Returns the scenario of a row. It is good.
[[nodiscard]] scenario row_of(const settings& of, double rate);

} // namespace sim
