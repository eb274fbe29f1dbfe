// SPDX-License-Identifier: BSD-3-Clause
//
// Every knob of a batcher, with its unit, default, range and the effect of 0. A plain struct: copy
// it, change it, hand it over. Nothing here is repaired silently; `validate` says what is wrong.

#pragma once

#include "batcher/time.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace batcher {

class observer;

/// What a batcher does with a partial batch while a worker is idle.
enum class when_idle : std::uint8_t {
  /// Keep collecting until the batch is full or its oldest item has waited `max_delay`. Fullest
  /// batches; every lone request pays the whole window.
  fill,
  /// Dispatch at once: an idle worker never waits. Batches form by themselves while workers are
  /// busy and `max_delay` has no effect. Lowest latency at low load.
  immediate,
};

/// How workers run.
enum class worker_execution : std::uint8_t {
  /// Each worker owns a thread; its function may block or compute for long.
  detached,
  /// Workers share the actor system's scheduler; their functions must be short and never block.
  cooperative,
};

/// The knobs of one batcher.
struct options {
  // -- identity -----------------------------------------------------------------------------------

  /// Names the batcher in error texts and in the label `batcher` of its metrics. Not empty.
  std::string name = "batcher";

  // -- what a batch is (affects latency and throughput) -------------------------------------------

  /// Most items in one batch. Unit: items. Range: 1 and up; 1 turns batching off; 0 is refused.
  std::size_t max_batch_items = 64;

  /// Longest time that an item waits for others to join its batch, counted from the oldest item's
  /// arrival. With a worker free no item waits longer; with all workers busy the batch keeps
  /// growing until one is free. Range: 0 to 1 hour. 0: never wait, the same as
  /// `when_idle::immediate`.
  duration max_delay = std::chrono::milliseconds{2};

  /// What happens to a partial batch while a worker is idle.
  batcher::when_idle when_idle = batcher::when_idle::fill;

  // -- how much may wait (affects memory and overload) --------------------------------------------

  /// Most items that wait for dispatch, those being executed not counted; one more is refused with
  /// `errc::queue_full`. Unit: items. Range: `max_batch_items` and up; 0 is refused.
  std::size_t max_queue_items = 65'536;

  // -- workers (affects parallelism) --------------------------------------------------------------

  /// Number of workers that the batcher starts. Range: 1 to 4,096; 0 is refused.
  std::size_t workers = 1;

  /// Batches that one worker may hold at once: the one it runs and those that wait for it to be
  /// free. More than 1 hides the way to the worker but binds items earlier. Range: 1 to 1,024; 0 is
  /// refused.
  std::size_t worker_credit = 1;

  /// Whether workers own a thread each or share the scheduler's.
  batcher::worker_execution worker_execution = batcher::worker_execution::detached;

  // -- who watches --------------------------------------------------------------------------------

  /// Receives the events of this batcher. Empty: nobody watches. See `observer.hpp` for threads.
  std::shared_ptr<batcher::observer> observer = {};
};

/// Returns one sentence for every problem of `opts`, each naming the knob, its value and the range.
/// Empty: the options are good. Never stops at the first problem.
[[nodiscard]] std::vector<std::string> validate(const options& opts);

} // namespace batcher
