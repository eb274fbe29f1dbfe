// SPDX-License-Identifier: BSD-3-Clause
//
// Values as people write them: durations with a unit, numbers with k or M, lists and ranges. What
// cannot be read throws `std::invalid_argument` with a sentence that says what to write instead.

#pragma once

#include <batcher/time.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace command_line {

/// Reads "250us", "2ms", "1.5s", "3min", "24h"; "0" needs no unit. Never negative.
[[nodiscard]] batcher::duration parse_duration(std::string_view text);

/// Reads "1500", "0.25", "2k", "1.5M", "1e6". Never negative.
[[nodiscard]] double parse_number(std::string_view text);

/// The same, but whole.
[[nodiscard]] std::size_t parse_count(std::string_view text);

/// Returns a number that was read from `text` as a count.
[[nodiscard]] std::size_t count_of(double value, std::string_view text);

/// Reads numbers and ranges FROM:TO:STEP, separated by commas: "0.1,0.5:0.9:0.2" is 0.1, 0.5, 0.7
/// and 0.9. At most 1,000.
[[nodiscard]] std::vector<double> parse_list(std::string_view text);

/// A factor that holds from an instant on.
struct jump {
  batcher::duration at;
  double factor = 1;
};

/// Reads "AT:FACTOR", such as "10s:2".
[[nodiscard]] jump parse_jump(std::string_view text);

/// Returns the duration as `parse_duration` reads it, in the largest unit that leaves no fraction.
[[nodiscard]] std::string text_of(batcher::duration d);

/// Returns the number with `decimals` digits after the point and thousands separators.
[[nodiscard]] std::string grouped(double number, int decimals = 0);

} // namespace command_line
