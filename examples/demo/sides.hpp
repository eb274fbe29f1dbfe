// SPDX-License-Identifier: BSD-3-Clause
//
// The two sides of the comparison: the same model, the same number of workers on threads of their
// own, the same message. Without batching each worker is a plain actor that predicts row by row;
// with it, a batcher stands in front of its workers.

#pragma once

#include "demo/messages.hpp"

#include <batcher/actors/spawn.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace demo {

/// Counts batches as the workers see them. Any thread.
struct batch_tally {
  std::atomic<std::uint64_t> batches = 0;
  std::atomic<std::uint64_t> items = 0;
};

/// One running side.
struct side {
  std::vector<predictor> predictors = {}; ///< What the clients send to, in turn.
  std::shared_ptr<const batch_tally> tally = {};
  std::function<void()> stop = {}; ///< Answers what is left and lets the workers go.
};

/// Starts `workers` plain actors.
[[nodiscard]] side start_unbatched(caf::actor_system& system, std::size_t workers);

/// Starts a batcher.
[[nodiscard]] side start_batched(caf::actor_system& system, const batcher::options& opts);

} // namespace demo
