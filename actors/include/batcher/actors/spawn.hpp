// SPDX-License-Identifier: BSD-3-Clause
//
// The front door: starts a batcher and its workers.

#pragma once

#include "batcher/actors/batcher_actor.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/worker_actor.hpp"
#include "batcher/options.hpp"

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace batcher::actors {

/// Thrown by `spawn_batcher` for options out of range. The text has one line per problem.
class invalid_options : public std::invalid_argument {
public:
  using std::invalid_argument::invalid_argument;
};

/// Throws `invalid_options` with every problem of `opts`, or returns.
void require_valid(const options& opts);

/// Starts a thread and waits for its end. Throws `std::system_error` if the system has none left:
/// CAF counts a detached actor before it starts its thread, and would wait for it for ever.
void require_thread();

/// Starts a batcher with `opts.workers` workers and returns its handle at once. Requests wait in
/// the queue until the first worker is ready.
///
/// `make_worker` runs once per worker, inside it, so that each worker owns its model or connection;
/// it is copied into each worker, and detached workers call their copies at the same time. It takes
/// the worker's number or nothing and returns the batch function, see `worker_factory`.
///
/// What a caller of the batcher sees when something goes wrong:
///   1. The batch function gives an item an error: that error, for that item alone.
///   2. It throws: `errc::batch_failed` and the exception's text, for its batch.
///   3. It returns the wrong number of results: `errc::result_count_mismatch`, for its batch.
///   4. A worker dies: `errc::worker_lost`, for the batches it held; the others go on.
///   5. `make_worker` throws, or there is no thread for the worker: that worker is lost. No worker
///      is left: `errc::no_workers`, with the text of the last loss, for everything queued and
///      every later request.
///   6. The queue is full, or the batcher drains or was stopped: `errc::queue_full`,
///      `errc::draining`, `errc::shut_down`.
///   7. The batcher is killed: `errc::shut_down` for all that it held; requests that still lie in
///      its mailbox, and later ones, get CAF's own `sec::request_receiver_down`.
///
/// Requests and responses must not throw when they are moved; a request whose copy constructor
/// throws while CAF copies a message ends the batcher as if it was killed.
///
/// Throws `invalid_options`. May be called from any thread.
template <class Request, class Response, worker_factory<Request, Response> Factory>
[[nodiscard]] batcher_handle<Request, Response> spawn_batcher(caf::actor_system& system,
                                                              options opts, Factory make_worker) {
  static_assert(!std::is_same_v<Request, bool>,
                "a vector of bool is no array of bool: let the request be an enum or a number");
  require_valid(opts);
  using actor_type = batcher_actor<Request, Response>;
  auto start = [factory = std::make_shared<const Factory>(std::move(make_worker)),
                execution = opts.worker_execution](actor_type* self,
                                                   std::size_t number) -> worker_handle {
    auto* behavior = &worker_actor<Request, Response, Factory>;
    if (execution == worker_execution::cooperative) return self->spawn(behavior, factory, number);
    require_thread();
    return self->template spawn<caf::detached>(behavior, factory, number);
  };
  return system.template spawn<actor_type>(std::move(opts), std::move(start));
}

} // namespace batcher::actors
