// SPDX-License-Identifier: BSD-3-Clause
//
// How text and numbers are written in the report, in its page as in its charts. Builds no elements.

#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace demo {

/// Returns the text with the characters escaped that mean something in HTML.
[[nodiscard]] inline std::string escape(std::string_view text) {
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

/// Returns the number, 0 or above, as a whole one with thousands separators.
[[nodiscard]] inline std::string grouped(double number) {
  auto digits = fmt::format("{:.0f}", number);
  for (auto end = digits.size(); end > 3; end -= 3) digits.insert(end - 3, 1, ',');
  return digits;
}

} // namespace demo
