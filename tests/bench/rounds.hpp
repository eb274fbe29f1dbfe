// SPDX-License-Identifier: BSD-3-Clause
//
// Figures over several rounds: what a benchmark prints as a table and writes as JSON. A machine that
// others use, too, is noisy, so every comparison is a ratio taken within one round, and what counts
// is the median of the rounds, with its spread beside it.

#pragma once

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// What several rounds of one figure come to.
struct summary {
  double median = 0;
  double min = 0;
  double max = 0;
  std::size_t rounds = 0;
};

/// Precondition: there is one value at least.
inline summary summarize(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  auto middle = values.size() / 2;
  auto median = values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back(), values.size()};
}

/// Figures by name, a value for each round.
class figures {
public:
  void add(const std::string& name, double value) {
    if (!values_.contains(name)) order_.push_back(name);
    values_[name].push_back(value);
  }

  [[nodiscard]] summary of(const std::string& name) const { return summarize(values_.at(name)); }

  /// Prints those that begin with `prefix`, in the order in which they were added.
  void print(const std::string& prefix = {}) const {
    for (const auto& name : order_) {
      if (!name.starts_with(prefix)) continue;
      auto s = of(name);
      std::printf("  %-36s %10.3f  (%.3f to %.3f, %zu rounds)\n", name.c_str(), s.median, s.min,
                  s.max, s.rounds);
    }
    std::fflush(stdout);
  }

  /// Writes an object, name -> {median, min, max, rounds}. An empty path: nothing. Throws
  /// `std::runtime_error` if the file cannot be written.
  void write_json(const std::string& path) const {
    if (path.empty()) return;
    std::ofstream out{path};
    out.precision(9);
    const char* separator = "{\n";
    for (const auto& name : order_) {
      auto s = of(name);
      out << std::exchange(separator, ",\n") << "  \"" << name << "\": {\"median\": " << s.median
          << ", \"min\": " << s.min << ", \"max\": " << s.max << ", \"rounds\": " << s.rounds
          << "}";
    }
    out << "\n}\n";
    if (!out.flush()) throw std::runtime_error{"cannot write " + path};
  }

private:
  std::vector<std::string> order_;
  std::map<std::string, std::vector<double>> values_;
};

} // namespace bench
