// SPDX-License-Identifier: BSD-3-Clause
//
// How long a partial batch waits under `when_idle::adaptive`: pure functions of what is known of
// the workers and the arrivals. What it costs to learn that is in lane_forecast.hpp and
// worker_outlook.hpp; that nothing waits beyond `max_delay` is the flush policy's care.
//
// The rule. m batches could be dispatched now (free credit), and those in flight are expected back
// at R1 <= R2 <= ... Until Rj there are m + j - 1 opportunities to dispatch. Spread evenly they lie
//
//     gap(t) = max over j of (Rj - t) / (m + j - 1)
//
// apart: dispatching faster than that means that between two returns all workers are busy, and
// whoever comes then waits for the next return. So the batch leaves as soon as
//
//     n >= lambda * gap(t)        it holds what arrives in a gap, or
//     t - oldest >= gap(t)        its oldest item has waited for one.
//
// Derivation. To wait dt longer costs each of the n items that are here dt. It spares the
// lambda * dt that arrive meanwhile the wait for the opportunity after this one, a gap. The two
// balance at n = lambda * gap. The second condition is the same with lambda taken from this very
// batch, n / (t - oldest): it ends the wait when arrivals cease. The gap shrinks while time goes
// by, so for given R it can be solved for the instant:
//
//     until = oldest + max over j of (Rj - oldest) / (m + j)
//
// Where waiting does not pay at all. While a worker waits, its time is lost. Of the time of K workers
// that are all busy lambda * b / K goes into items, whatever the batches; only the rest, the a of
// every batch, can be saved by larger ones, so that lost time makes batches longer by 1 / rest. And
// the more batch times deviate from what is predicted, the less the returns stay in step. The
// window is therefore open only while
//
//     slack = 1 - lambda * b / K - (mean deviation / S) / 4   is at least a quarter.
//
// Both fractions were found by simulation (2 to 8 workers, caps 64 and 256, deterministic and
// log-normal times): below, `immediate` is the better rule nearly everywhere, above, this one.
//
// What follows from all this:
//   - One worker with a credit of one never waits: nothing is in flight while it is free. That is
//     right: for a single batch server greedy is optimal or nearly so (Inoue, arXiv 1912.06322,
//     analyses that policy; the control limit of Deb and Serfozo, 1973, lies so close to it that
//     the best of 60 fixed settings wins less than 1 %).
//   - With many workers and few items (lambda * gap <= 1) nobody waits: a lone item leaves at once.
//   - With many items the workers come to run in turn, S / K apart for K workers that take S: half
//     the wait of workers that return together, as those of `immediate` do. Symphony (arXiv
//     2308.07470) defers batches for the same end; it needs deadlines for that, this does not.
//   - Nothing needs to be set. SMDP solutions (Xu et al., arXiv 2301.12865) are control limits, too; they
//     need the distribution of arrivals and a solver, and this limit moves with the returns.
//
// Each lane reckons as if it were alone. Where many compete the workers are busy, and what is left to
// decide is little: simulated with 4 and 16 lanes it is then about as good as `immediate`. (To give
// each lane its part of the opportunities only, lanes times the gap, made it far worse.)
//
// An item with a deadline shortens the wait so that a batch that leaves then is back in time
// (`in_time`): until <= deadline - service.
//
// Trace, two workers that take 10 ms, 1 item per ms: at 0 ms a batch leaves, back at 10. At 1 ms an
// item comes: m = 1, gap = 9 ms, enough are 9 items, until = 1 + 9 / 2 = 5.5 ms. By then five have
// come, they leave, and are back at 15.5 ms, between two returns of the other worker.
//
// Cost: O(returns), at most 64 of them looked at.

#pragma once

#include "batcher/time.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace batcher {

/// What the rule looks at.
struct timing_facts {
  /// When the batches in flight are expected back, ascending.
  std::span<const time_point> returns = {};
  /// How many batches could be dispatched at once. At least 1.
  std::size_t free_credit = 1;
  /// Of this lane.
  double arrivals_per_second = 0;
  /// Since when the oldest item waits.
  time_point oldest;
  /// The share of the workers' time that larger batches could save, what is uncertain left aside.
  double slack = 1;
};

/// When a partial batch is to leave: whatever comes first.
struct adaptive_window {
  /// As soon as there are that many items.
  std::size_t enough_items = 0;
  /// When that instant has come.
  time_point until = time_point::min();
};

/// Returns the window of a lane that a worker is free for.
[[nodiscard]] adaptive_window window_of(const timing_facts& facts, time_point now) noexcept;

/// Returns that window, cut short so that a batch that takes `service` is back by `deadline`.
[[nodiscard]] adaptive_window in_time(adaptive_window window, time_point deadline,
                                      duration service) noexcept;

} // namespace batcher
