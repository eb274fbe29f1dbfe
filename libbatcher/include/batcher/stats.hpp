// SPDX-License-Identifier: BSD-3-Clause
//
// What a batcher says of itself when it is asked.

#pragma once

#include "batcher/live_counters.hpp"
#include "batcher/time.hpp"

#include <algorithm>
#include <cstddef>

namespace batcher {

/// A consistent picture of one moment: nothing happens between two of its numbers. With several
/// shards that holds for each of them.
struct batcher_stats {
  counter_values counters;
  /// How long the oldest queued item has waited; zero while nothing is queued.
  duration oldest_age = duration::zero();
  /// How long what is queued takes to be dispatched at the rate of late: the hint that comes with
  /// `errc::queue_full`.
  duration retry_after = duration::zero();
  /// Items that share the place of an identical one.
  std::size_t following_items = 0;
  /// Batches that workers hold.
  std::size_t in_flight_batches = 0;
  bool is_paused = false;
  bool is_draining = false;
  bool is_closed = false;

  /// Adds another shard's: sums, the longest times, and closed only if both are.
  void add(const batcher_stats& other) noexcept {
    counters.add_totals(other.counters);
    counters.add_gauges(other.counters);
    oldest_age = std::max(oldest_age, other.oldest_age);
    retry_after = std::max(retry_after, other.retry_after);
    following_items += other.following_items;
    in_flight_batches += other.in_flight_batches;
    is_paused = is_paused || other.is_paused;
    is_draining = is_draining || other.is_draining;
    is_closed = is_closed && other.is_closed;
  }
};

} // namespace batcher
