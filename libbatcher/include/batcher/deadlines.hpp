// SPDX-License-Identifier: BSD-3-Clause
//
// Which of many things has the earliest deadline, when most of them end before it. Nothing is taken
// out when a thing ends; the owner says what is still current, and what is not goes when it comes
// up, or when there is more of it than of the rest.

#pragma once

#include "batcher/time.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace batcher {

/// A heap of (deadline, name). Amortized O(log n) per deadline; at most twice as many entries as
/// there are current ones, and 64.
class deadlines {
public:
  /// Adds a deadline. `is_current(deadline, name)` says of any entry whether it still counts;
  /// `current` is how many do at most.
  template <class IsCurrent>
  void add(time_point deadline, std::uint64_t name, std::size_t current, IsCurrent is_current) {
    if (heap_.size() >= 2 * current + 64) {
      std::erase_if(heap_, [&](const entry& e) { return !is_current(e.first, e.second); });
      std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
    }
    heap_.emplace_back(deadline, name);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
  }

  /// Returns the earliest deadline that counts.
  template <class IsCurrent>
  [[nodiscard]] std::optional<time_point> earliest(IsCurrent is_current) {
    while (!heap_.empty() && !is_current(heap_.front().first, heap_.front().second)) pop();
    if (heap_.empty()) return std::nullopt;
    return heap_.front().first;
  }

  /// Removes an entry that counts and whose deadline is not after `now`, and returns its name.
  template <class IsCurrent>
  [[nodiscard]] std::optional<std::uint64_t> take_due(time_point now, IsCurrent is_current) {
    auto at = earliest(is_current);
    if (!at || *at > now) return std::nullopt;
    auto name = heap_.front().second;
    pop();
    return name;
  }

private:
  using entry = std::pair<time_point, std::uint64_t>;

  void pop() {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
    heap_.pop_back();
  }

  std::vector<entry> heap_;
};

} // namespace batcher
