// SPDX-License-Identifier: BSD-3-Clause
//
// Batches that have left their lane: those that workers hold, and those that failed and wait to run
// again. Plain data; the scheduler decides.

#pragma once

#include "batcher/batch.hpp"
#include "batcher/item_table.hpp"
#include "batcher/live_counters.hpp"
#include "batcher/time.hpp"
#include "batcher/worker_table.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace batcher {

/// The items of a batch by their place in it; `no_slot` where one has left before the others.
using batch_slots = std::vector<slot_number>;

[[nodiscard]] inline std::size_t live_items(const batch_slots& slots) noexcept {
  return slots.size() - static_cast<std::size_t>(std::count(slots.begin(), slots.end(), no_slot));
}

/// A batch that a worker holds.
struct flight {
  worker_id worker = 0;
  batcher::lane* lane = nullptr;
  close_reason reason = close_reason::size;
  time_point ready_at = {};
  time_point dispatched_at = {};
  /// When it is expected back; `time_point::max()` where nobody asked or knows.
  time_point expected_at = time_point::max();
  /// How long its worker was at it, once it is back. Only where somebody may ask.
  duration occupied = duration::zero();
  /// When it is given up; `time_point::max()` for never.
  time_point timeout_at = time_point::max();
  /// Which run of these items it is: 1, 2, ...
  std::size_t attempt = 1;
  std::size_t padding_items = 0;
  batch_slots slots;
  /// Its items have left, but its worker has not come back.
  bool is_given_up = false;
};

/// A batch that will run again.
struct retry_batch {
  batcher::lane* lane = nullptr;
  /// When it failed.
  time_point ready_at;
  /// Since when its oldest item waits.
  time_point oldest;
  std::size_t attempt = 2;
  worker_id failed_at = 0;
  batch_slots slots;
};

} // namespace batcher
