// SPDX-License-Identifier: BSD-3-Clause
//
// Reads the command line with CLI11, see options.hpp.

#include "demo/options.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <fstream>

namespace demo {

namespace {

constexpr auto about =
  "Serves a trained model without and with batching, at rising request rates, and compares.";

constexpr auto footer =
  "Exit code: 0 all is well, 1 a reply was wrong or missing, or the demo could not run, "
  "2 a mistake in the options, 130 or 143 ended by Ctrl-C or SIGTERM before the comparison was "
  "done.";

// CLI11's own range check lets NaN pass.
std::string check_seconds(const std::string& text) {
  auto value = 0.0;
  if (CLI::detail::lexical_cast(text, value) && value >= 0.2 && value <= 600) return {};
  return text + " is not a number of seconds from 0.2 to 600";
}

// Better now than after a minute of measuring.
std::string why_not_writable(const std::string& file) {
  auto is_new = !std::ifstream{file};
  if (!std::ofstream{file, std::ios::app}) return "cannot write " + file;
  if (is_new) std::remove(file.c_str());
  return {};
}

} // namespace

settings parse_command_line(int argc, const char* const* argv) {
  settings result;
  CLI::App app{about, "demo"};
  app.footer(footer);
  app
    .add_option("--seconds", result.seconds,
                "Length of a step, 0.2 to 600; less than 1 is too short for good figures")
    ->check(check_seconds)
    ->capture_default_str();
  app.add_option("--json", result.json_file, "Write the figures to this file")
    ->check(why_not_writable);
  app.add_option("--html", result.html_file, "Write the report to this file")
    ->check(why_not_writable)
    ->capture_default_str();
  app.add_option("--port", result.port, "Port for /metrics on 127.0.0.1; 0: any free one")
    ->capture_default_str();
  app.add_flag("--serve", result.serve,
               "Stay up after the comparison, with some load, and serve /metrics until Ctrl-C");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e) == 0 ? exit_ok : exit_bad_options);
  }
  return result;
}

} // namespace demo
