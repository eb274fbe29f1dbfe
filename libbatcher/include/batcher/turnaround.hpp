// SPDX-License-Identifier: BSD-3-Clause
//
// How long a batch takes from its dispatch to its results, and so which items cannot be answered in
// time any more.

#pragma once

#include "batcher/time.hpp"

#include <chrono>

namespace batcher {

/// A running mean and mean deviation, as TCP keeps them of its round trips (Jacobson and Karels 1988;
/// RFC 6298).
class turnaround {
public:
  /// Takes in the time that a batch took.
  void add(duration sample) noexcept {
    if (mean_ == duration::zero()) {
      mean_ = sample;
      deviation_ = sample / 2;
      return;
    }
    deviation_ += (std::chrono::abs(sample - mean_) - deviation_) / 4;
    mean_ += (sample - mean_) / 8;
  }

  /// Returns a time that few batches exceed: mean + 4 * deviation; zero while nothing is known.
  [[nodiscard]] duration most() const noexcept { return mean_ + 4 * deviation_; }

private:
  duration mean_ = duration::zero();
  duration deviation_ = duration::zero();
};

} // namespace batcher
