// SPDX-License-Identifier: BSD-3-Clause
//
// What came out of a simulation. Latencies and outcomes are those of the measured requests, by when
// they arrived; rates, fill, queue and utilisation are what happened in the *window*, from the
// first measured arrival to the last.

#pragma once

#include "batcher_sim/histogram.hpp"
#include "batcher_sim/timeline.hpp"

#include <batcher/errc.hpp>
#include <batcher/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sim {

/// A batch whose worker came back in time.
struct batch_record {
  batcher::duration dispatched = batcher::duration::zero(); ///< Since the start.
  batcher::duration finished = batcher::duration::zero();   ///< Since the start.
  std::size_t items = 0;
  /// Mean of its items that got a result; zero if it failed.
  batcher::duration mean_latency = batcher::duration::zero();
};

struct result {
  // -- latency, from arrival to result, of those that got one -------------------------------------

  batcher::duration mean = batcher::duration::zero();
  /// Half of the 95 % confidence interval of the mean, by the means of 20 batches of requests
  /// (Student's t). Means nothing where the queue grows for ever.
  batcher::duration mean_error = batcher::duration::zero();
  batcher::duration p50 = batcher::duration::zero();
  batcher::duration p95 = batcher::duration::zero();
  batcher::duration p99 = batcher::duration::zero();
  batcher::duration max = batcher::duration::zero();
  latency_histogram latencies;

  // -- requests -----------------------------------------------------------------------------------

  /// Measured requests.
  std::uint64_t requests = 0;
  /// Them by what they were answered with, in the order of `batcher::all_errcs`; `none` is a
  /// result.
  std::array<std::uint64_t, batcher::all_errcs.size()> outcomes = {};

  [[nodiscard]] std::uint64_t answered_with(batcher::errc code) const noexcept {
    return outcomes[static_cast<std::size_t>(code)];
  }
  /// Returns how many got no result.
  [[nodiscard]] std::uint64_t refused_or_failed() const noexcept {
    return requests - answered_with(batcher::errc::none);
  }

  // -- the window ---------------------------------------------------------------------------------

  /// Its length.
  batcher::duration window = batcher::duration::zero();
  double offered = 0; ///< Requests per second.
  double served = 0;  ///< Results per second.
  double goodput = 0; ///< Results in time per second.
  /// Share of the workers' time that they ran batches, stalls included.
  double utilisation = 0;
  /// Batches dispatched.
  std::uint64_t batches = 0;
  /// How many of them had 0, 1, 2, ... items.
  std::vector<std::uint64_t> batches_by_items;
  /// Mean items of a batch.
  double fill = 0;
  /// Mean items that wait for dispatch, by time.
  double queue_items = 0;

  // -- the whole run ------------------------------------------------------------------------------

  /// Requests, those of the warm-up included.
  std::uint64_t arrived = 0;
  /// Until the last reply.
  batcher::duration length = batcher::duration::zero();
  /// Items that wait for dispatch, in steps of `queue_step`.
  std::vector<timeline::step> queue;
  batcher::duration queue_step = batcher::duration::zero();
  std::vector<batch_record> batches_in_order; ///< By when they finished. See `keeps_batches`.
};

} // namespace sim
