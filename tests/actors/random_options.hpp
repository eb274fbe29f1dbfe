// SPDX-License-Identifier: BSD-3-Clause
//
// What the random runs of the actors draw from: numbers out of a few random bits, and valid options
// out of those. Small ranges throughout, so that limits are met often.

#pragma once

#include "batcher/options.hpp"

#include <chrono>
#include <cstdint>
#include <random>

namespace batcher::tests {

/// Numbers drawn from the bits that RapidCheck gives.
class dice {
public:
  explicit dice(std::uint32_t bits) : random_{bits} { random_.discard(2); }
  /// Returns a number from 0 to n - 1.
  std::uint32_t operator()(std::uint32_t n) {
    return static_cast<std::uint32_t>((random_() >> 8) % n);
  }
  bool one_in(std::uint32_t n) { return (*this)(n) == 0; }

private:
  std::minstd_rand random_;
};

inline options random_options(dice& roll) {
  using namespace std::chrono_literals;
  options opts;
  opts.max_batch_items = 1 + roll(5);
  if (roll.one_in(4)) {
    opts.allowed_batch_items = {opts.max_batch_items};
    opts.size_rounding = roll.one_in(2) ? size_rounding::pad : size_rounding::down;
  }
  opts.max_batch_cost = roll.one_in(2) ? 3 + roll(4) : 0;
  opts.max_delay = roll(4) * 1ms;
  opts.when_idle = static_cast<when_idle>(roll(3));
  opts.batch_timeout = roll.one_in(3) ? (1 + roll(8)) * 1ms : 0ms;
  opts.request_timeout = roll.one_in(3) ? (1 + roll(20)) * 1ms : 0ms;
  opts.max_queue_items = 5 + roll(12);
  opts.max_lanes = 1 + roll(3);
  opts.max_lane_batches = roll(3);
  opts.overload = static_cast<overload>(roll(3));
  opts.credit_lease = 5ms;
  if (roll.one_in(2))
    opts.on_failure = retry::idempotent{.max_attempts = 1 + roll(3), .bisect = roll.one_in(2)};
  opts.workers = 1 + roll(3);
  opts.worker_credit = 1 + roll(3);
  opts.worker_execution = worker_execution::cooperative;
  opts.restart_delay = roll.one_in(4) ? 0ms : 2ms;
  opts.max_restart_delay = 8ms;
  opts.max_outage = roll(4) * 1ms;
  opts.breaker_failures = roll(3);
  return opts;
}

} // namespace batcher::tests
