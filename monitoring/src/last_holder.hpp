// SPDX-License-Identifier: BSD-3-Clause
//
// When counters that somebody else writes are final.

#pragma once

#include <memory>

namespace batcher::monitoring {

/// Returns whether nobody else holds them: nobody is left who could write, and all that was written
/// is seen.
template <class Counters>
[[nodiscard]] bool is_last_holder(const std::shared_ptr<Counters>& counters) {
  if (counters.use_count() != 1) return false;
  // `use_count` orders nothing; giving up a reference does, after whatever the last writer counted
  // before it gave up its own.
  { auto reference = counters; } // NOLINT(performance-unnecessary-copy-initialization)
  return true;
}

} // namespace batcher::monitoring
