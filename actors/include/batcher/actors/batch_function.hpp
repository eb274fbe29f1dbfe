// SPDX-License-Identifier: BSD-3-Clause
//
// What a user gives a batcher to run: batch functions, and the factories that make one for each
// worker. What a function can ask and how it answers later is in job.hpp.

#pragma once

#include "batcher/actors/job.hpp"
#include "batcher/actors/requests.hpp"

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace batcher::actors {

/// One result per item, in order: values, or values and errors if an item can fail by itself.
template <class T, class Response>
concept results_for =
  std::same_as<T, std::vector<Response>> || std::same_as<T, bulk_results<Response>>;

template <class F, class Request, class Response>
concept plain_batch_function = requires(F& f, std::span<const Request> requests) {
  { f(requests) } -> results_for<Response>;
};

template <class F, class Request, class Response>
concept context_batch_function = requires(F& f, std::span<const Request> requests,
                                          const batch_context& context) {
  { f(requests, context) } -> results_for<Response>;
};

template <class F, class Request, class Response>
concept promising_batch_function = requires(F& f, std::span<const Request> requests,
                                            batch_promise<Response> answer) {
  { f(requests, std::move(answer)) } -> std::same_as<void>;
};

/// A callable that takes a batch, in one of three forms:
///
///     std::vector<R> f(std::span<const Request>)                         or bulk_results<R>
///     std::vector<R> f(std::span<const Request>, const batch_context&)   or bulk_results<R>
///     void           f(std::span<const Request>, batch_promise<R>)
///
/// The last one may answer later, from any thread; with a `worker_credit` of n it has up to n
/// batches at once. All may throw, and then the batch has failed with `errc::batch_failed` and the
/// exception's text.
template <class F, class Request, class Response>
concept batch_function = plain_batch_function<F, Request, Response> || context_batch_function<
  F, Request, Response> || promising_batch_function<F, Request, Response>;

/// Calls a worker factory with the number of its worker (0, 1, ...), or with nothing.
template <class Factory>
auto make_batch_function(Factory& factory, std::size_t number) {
  if constexpr (std::invocable<Factory&, std::size_t>)
    return factory(number);
  else
    return factory();
}

/// What a worker factory makes.
template <class Factory>
using function_of = decltype(make_batch_function(std::declval<Factory&>(), std::size_t{}));

/// A callable that makes a batch function, given the number of its worker or nothing.
template <class F, class Request, class Response>
concept worker_factory = std::copy_constructible<F> &&(
  std::invocable<F&, std::size_t> || std::invocable<F&>)&&batch_function<function_of<F>, Request,
                                                                         Response>;

} // namespace batcher::actors
