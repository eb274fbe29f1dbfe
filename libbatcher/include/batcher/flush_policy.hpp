// SPDX-License-Identifier: BSD-3-Clause
//
// When a batch closes and how many items it takes: pure functions of what is queued in a lane, the
// options and the time. They neither know workers nor keep state; the core asks only when a worker
// has credit (late binding). What `adaptive` waits for comes as a value, from adaptive_window.hpp.
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

#include "batcher/adaptive_window.hpp"
#include "batcher/live_counters.hpp"
#include "batcher/options.hpp"
#include "batcher/time.hpp"

#include <cstddef>
#include <optional>

namespace batcher {

/// What the policy sees of a lane.
struct lane_view {
  /// What is queued.
  std::size_t items = 0;
  std::size_t cost = 0;
  /// Since when the oldest item waits. Meaningless while there is none.
  time_point oldest;
  /// Since when the batch has been full. Meaningless unless `is_full`.
  time_point filled;
  /// When waiting stops paying. Matters for `when_idle::adaptive` only; as it is here: at once.
  adaptive_window window = {};
};

/// What the policy says.
struct flush_decision {
  /// Whether the batch leaves now.
  bool close = false;
  /// Why it leaves: `size` and `cost` before `drain` before the other two. Meaningless unless
  /// `close`.
  close_reason reason = close_reason::size;
  /// Since when it could have left, at most `now`. Meaningless unless `close`.
  time_point ready_at;
  /// When to ask again if nothing arrives. Empty: nothing to wait for.
  std::optional<time_point> next;
};

/// Returns how many items close a batch: `preferred_batch_items` or, without, `max_batch_items`.
[[nodiscard]] std::size_t trigger_items(const options& opts) noexcept;

/// Returns what cost closes a batch, the largest number for none.
[[nodiscard]] std::size_t trigger_cost(const options& opts) noexcept;

/// Returns whether there is nothing more to wait for.
[[nodiscard]] inline bool is_full(const lane_view& queued, const options& opts) noexcept {
  return queued.items >= trigger_items(opts) || queued.cost >= trigger_cost(opts);
}

/// Decides about the next batch of a lane at `now`. `draining_since` is set while the batcher
/// drains and waits for no window.
[[nodiscard]] flush_decision decide_flush(const lane_view& queued, const options& opts,
                                          std::optional<time_point> draining_since,
                                          time_point now) noexcept;

/// Returns how many of `queued` items a batch takes, cost left aside: at most `max_batch_items`,
/// rounded as the options say.
[[nodiscard]] std::size_t batch_limit(std::size_t queued, const options& opts) noexcept;

/// Returns how many items a batch of `items` lacks to a size that the backend takes.
[[nodiscard]] std::size_t padding_of(std::size_t items, const options& opts) noexcept;

} // namespace batcher
