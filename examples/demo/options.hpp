// SPDX-License-Identifier: BSD-3-Clause
//
// The demo's command line.

#pragma once

#include <cstdint>
#include <string>

namespace demo {

/// Exit codes, as `--help` explains them.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_bad_options = 2;
inline constexpr int exit_signal = 128; // plus the signal's number

struct settings {
  double seconds = 3;
  std::string json_file; // empty: none
  std::string html_file = "batcher-demo.html";
  std::uint16_t port = 9464;
  bool serve = false;
};

/// Reads the command line. Where there is nothing to run, after `--help` or because of a mistake,
/// it prints what there is to say and ends the program.
[[nodiscard]] settings parse_command_line(int argc, const char* const* argv);

} // namespace demo
