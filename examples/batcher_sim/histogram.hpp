// SPDX-License-Identifier: BSD-3-Clause
//
// A distribution of latencies in little room, however many there are.

#pragma once

#include <batcher/time.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sim {

/// Counts by buckets that are one nanosecond wide at first and whose width doubles with the
/// latency, 2,048 for each doubling: a quantile is off by 1 part in 4,096 at most. Sum and largest
/// are exact.
class latency_histogram {
public:
  /// Precondition: `latency` is not negative.
  void add(batcher::duration latency);

  [[nodiscard]] std::uint64_t values() const noexcept { return values_; }
  [[nodiscard]] batcher::duration mean() const noexcept;
  [[nodiscard]] batcher::duration largest() const noexcept { return largest_; }

  /// Returns the least latency that a share `q` of them does not exceed; zero if there are none.
  /// Range of `q`: 0 to 1.
  [[nodiscard]] batcher::duration quantile(double q) const;

  struct bucket {
    batcher::duration middle = batcher::duration::zero();
    std::uint64_t values = 0;
  };

  /// Returns the buckets that are not empty, in ascending order.
  [[nodiscard]] std::vector<bucket> buckets() const;

private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t values_ = 0;
  double sum_ = 0; // ns
  batcher::duration largest_ = batcher::duration::zero();
};

} // namespace sim
