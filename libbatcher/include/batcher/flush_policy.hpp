// SPDX-License-Identifier: BSD-3-Clause
//
// When a batch closes: a pure function of what is queued, the options and the time. It neither
// knows workers nor keeps state; the core asks it only when a worker has credit (late binding).
//
// Latency bound, with credit free:   dispatch <= arrival of the oldest item + max_delay
//
// Worked trace, fill, max_batch_items 3, max_delay 10 ms:
//     t=0   a arrives               no, ask again at 10
//     t=4   b arrives               no, ask again at 10
//     t=6   c arrives               close, size, ready at 6
//     t=7   d arrives               no, ask again at 17
//     t=17  nothing arrives         close, deadline, ready at 17

#pragma once

#include "batcher/live_counters.hpp"
#include "batcher/options.hpp"
#include "batcher/time.hpp"

#include <cstddef>
#include <optional>

namespace batcher {

/// What the policy sees of a queue.
struct queue_view {
  /// Number of queued items.
  std::size_t items = 0;
  /// Arrival of the oldest item. Meaningless while there is none.
  time_point oldest;
  /// Arrival of item number `max_batch_items`. Meaningless while there are fewer.
  time_point filled;
};

/// What the policy says.
struct flush_decision {
  /// Whether the batch leaves now.
  bool close = false;
  /// Why it leaves: `size` before `drain` before the other two. Meaningless unless `close`.
  close_reason reason = close_reason::size;
  /// Since when it could have left, at most `now`. Meaningless unless `close`.
  time_point ready_at;
  /// When to ask again if nothing arrives. Empty: nothing to wait for.
  std::optional<time_point> next;
};

/// Decides about the oldest items of a queue at `now`. `draining_since` is set while the batcher
/// drains and waits for no window.
[[nodiscard]] flush_decision decide_flush(const queue_view& queue, const options& opts,
                                          std::optional<time_point> draining_since,
                                          time_point now) noexcept;

} // namespace batcher
