// SPDX-License-Identifier: BSD-3-Clause
//
// What passes between the core and whoever drives it when a batch ends.

#pragma once

#include "batcher/errc.hpp"
#include "batcher/time.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace batcher {

/// Names a batch for as long as its batcher lives. Never reused, never 0.
using batch_id = std::uint64_t;

/// Items that leave the core together, with the one outcome that they share.
template <class Item>
struct settled {
  /// `none`: the driver has a result for each item, in the order of `items`. Else: answer with
  /// this.
  errc outcome = errc::none;
  std::vector<Item> items;
};

/// What a worker says of a batch that ran to its end.
struct batch_report {
  /// Results that the batch function returned. Unit: items.
  std::size_t results = 0;
  /// How many of them are errors. Unit: items.
  std::size_t item_errors = 0;
  /// Time inside the batch function.
  duration executed = duration::zero();
};

} // namespace batcher
