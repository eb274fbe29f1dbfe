// SPDX-License-Identifier: BSD-3-Clause
//
// What a batcher tells the outside world. Counters are pulled (`live_counters.hpp`, and for each
// node `node_counters.hpp`); what needs single values, the distributions, is pushed once per batch
// with arrays, never once per item.

#pragma once

#include "batcher/errc.hpp"
#include "batcher/live_counters.hpp"
#include "batcher/node_counters.hpp"
#include "batcher/time.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace batcher {

/// One run of a batch, told when it ends. The parts of an item's latency are
///
///     fill wait     = max(ready_at - arrival, 0)                      for the batch to close
///     capacity wait = max(dispatched_at - max(arrival, ready_at), 0)  for a free worker
///     execute       = executed                                        inside the batch function
///     request       = finished_at - arrival
///
/// and what `request` has left over is the way to the worker and back, and for items that ran more
/// than once the runs before. An item that shares the place of an identical one may have come while
/// that one was executed already: it waited for neither.
struct batch_record {
  /// Why the batch was closed.
  close_reason reason = close_reason::size;
  /// `none` if the worker returned one result per item, else how the batch failed.
  errc outcome = errc::none;
  /// Which run of its items it was: 1, 2, ...
  std::size_t attempt = 1;
  /// What was dispatched. Unit: items.
  std::size_t items = 0;
  /// Items that the batch function gave an error of their own. Unit: items.
  std::size_t item_errors = 0;
  /// When each of those that leave with this run reached the batcher; those that leave earlier, or
  /// run again, are not among them. Valid during the call only.
  std::span<const time_point> arrivals;
  /// Since when the batch could have left, had a worker been free.
  time_point ready_at;
  /// When it was handed to a worker.
  time_point dispatched_at;
  /// When its results came back, or when it was given up.
  time_point finished_at;
  /// Time inside the batch function as the worker measured it; zero where no worker reported.
  duration executed = duration::zero();
};

/// Receives the events of the batchers that it is given to. `on_start` comes from the thread that
/// makes the batcher, everything else from whichever thread runs it, and with several batchers from
/// several threads at once: implementations synchronize. Calls must be short, since the batcher
/// waits for them, and must not throw.
class observer {
public:
  observer() = default;
  observer(const observer&) = delete;
  observer& operator=(const observer&) = delete;
  virtual ~observer() = default;

  /// Called once per batcher, before anything else. The counters live as long as anybody holds them
  /// and may be read from any thread, also after the batcher's end.
  virtual void on_start(std::string_view /*batcher_name*/, std::size_t /*max_batch_items*/,
                        // NOLINTNEXTLINE(performance-unnecessary-value-param): overriders keep it
                        std::shared_ptr<const live_counters> /*counters*/) noexcept {}

  /// Called once per dispatched batch, when it ends.
  virtual void on_batch(const batch_record& /*record*/) noexcept {}

  /// Called each time that a node is let in at a batcher that is published with this observer.
  /// `name` is what the node calls itself: any bytes at all, of any length, and others may call
  /// themselves the same. The counters are those of this connection; as above, they live as long as
  /// anybody holds them.
  virtual void on_node(std::string_view /*name*/,
                       // NOLINTNEXTLINE(performance-unnecessary-value-param): overriders keep it
                       std::shared_ptr<const node_counters> /*counters*/) noexcept {}

  /// Called each time that somebody is refused there: other version, other types, or one too many.
  virtual void on_node_refused() noexcept {}
};

} // namespace batcher
