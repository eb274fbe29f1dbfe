// SPDX-License-Identifier: BSD-3-Clause
//
// How many items arrive per second of late. Counting an arrival is one increment; the arithmetic is
// done once per batch.

#pragma once

#include "batcher/time.hpp"

#include <cmath>
#include <cstddef>

namespace batcher {

/// Arrivals and time, both forgotten exponentially, and the ratio of the two: a mean over about the
/// last `memory`, or over what there is while it is young. A burst much shorter than that moves it
/// by what it brings, no more.
class arrival_rate {
public:
  void count(std::size_t arrivals = 1) noexcept { uncounted_ += arrivals; }

  /// Takes in what has arrived since the last call; the first only begins to count. `memory`: how
  /// long until an arrival counts e times less; may change from call to call. Zero: does nothing.
  void settle(time_point now, duration memory) noexcept {
    if (memory <= duration::zero()) return;
    *this = settled(now, to_seconds(memory));
  }

  /// Returns the rate, what has arrived until `now` included; 0 while there is no time to go by.
  [[nodiscard]] double per_second(time_point now) const noexcept {
    if (memory_ == 0) return 0;
    auto later = settled(now, memory_);
    return later.time_ > 0 ? later.arrivals_ / later.time_ : 0;
  }

private:
  [[nodiscard]] arrival_rate settled(time_point now, double memory) const noexcept {
    arrival_rate later;
    if (memory_ > 0) {
      auto passed = to_seconds(now - settled_at_);
      auto left = std::exp(-passed / memory);
      auto counts = memory * (1 - left); // of the time that has passed
      later.time_ = time_ * left + counts;
      // As if they had come evenly.
      auto share = passed > 0 ? counts / passed : 1;
      later.arrivals_ = arrivals_ * left + static_cast<double>(uncounted_) * share;
    }
    later.settled_at_ = now;
    later.memory_ = memory;
    return later;
  }

  double arrivals_ = 0;
  double time_ = 0;   // seconds
  double memory_ = 0; // seconds
  time_point settled_at_;
  std::size_t uncounted_ = 0;
};

} // namespace batcher
