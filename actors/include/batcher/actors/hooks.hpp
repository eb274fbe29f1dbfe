// SPDX-License-Identifier: BSD-3-Clause
//
// What a batcher may be told of its requests beyond their types. Plain functions of the user's; all
// of them are optional.

#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace batcher::actors {

/// The functions run in whatever thread brings a request or a result to the batcher, one call at a
/// time: they must be quick and must not block. A request for which one throws is answered with
/// `errc::invalid_request` and the exception's text.
template <class Request, class Response>
struct hooks {
  /// What a request weighs in a batch, in the unit of `options::max_batch_cost`. Empty: 1.
  std::function<std::size_t(const Request&)> cost = {};

  /// Takes a request that alone costs more than `max_batch_cost` (the second argument) apart, and
  /// puts the results of its parts, in their order, together. Both or neither. If a part fails, the
  /// request gets the error of the first one that did. Each part counts as a request, in limits and
  /// in metrics.
  std::function<std::vector<Request>(const Request&, std::size_t)> split = {};
  std::function<Response(std::vector<Response>)> join = {};

  /// Find identical requests: while one is in the batcher, another one of the same key shares its
  /// place, and each caller gets a copy of the result. Both or neither. `equal` must hold only for
  /// requests whose results are the same.
  std::function<std::size_t(const Request&)> hash = {};
  std::function<bool(const Request&, const Request&)> equal = {};

  /// Batches that each worker runs before it takes traffic; their results are dropped. If one
  /// fails, the worker could not be started.
  std::vector<std::vector<Request>> warm_up = {};
};

} // namespace batcher::actors
