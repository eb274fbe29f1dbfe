// SPDX-License-Identifier: BSD-3-Clause
//
// The bar and the lines, see progress.hpp.

#include "demo/progress.hpp"

#include "demo/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <unistd.h>

namespace demo {

namespace {

constexpr std::size_t bar_cells = 30;

} // namespace

progress::progress(std::size_t expected_runs)
  : is_terminal_{isatty(STDOUT_FILENO) == 1}, expected_runs_{static_cast<double>(expected_runs)} {
  fmt::print("\n{}\n", step_header());
}

void progress::begin_run(std::string_view side, double rate) {
  label_ = std::isfinite(rate) ? fmt::format("{}: {:.0f} requests/s", side, rate)
                               : fmt::format("{}: as fast as it can", side);
  ++runs_;
  show_part(0);
}

void progress::show_part(double part) const {
  if (!is_terminal_) return;
  auto whole = std::min(1.0, (runs_ - 1 + part) / expected_runs_);
  auto full = static_cast<std::size_t>(whole * bar_cells);
  fmt::print("\r\x1b[2K  [{:#<{}}{:.<{}}] {:3.0f} %  {}", "", full, "", bar_cells - full,
             100 * whole, label_);
  std::fflush(stdout);
}

void progress::clear_bar() const {
  if (is_terminal_) fmt::print("\r\x1b[2K");
  std::fflush(stdout);
}

void progress::end_calibration(const side_result& side) const {
  clear_bar();
  fmt::print("{:9}  at most about {:.0f} requests/s; steps around that:\n", side.name,
             side.saturated_per_second);
}

void progress::end_step(std::string_view side, const step_result& step) const {
  clear_bar();
  fmt::print("{}\n", step_line(side, step));
}

} // namespace demo
