// SPDX-License-Identifier: BSD-3-Clause
//
// A batcher for tests of what is exported: counters and batches that only the test makes.

#pragma once

#include "batcher/live_counters.hpp"
#include "batcher/monitoring/metric_names.hpp"
#include "batcher/monitoring/metrics.hpp"
#include "batcher/observer.hpp"
#include "collected.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace batcher::monitoring {

/// Counters that only a test writes, as a batcher would.
struct fake_batcher {
  std::shared_ptr<live_counters> counters = std::make_shared<live_counters>();
  std::shared_ptr<observer> watcher;

  fake_batcher(metrics& to, const std::string& name, std::size_t max_batch_items = 64)
    : watcher{to.new_observer()} {
    watcher->on_start(name, max_batch_items, counters);
  }

  void queue(std::size_t items) {
    for (std::size_t i = 0; i < items; ++i) {
      counters->on_request();
      counters->on_admitted();
    }
  }

  void dispatch(std::size_t items) { counters->on_dispatched(close_reason::deadline, items, 0); }

  void answer(std::size_t items) {
    counters->on_returned(items);
    counters->on_replied(outcome::ok, items);
  }

  void observe_batch(std::size_t items) {
    std::vector<time_point> arrivals(items);
    watcher->on_batch(unexecuted(arrivals, time_point{std::chrono::seconds{1}}));
  }
};

/// Counts everything that has no label but the batcher's and is there once: the first of the list
/// `base + 1` times, the next once more, and so on.
inline void count_each(live_counters& to, std::size_t base) {
  auto times = [&](std::size_t place, auto count) {
    for (std::size_t n = 0; n < base + place; ++n) count();
  };
  times(1, [&] { to.on_coalesced(); });
  times(2, [&] { to.on_bisection(); });
  times(3, [&] { to.on_retry_denied(); });
  times(4, [&] { to.on_restart(); });
  to.on_wasted(base + 5);
  to.on_dispatched(close_reason::size, 0, base + 6);
  times(7, [&] { to.on_late_answer(); });
}

inline constexpr std::array counted_by_count_each{
  coalesced_requests_total, bisections_total,    retries_denied_total, worker_restarts_total,
  wasted_items_total,       padding_items_total, late_answers_total,
};

} // namespace batcher::monitoring
