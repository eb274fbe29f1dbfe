// SPDX-License-Identifier: BSD-3-Clause
//
// The demo's own message types, and the handle that both sides of the comparison answer to: a plain
// actor that takes a row of data and returns the model's prediction.

#pragma once

#include <batcher/actors/interfaces.hpp>
#include <batcher/actors/messages.hpp>

#include "model/diabetes_model.hpp"

CAF_BEGIN_TYPE_ID_BLOCK(demo, caf::first_custom_type_id)

  BATCHER_ADD_ATOM(demo, demo, wake_atom, "wake")
  CAF_ADD_TYPE_ID(demo, (examples::row))

CAF_END_TYPE_ID_BLOCK(demo)

namespace demo {

using examples::row;

/// The files that the repository ships beside the model's source.
inline constexpr auto model_file = BATCHER_EXAMPLE_MODEL_DIR "/diabetes.pt";
inline constexpr auto rows_file = BATCHER_EXAMPLE_MODEL_DIR "/diabetes.csv";

/// Answers a row with a prediction. The clients hold nothing else, so they cannot tell the sides
/// apart.
using predictor = batcher::actors::plain_handle<row, double>;

} // namespace demo
