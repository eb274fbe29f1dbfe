// SPDX-License-Identifier: BSD-3-Clause
//
// Reads recorded arrivals, see trace_file.hpp.

#include "batcher_sim/trace_file.hpp"

#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace sim {

namespace {

[[noreturn]] void fail(std::size_t line, const std::string& what) {
  throw std::invalid_argument{"line " + std::to_string(line) + " of the trace " + what};
}

std::string_view trimmed(std::string_view text) {
  auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

} // namespace

std::vector<batcher::duration> read_trace(std::istream& from) {
  std::vector<batcher::duration> result;
  std::optional<double> first;
  std::string line;
  for (std::size_t number = 1; std::getline(from, line); ++number) {
    auto text = trimmed(line);
    if (text.empty() || text.front() == '#') continue;
    double seconds = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(seconds))
      fail(number, "is '" + std::string{text} + "'; write one number of seconds a line");
    if (!first) first = seconds;
    auto since = (seconds - *first) * 1e9;
    if (since >= 9e18) fail(number, "comes more than 290 years after the first");
    batcher::duration at{std::llround(since)};
    if (at < (result.empty() ? batcher::duration::zero() : result.back()))
      fail(number, "comes before the line above; sort the file (sort -g)");
    result.push_back(at);
  }
  if (result.empty()) throw std::invalid_argument{"the trace has no line with an instant"};
  return result;
}

std::vector<batcher::duration> read_trace_file(const std::string& file) {
  std::ifstream in{file};
  if (!in) throw std::invalid_argument{"cannot read " + file};
  auto result = read_trace(in);
  if (in.bad()) throw std::invalid_argument{"cannot read all of " + file};
  return result;
}

} // namespace sim
