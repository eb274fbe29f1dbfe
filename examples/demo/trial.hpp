// SPDX-License-Identifier: BSD-3-Clause
//
// Drives one side through rising rates. Which rates: a short run as fast as replies come back tells
// about how much the side can take, the rates are shares of that, and they go on rising until one
// has failed. The shares lie closest where the limit is expected. A rate that would set the limit
// is tried a second time, because on a busy machine a step can fail for no fault of the side.

#pragma once

#include "demo/comparison.hpp"
#include "demo/progress.hpp"
#include "demo/sides.hpp"

#include <atomic>

namespace demo {

/// Runs that `run_side` makes; a few more for rates that are tried again or lie higher than
/// expected.
inline constexpr std::size_t expected_runs_per_side = 11;

/// Runs the steps of one side and fills in `result`, of which it keeps `name`. Ends early if
/// `interrupted` is set; then the step that was running is left out.
void run_side(caf::actor_system& system, const side& what, const exam& questions,
              double seconds_per_step, const std::atomic<int>& interrupted, progress& display,
              side_result& result);

} // namespace demo
