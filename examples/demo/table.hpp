// SPDX-License-Identifier: BSD-3-Clause
//
// The figures as text, at most 90 columns wide: a line per step, and at the end one side beside the
// other.

#pragma once

#include "demo/comparison.hpp"

#include <string>
#include <string_view>

namespace demo {

/// The head over the lines of steps.
[[nodiscard]] std::string step_header();

/// One step as a line, with a mark if it is not good.
[[nodiscard]] std::string step_line(std::string_view side, const step_result& step);

/// The two sides beside each other, each at the highest rate that it sustained, and the ratio.
[[nodiscard]] std::string summary(const comparison& result);

} // namespace demo
