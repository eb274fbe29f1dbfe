// SPDX-License-Identifier: BSD-3-Clause
//
// A histogram that takes a whole batch in one pass. prometheus-cpp's own locks once per
// observation, or touches every bucket atomically; this one has no lock, and its owner takes one
// for all five.

#pragma once

#include "batcher/time.hpp"

#include <prometheus/client_metric.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace batcher::monitoring {

/// Returns counts as Prometheus wants them, cumulative. `counts`: one per edge, and one of what is
/// above all edges.
[[nodiscard]] prometheus::ClientMetric::Histogram
cumulative(std::span<const double> edges, std::span<const std::uint64_t> counts, double sum);

/// Counts whole numbers: nanoseconds or items. Thread rule: one caller at a time.
class histogram {
public:
  /// `edges`: upper bounds, inclusive, ascending, in the exported unit, which holds `scale` counted
  /// units.
  histogram(std::vector<double> edges, double scale);

  /// Counts `value` `times` times.
  void observe(std::int64_t value, std::size_t times) noexcept;

  /// Counts `nanoseconds_since(arrival).count()` for every arrival. Neighbours differ little, so
  /// the search for the bucket starts where the last one ended.
  template <class Duration>
  void observe_each(std::span<const time_point> arrivals, Duration nanoseconds_since) noexcept {
    std::int64_t sum = 0;
    std::size_t bucket = 0;
    for (auto arrival : arrivals) {
      std::int64_t value = nanoseconds_since(arrival).count();
      bucket = bucket_of(value, bucket);
      ++counts_[bucket];
      sum += value;
    }
    sum_ += static_cast<double>(sum);
  }

  /// Returns the cumulative counts as Prometheus wants them, the bucket +Inf included.
  [[nodiscard]] prometheus::ClientMetric::Histogram read() const;

private:
  [[nodiscard]] std::size_t bucket_of(std::int64_t value, std::size_t start) const noexcept {
    while (value > limits_[start]) ++start;
    while (start > 0 && value <= limits_[start - 1]) --start;
    return start;
  }

  std::vector<double> edges_;
  std::vector<std::int64_t> limits_;  // edges_ in counted units, then the greatest number there is
  std::vector<std::uint64_t> counts_; // one per limit, not cumulative
  double scale_;
  double sum_ = 0; // counted units; whole, hence exact up to 2^53
};

} // namespace batcher::monitoring
