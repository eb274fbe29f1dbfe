// SPDX-License-Identifier: BSD-3-Clause
//
// How long a batch of a lane takes from its dispatch to its results, and so which items cannot be
// answered in time any more.

#pragma once

#include "batcher/time.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace batcher {

/// The times of the last batches, no older than ten seconds. The second largest of them says what
/// to expect: few batches take longer, and one that was slow by accident (the first of a cold
/// worker, a pause of the machine) says nothing.
class turnaround {
public:
  /// Takes in the time that a batch took which came back at `now`.
  void add(time_point now, duration took) noexcept {
    times_[next_ % times_.size()] = {now, took};
    ++next_;
  }

  /// Returns a time that few batches exceed; zero while fewer than eight are known.
  [[nodiscard]] duration most(time_point now) const noexcept {
    std::size_t known = 0;
    auto largest = duration::zero();
    auto second = duration::zero();
    for (std::size_t i = 0; i < std::min(next_, times_.size()); ++i) {
      auto& [at, took] = times_[i];
      if (now - at > longest_memory) continue;
      ++known;
      second = std::max(second, std::min(largest, took));
      largest = std::max(largest, took);
    }
    return known < least_known ? duration::zero() : second;
  }

private:
  static constexpr std::size_t least_known = 8;
  static constexpr duration longest_memory = std::chrono::seconds{10};

  struct sample {
    time_point at;
    duration took = duration::zero();
  };

  std::array<sample, 16> times_ = {};
  std::size_t next_ = 0;
};

} // namespace batcher
