// SPDX-License-Identifier: BSD-3-Clause
//
// How long batches take, learned from those that came back: a + b * n for a batch of n items (the
// shape that Clipper, NSDI 2017, and BentoML fit as well). Knows neither workers nor lanes.
//
// The fit is least squares with exponential forgetting: a batch counts 2 % less with each that
// follows, so that about the last 50 decide, and slow drift is followed. On top of that
//
//   - an outlier counts as if it were at most four mean deviations off (Huber's idea: pulled in,
//     not left out), since a pause of the machine says nothing about the next batch;
//   - four outliers in a row on the same side are a jump: all from before is forgotten;
//   - a and b are never negative: a cost is none.
//
// When n hardly varies, b cannot be told from a. The slope is then drawn to 0 by a ridge that acts
// like a spread of n of 2 % of its mean: what is predicted for the usual n stays right, and for
// another n it is that of the usual one until the first batches of the other size are back. They
// are outliers of one side, so that four of them are enough.
//
// Trace, batches of 10 items: 12, 12, 12 ms -> a = 12 ms, b = 0, predict(10) = 12 ms. Then 20 items
// take 14 ms, again and again: outliers; the fourth starts anew, predict(20) = 14 ms.

#pragma once

#include "batcher/time.hpp"

#include <array>
#include <cstddef>

namespace batcher {

/// 15 numbers; O(1) throughout. Not safe for concurrent use.
class service_model {
public:
  /// Takes in that a batch of `items`, padding included, took that long.
  void add(std::size_t items, duration took) noexcept;

  /// Returns how long a batch of `items` takes on average; zero while no batch is known.
  [[nodiscard]] duration predict(std::size_t items) const noexcept;

  /// Returns `a` and `b`. Unit: seconds. Both zero while no batch is known.
  [[nodiscard]] double per_batch() const noexcept { return per_batch_; }
  [[nodiscard]] double per_item() const noexcept { return per_item_; }

  /// Returns how far batches are off what was predicted, the mean of it as a share of the time that
  /// one of `items` takes; 0 while nothing is known.
  [[nodiscard]] double relative_deviation(std::size_t items) const noexcept;

private:
  struct sample {
    double items = 0;
    double seconds = 0;
  };

  void take_in(sample s) noexcept;
  void fit() noexcept;
  void start_anew() noexcept;
  [[nodiscard]] double at(double items) const noexcept { return per_batch_ + per_item_ * items; }

  double weight_ = 0; // of all samples; the sums are weighted
  sample sum_;
  double items_squared_ = 0;
  double items_times_seconds_ = 0;
  double per_batch_ = 0;
  double per_item_ = 0;
  double deviation_ = 0;        // mean of the absolute ones. Unit: seconds.
  int known_ = 0;               // samples, up to those that make outliers visible
  int row_ = 0;                 // outliers in a row; negative for those that were too fast
  std::array<sample, 4> odd_{}; // those outliers
};

} // namespace batcher
