// SPDX-License-Identifier: BSD-3-Clause
//
// How a level changes over a time whose length is not known in advance, in little room.

#pragma once

#include <batcher/time.hpp>

#include <cstdint>
#include <vector>

namespace sim {

/// Cuts the time into at most 512 equal steps; when it takes more, two neighbours become one.
/// Times count from the start and never decrease.
class timeline {
public:
  struct step {
    double mean = 0; ///< Weighted by time.
    std::uint64_t largest = 0;
  };

  /// The level is `level` from `now` on; before the first call it is 0. Amortized O(1).
  void set(batcher::duration now, std::uint64_t level);

  /// Ends the time and returns its steps, the last one as long as the others or shorter.
  [[nodiscard]] std::vector<step> steps(batcher::duration end);

  [[nodiscard]] batcher::duration step_length() const noexcept { return length_; }

private:
  struct sum {
    double area = 0; // level times ns
    std::uint64_t largest = 0;
  };

  void advance(batcher::duration now);
  void halve();

  batcher::duration length_ = std::chrono::microseconds{1};
  std::vector<sum> sums_ = {{}}; // the last one is where `last_` lies
  batcher::duration last_ = batcher::duration::zero();
  std::uint64_t level_ = 0;
};

} // namespace sim
