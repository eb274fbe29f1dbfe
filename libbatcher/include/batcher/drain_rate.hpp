// SPDX-License-Identifier: BSD-3-Clause
//
// How fast items leave the queue, and so how long a caller that found it full should wait.

#pragma once

#include "batcher/time.hpp"

#include <cstddef>
#include <optional>

namespace batcher {

/// An exponentially weighted rate over about the last second: each dispatch of n items adds n to a
/// sum that decays by e every second, and the sum over one second is the rate.
class drain_rate {
public:
  /// Counts items that were dispatched at `now`.
  void add(time_point now, std::size_t items) noexcept;

  /// Returns how long `items` take to be dispatched at the rate of late, from 1 ms to 1 minute;
  /// 1 second while nothing has been dispatched for long.
  [[nodiscard]] duration time_for(time_point now, std::size_t items) const noexcept;

private:
  [[nodiscard]] double decayed(time_point now) const noexcept;

  double sum_ = 0;
  time_point updated_;
  std::optional<time_point> since_; // a young sum covers less than a second
};

} // namespace batcher
