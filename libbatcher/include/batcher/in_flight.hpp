// SPDX-License-Identifier: BSD-3-Clause
//
// The batches that workers hold: what is in them, who has them, since when. Decides nothing.

#pragma once

#include "batcher/batch.hpp"
#include "batcher/live_counters.hpp"
#include "batcher/time.hpp"
#include "batcher/worker_table.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace batcher {

/// A batch on its way. `items` and `arrivals` have one entry per item, oldest first.
template <class Item>
struct flight {
  worker_id worker = 0;
  close_reason reason = close_reason::size;
  time_point ready_at;
  time_point dispatched_at;
  std::vector<Item> items;
  std::vector<time_point> arrivals;
};

/// The flights of one batcher. All operations but `of_worker` cost O(log flights) or less.
template <class Item>
class in_flight {
public:
  /// Adds a flight and returns its name. Its items do not move until it is taken.
  batch_id add(flight<Item> f) {
    items_ += f.items.size();
    flights_.emplace(++last_id_, std::move(f));
    return last_id_;
  }

  /// Removes a flight and returns it; nothing if there is none of that name.
  [[nodiscard]] std::optional<flight<Item>> take(batch_id id) {
    auto node = flights_.extract(id);
    if (node.empty()) return std::nullopt;
    items_ -= node.mapped().items.size();
    return std::move(node.mapped());
  }

  /// Returns a flight. Precondition: it is there.
  [[nodiscard]] flight<Item>& at(batch_id id) { return flights_.at(id); }

  /// Returns the flight that was dispatched first. Precondition: not empty.
  [[nodiscard]] batch_id oldest() const { return flights_.begin()->first; }

  /// Returns the flights that a worker has, in the order of dispatch. O(flights).
  [[nodiscard]] std::vector<batch_id> of_worker(worker_id worker) const {
    std::vector<batch_id> out;
    for (auto& [id, f] : flights_)
      if (f.worker == worker) out.push_back(id);
    return out;
  }

  [[nodiscard]] bool is_empty() const noexcept { return flights_.empty(); }
  [[nodiscard]] std::size_t items() const noexcept { return items_; }

private:
  std::map<batch_id, flight<Item>> flights_; // in the order of dispatch
  std::size_t items_ = 0;
  batch_id last_id_ = 0;
};

} // namespace batcher
