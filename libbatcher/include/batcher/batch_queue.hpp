// SPDX-License-Identifier: BSD-3-Clause
//
// The items that wait for dispatch: bounded, first in, first out, each with its arrival. Decides
// nothing about batches.

#pragma once

#include "batcher/time.hpp"

#include <cassert>
#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

namespace batcher {

/// A bounded FIFO of movable items.
template <class Item>
class batch_queue {
public:
  /// Creates a queue that holds at most `max_items`.
  explicit batch_queue(std::size_t max_items) : max_items_{max_items} {}

  /// Moves from `item` and returns true, or leaves it untouched and returns false if the queue is
  /// full.
  [[nodiscard]] bool push(time_point arrival, Item&& item) {
    if (is_full()) return false;
    entries_.push_back({arrival, std::move(item)});
    return true;
  }

  /// Appends the oldest `n` items and their arrivals to the two vectors and removes them.
  /// Precondition: `n <= items()`.
  void pop(std::size_t n, std::vector<Item>& items, std::vector<time_point>& arrivals) {
    assert(n <= entries_.size());
    items.reserve(items.size() + n);
    arrivals.reserve(arrivals.size() + n);
    for (std::size_t i = 0; i < n; ++i) {
      items.push_back(std::move(entries_.front().item));
      arrivals.push_back(entries_.front().arrival);
      entries_.pop_front();
    }
  }

  /// Returns when item `position` arrived, 0 being the oldest. Precondition: `position < items()`.
  [[nodiscard]] time_point arrival(std::size_t position) const {
    assert(position < entries_.size());
    return entries_[position].arrival;
  }

  [[nodiscard]] std::size_t items() const noexcept { return entries_.size(); }
  [[nodiscard]] bool is_empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] bool is_full() const noexcept { return entries_.size() >= max_items_; }

private:
  struct entry {
    time_point arrival;
    Item item;
  };

  std::size_t max_items_;
  std::deque<entry> entries_;
};

} // namespace batcher
