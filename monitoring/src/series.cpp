// SPDX-License-Identifier: BSD-3-Clause
//
// Sums over batchers, and a batch's times taken apart by the formulas of `observer.hpp`.

#include "series.hpp"

#include "batcher/monitoring/metric_names.hpp"
#include "last_holder.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace batcher::monitoring {

namespace {

constexpr double nanoseconds_per_second = 1e9;

histogram time_histogram() {
  return {{time_edges.begin(), time_edges.end()}, nanoseconds_per_second};
}

// The table's edges and the two that tell a full batch from all others.
std::vector<double> item_edges_up_to(std::size_t max_batch_items) {
  std::vector<double> edges{item_edges.begin(), item_edges.end()};
  if (max_batch_items > 1) edges.push_back(static_cast<double>(max_batch_items - 1));
  edges.push_back(static_cast<double>(max_batch_items));
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

} // namespace

series::series(std::size_t max_batch_items)
  : batch_items_{item_edges_up_to(max_batch_items), 1}, fill_wait_{time_histogram()},
    capacity_wait_{time_histogram()}, execute_{time_histogram()}, request_{time_histogram()} {}

void series::adopt(std::shared_ptr<const live_counters> counters) {
  std::lock_guard guard{mutex_};
  fold_ended(); // here too, or batchers that nobody scrapes would pile up
  running_.push_back(std::move(counters));
}

void series::observe(const batch_record& record) noexcept {
  std::lock_guard guard{mutex_};
  batch_items_.observe(static_cast<std::int64_t>(record.items), 1);
  fill_wait_.observe_each(record.arrivals, [&](time_point arrival) {
    return std::max(record.ready_at - arrival, duration::zero());
  });
  capacity_wait_.observe_each(record.arrivals, [&](time_point arrival) {
    return std::max(record.dispatched_at - std::max(arrival, record.ready_at), duration::zero());
  });
  // Zero means that no worker said how long it took, not that it took no time.
  if (record.executed != duration::zero())
    execute_.observe(record.executed.count(), record.arrivals.size());
  request_.observe_each(record.arrivals,
                        [&](time_point arrival) { return record.finished_at - arrival; });
}

series_reading series::read() {
  std::lock_guard guard{mutex_};
  fold_ended();
  series_reading out{ended_,          batch_items_.read(), fill_wait_.read(), capacity_wait_.read(),
                     execute_.read(), request_.read()};
  for (auto& counters : running_) {
    auto values = counters->read();
    out.counters.add_totals(values);
    out.counters.add_gauges(values);
  }
  return out;
}

void series::fold_ended() {
  std::erase_if(running_, [&](const auto& counters) {
    if (!is_last_holder(counters)) return false;
    ended_.add_totals(counters->read());
    return true;
  });
}

} // namespace batcher::monitoring
