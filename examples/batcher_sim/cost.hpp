// SPDX-License-Identifier: BSD-3-Clause
//
// How long a worker takes for a batch, and whether that ends well.

#pragma once

#include "batcher_sim/arrivals.hpp"
#include "batcher_sim/random.hpp"

#include <batcher/time.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sim {

/// A batch of n items, padding included, takes
///
///     (per_batch + n * per_item) * noise   [+ stall]
struct cost_model {
  /// Not both of them 0.
  batcher::duration per_batch = std::chrono::milliseconds{2};
  batcher::duration per_item = std::chrono::microseconds{20};

  /// Standard deviation of the noise, a log-normal factor with mean 1. 0: none. Range: 0 to 10.
  double noise = 0;

  /// Share of the batches that are held up, and for how long (a pause of the machine, a page that
  /// was swapped out). Range: 0 to 1.
  double stall_share = 0;
  batcher::duration stall = batcher::duration::zero();

  /// Share of the batches whose function fails at its end. Range: 0 to 1.
  double failure_share = 0;

  /// Way to the worker, and as long back; meanwhile the worker can run another batch.
  batcher::duration wire = batcher::duration::zero();
};

/// Returns the items per second that `workers` reach with batches of `items` each, changes,
/// stalls, failures and the wire left aside.
[[nodiscard]] double capacity(const cost_model& cost, std::size_t workers, std::size_t items);

/// The costs of the batches of one run, in the order of their dispatch.
class cost_draws {
public:
  /// `what` and `changes`, ascending, must outlive it.
  cost_draws(const cost_model& what, const std::vector<change>& changes, std::uint64_t seed);

  /// Returns how long a batch of `items` takes whose dispatch is `now` after the start, at least
  /// 1 ns. `now` never decreases.
  [[nodiscard]] batcher::duration draw(batcher::duration now, std::size_t items);

  /// Returns whether the batch drawn last fails.
  [[nodiscard]] bool draw_failure() { return random_.happens(what_->failure_share); }

private:
  const cost_model* what_;
  const std::vector<change>* changes_;
  random_stream random_;
  double sigma_ = 0; // of the noise's logarithm
  std::size_t changed_ = 0;
  double factor_ = 1;
};

} // namespace sim
