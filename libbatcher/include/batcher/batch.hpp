// SPDX-License-Identifier: BSD-3-Clause
//
// What passes between the core and whoever drives it when a batch ends.

#pragma once

#include "batcher/time.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace batcher {

/// Names a batch for as long as its batcher lives. Never reused, never 0.
using batch_id = std::uint64_t;

/// What a worker says of a batch that ran to its end.
struct batch_report {
  /// Results that the batch function returned. Unit: items.
  std::size_t results = 0;
  /// Which of them are errors, ascending, the first item of the batch being 0.
  std::vector<std::uint32_t> failed = {};
  /// Time inside the batch function.
  duration executed = duration::zero();
};

} // namespace batcher
