// SPDX-License-Identifier: BSD-3-Clause
//
// What `when_idle::adaptive` keeps for each lane: what it has learned, and the window that it has
// set. Plain data; batch_queue decides with it.

#pragma once

#include "batcher/adaptive_window.hpp"
#include "batcher/arrival_rate.hpp"
#include "batcher/service_model.hpp"
#include "batcher/time.hpp"

#include <cstddef>
#include <cstdint>

namespace batcher {

struct lane_forecast {
  service_model service;
  arrival_rate arrivals;

  /// The earliest deadline of a queued item; never later than that, and earlier only while stale.
  time_point deadline = time_point::max();
  bool is_deadline_stale = false;

  /// While the lane waits: how many items end that.
  std::size_t enough_items = 0;
  /// Whether its batch has waited although a worker was free.
  bool has_waited = false;
  /// What the outlook's version was when that was found.
  std::uint64_t version = 0;

  /// Rates are forgotten over that many batches' times: few enough to follow a jump within a dozen
  /// batches, enough to count more than the batch at hand.
  static constexpr int memory_batches = 8;

  /// An item with that deadline has left the queue.
  void note_gone(time_point item_deadline) noexcept {
    if (item_deadline == deadline && deadline != time_point::max()) is_deadline_stale = true;
  }

  /// A batch of `items` has left or come back.
  void settle(time_point now, std::size_t items) noexcept {
    arrivals.settle(now, memory_batches * service.predict(items));
  }
};

} // namespace batcher
