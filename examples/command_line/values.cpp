// SPDX-License-Identifier: BSD-3-Clause
//
// Reads and writes values, see values.hpp.

#include "command_line/values.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <utility>

namespace command_line {

namespace {

using batcher::duration;

constexpr std::size_t most_values = 1'000;

// Descending.
constexpr std::array<std::pair<std::string_view, double>, 6> units{{
  {"h", 3.6e12},
  {"min", 6e10},
  {"s", 1e9},
  {"ms", 1e6},
  {"us", 1e3},
  {"ns", 1},
}};

[[noreturn]] void fail(std::string_view text, std::string_view what_to_do) {
  throw std::invalid_argument{'\'' + std::string{text} + "' " + std::string{what_to_do}};
}

// The number in front, and what follows it.
std::pair<double, std::string_view> split(std::string_view text, std::string_view what_to_do) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) fail(text, what_to_do);
  return {value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

// Cuts off what is in front of the next separator.
std::string_view next_part(std::string_view& rest, char separator) {
  auto end = rest.find(separator);
  auto part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return part;
}

void append_range(std::vector<double>& to, std::string_view text) {
  auto rest = text;
  auto from = parse_number(next_part(rest, ':'));
  auto until = parse_number(next_part(rest, ':'));
  auto step = parse_number(rest);
  if (step <= 0 || until < from)
    fail(text, "goes nowhere; write FROM:TO:STEP, such as 0.1:0.9:0.1");
  auto steps = std::floor((until - from) / step + 1e-9);
  if (steps >= most_values) fail(text, "is more than 1,000 values; take a larger step");
  for (auto i = 0.0; i <= steps; ++i) to.push_back(from + i * step);
}

} // namespace

duration parse_duration(std::string_view text) {
  constexpr auto help = "is no time; write a number and a unit, such as 250us, 2ms or 1.5s";
  auto [value, unit] = split(text, help);
  if (value == 0 && unit.empty()) return duration::zero();
  for (auto [name, nanoseconds] : units) {
    if (unit != name) continue;
    if (value * nanoseconds >= 9e18) fail(text, "is more than 290 years; take less");
    return duration{std::llround(value * nanoseconds)};
  }
  fail(text, unit.empty() ? "has no unit; write " + std::string{text} + "ms or " + std::string{text}
                              + "us, for example"
                          : help);
}

double parse_number(std::string_view text) {
  constexpr auto help = "is no number; write one from 0 up, such as 250, 0.5, 20k or 1.5M";
  auto [value, suffix] = split(text, help);
  if (suffix == "k") return value * 1e3;
  if (suffix == "M") return value * 1e6;
  if (!suffix.empty()) fail(text, help);
  return value;
}

std::size_t parse_count(std::string_view text) { return count_of(parse_number(text), text); }

std::size_t count_of(double value, std::string_view text) {
  if (value != std::floor(value)) fail(text, "is not whole; write a whole number");
  if (value > 1e15) fail(text, "is too large; write 1e15 at most");
  return static_cast<std::size_t>(value);
}

std::vector<double> parse_list(std::string_view text) {
  std::vector<double> result;
  auto rest = text;
  do {
    auto part = next_part(rest, ',');
    if (part.find(':') == std::string_view::npos)
      result.push_back(parse_number(part));
    else
      append_range(result, part);
  } while (!rest.empty());
  if (result.size() > most_values) fail(text, "is more than 1,000 values; take fewer");
  return result;
}

jump parse_jump(std::string_view text) {
  auto rest = text;
  auto at = next_part(rest, ':');
  if (rest.empty()) fail(text, "is no change; write AT:FACTOR, such as 10s:2");
  return {parse_duration(at), parse_number(rest)};
}

std::string text_of(duration d) {
  if (d == duration::zero()) return "0";
  auto unit = units.begin();
  while (d.count() % static_cast<duration::rep>(unit->second) != 0) ++unit;
  return std::to_string(d.count() / static_cast<duration::rep>(unit->second))
         + std::string{unit->first};
}

std::string grouped(double number, int decimals) {
  std::array<char, 400> digits; // the largest double has 309
  std::snprintf(digits.data(), digits.size(), "%.*f", decimals, number);
  std::string text = digits.data();
  auto first = number < 0 ? std::size_t{1} : 0;
  auto end = decimals > 0 ? text.size() - static_cast<std::size_t>(decimals) - 1 : text.size();
  while (end > first + 3) text.insert(end -= 3, 1, ',');
  return text;
}

} // namespace command_line
