// SPDX-License-Identifier: BSD-3-Clause
//
// One step of load: the clients of one rate, from the first request to the last reply, and the
// figures that come of it. Knows nothing of the two sides; it drives whatever handles it is given.

#pragma once

#include "demo/client.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace demo {

/// The latency that counts as in time.
inline constexpr double p95_limit_ms = 50;

/// The figures of one step. A request is *offered* when it becomes due and ends as exactly one of
/// served, wrong, refused, failed, missing.
struct step_result {
  double rate =
    0; ///< The rate asked for; what the random instants made of it is `offered_per_second`.
  double offered_per_second = 0;
  double served_per_second = 0; ///< Over the sending time, and longer if replies came in later.
  std::uint64_t offered = 0;
  std::uint64_t served = 0;
  std::uint64_t wrong = 0;
  std::uint64_t refused = 0;
  std::uint64_t failed = 0;
  std::uint64_t missing = 0;
  double p50_ms = 0; ///< Of all replies that carry a prediction, from the instant they were due.
  double p95_ms = 0;
  double p99_ms = 0;
  double mean_batch_items = 1;
};

/// A rate that means: as fast as replies come back.
inline constexpr double saturating = std::numeric_limits<double>::infinity();

/// How to run a step.
struct step_request {
  double rate = saturating;
  double seconds = 1;
  std::uint64_t seed = 0;
};

/// Called some ten times a second during a step with the part of it that is over, 0 to 1.
using progress_callback = std::function<void(double)>;

/// Runs one step and returns when the last reply is in, when replies stay away for ten seconds
/// after the last request, or soon after `interrupted` is set. Blocks; not for actors.
[[nodiscard]] step_result run_step(caf::actor_system& system,
                                   const std::vector<predictor>& predictors, const exam& questions,
                                   const step_request& request, const std::atomic<int>& interrupted,
                                   const progress_callback& on_progress);

} // namespace demo
