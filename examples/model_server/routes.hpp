// SPDX-License-Identifier: BSD-3-Clause
//
// What happens to a request, by its path and method. Four paths: a comparison each, no regular
// expressions.

#pragma once

#include "model_server/answer_queue.hpp"
#include "model_server/predictors.hpp"
#include "model_server/traffic.hpp"

#include <batcher/monitoring/metrics.hpp>

#include <cstddef>

namespace model_server {

/// What requests need. Everything must outlive the HTTP server.
struct backend {
  const predictors& predict;
  const batcher::monitoring::metrics& metrics;
  answer_queue& answers;
  traffic& counts;
  std::size_t max_body_bytes;
};

/// Answers the request, now or through `to.answers` when its prediction is there; never blocks.
/// Called by several HTTP threads at once.
void handle(const backend& to, const restinio::request_handle_t& request);

} // namespace model_server
