// SPDX-License-Identifier: BSD-3-Clause
//
// The two ways to a prediction: a batcher whose batches hold one request each, and one that
// batches. Everything else is the same for both, their limits and their errors too. Knows nothing
// of HTTP.

#pragma once

#include "model_server/options.hpp"

#include "model/diabetes_model.hpp"

#include <batcher/actors/interfaces.hpp>
#include <batcher/monitoring/metrics.hpp>

#include <cstdint>

CAF_BEGIN_TYPE_ID_BLOCK(model_server, caf::first_custom_type_id)

  CAF_ADD_TYPE_ID(model_server, (examples::row))

CAF_END_TYPE_ID_BLOCK(model_server)

namespace model_server {

using predictor = batcher::actors::batcher_handle<examples::row, double>;

/// Runs both batchers as long as it lives; its end answers whatever is left. Its functions may be
/// called from any thread, but not in an actor, since `drain` blocks.
class predictors {
public:
  /// Throws std::runtime_error if the model cannot be loaded.
  predictors(caf::actor_system& system, const settings& chosen,
             batcher::monitoring::metrics& metrics);
  ~predictors();

  predictors(const predictors&) = delete;
  predictors& operator=(const predictors&) = delete;

  /// One call of the model per request.
  [[nodiscard]] const predictor& unbatched() const noexcept { return unbatched_; }

  /// Requests share calls of the model.
  [[nodiscard]] const predictor& batched() const noexcept { return batched_; }

  /// Refuses new requests, waits for those there are, at most for `timeout`, and returns how many
  /// were answered with an error at its end.
  std::uint64_t drain(batcher::duration timeout);

private:
  predictor unbatched_;
  predictor batched_;
};

} // namespace model_server
