// SPDX-License-Identifier: BSD-3-Clause
//
// All that is known of the batchers of one name: the counters of those that run, the sums of those
// that have ended, and the distributions of all. It knows no metric names.

#pragma once

#include "batcher/live_counters.hpp"
#include "batcher/observer.hpp"
#include "histogram.hpp"

#include <prometheus/client_metric.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace batcher::monitoring {

/// One reading of a series.
struct series_reading {
  counter_values counters;
  prometheus::ClientMetric::Histogram batch_items;
  prometheus::ClientMetric::Histogram fill_wait;
  prometheus::ClientMetric::Histogram capacity_wait;
  prometheus::ClientMetric::Histogram execute;
  prometheus::ClientMetric::Histogram request;
};

/// Thread rule: every function may be called from any thread. The lock is held for less than a few
/// microseconds, and nobody waits for it but another batcher of the same name and the scrape.
class series {
public:
  explicit series(std::size_t max_batch_items);

  /// Adds a batcher's counters.
  void adopt(std::shared_ptr<const live_counters> counters);

  /// Counts a batch in the distributions. Never allocates.
  void observe(const batch_record& record) noexcept;

  /// Reads the counters of the moment, and everything that has been observed.
  [[nodiscard]] series_reading read();

private:
  void fold_ended();

  std::mutex mutex_;
  std::vector<std::shared_ptr<const live_counters>> running_;
  counter_values ended_; // its gauges stay 0
  histogram batch_items_;
  histogram fill_wait_;
  histogram capacity_wait_;
  histogram execute_;
  histogram request_;
};

} // namespace batcher::monitoring
