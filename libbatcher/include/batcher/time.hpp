// SPDX-License-Identifier: BSD-3-Clause
//
// The time types of the core. Nothing in libbatcher asks what time it is: every call that depends
// on time takes `now`, so that tests and simulations own the clock.

#pragma once

#include <chrono>

namespace batcher {

/// The monotonic clock whose time points the core works with. Its `now()` is never called here.
using clock = std::chrono::steady_clock;

/// An instant on the monotonic clock.
using time_point = clock::time_point;

/// A span of time, in nanoseconds.
using duration = std::chrono::nanoseconds;

/// Returns `now + d`, or the end of time if that lies behind it. Precondition: `d` is not negative.
[[nodiscard]] constexpr time_point saturating_add(time_point now, duration d) noexcept {
  return d < time_point::max() - now ? now + d : time_point::max();
}

/// Returns a duration in seconds, the base unit of every exported metric.
[[nodiscard]] constexpr double to_seconds(duration d) noexcept {
  return std::chrono::duration<double>(d).count();
}

} // namespace batcher
