// SPDX-License-Identifier: BSD-3-Clause
//
// The front door: starts a batcher and its workers.

#pragma once

#include "batcher/actors/batcher_actor.hpp"
#include "batcher/actors/hooks.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/refusals.hpp"
#include "batcher/actors/sharded_batcher.hpp"
#include "batcher/actors/worker_actor.hpp"
#include "batcher/options.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace batcher::actors {

/// Throws `invalid_options` with every problem of `opts`, and of what `hooks` would need besides, or
/// returns.
void require_valid(const options& opts, std::vector<std::string> further_problems = {});

/// Returns what is wrong with the hooks themselves.
template <class Request, class Response>
[[nodiscard]] std::vector<std::string> problems_of(const hooks<Request, Response>& how) {
  std::vector<std::string> problems;
  if (static_cast<bool>(how.split) != static_cast<bool>(how.join))
    problems.emplace_back("of the hooks split and join only one is given");
  if (how.split && !how.cost) problems.emplace_back("the hook split needs the hook cost");
  if (static_cast<bool>(how.hash) != static_cast<bool>(how.equal))
    problems.emplace_back("of the hooks hash and equal only one is given");
  return problems;
}

/// `spawn_batcher` without the type of the factory: all that has to be compiled for a request and a
/// response. A program that starts batchers of the same types in many files compiles it once if all
/// of them, or a header, say
///
///     extern template batcher_handle<request, response> start_batcher<request, response>(
///       caf::actor_system&, options, worker_maker<request, response>, hooks<request, response>);
///
/// and one file says the same without `extern`. What `make` makes must fit `spawn_batcher`'s
/// `make_worker`. Throws `invalid_options`. May be called from any thread.
template <class Request, class Response>
[[nodiscard]] batcher_handle<Request, Response>
start_batcher(caf::actor_system& system, options opts, worker_maker<Request, Response> make,
              hooks<Request, Response> how) {
  require_valid(opts, problems_of(how));
  using actor_type = batcher_actor<Request, Response>;
  auto shared_hooks = std::make_shared<const hooks<Request, Response>>(std::move(how));
  auto start = [make = std::move(make), shared_hooks](actor_type* self,
                                                      std::size_t number) -> worker_handle {
    return spawn_worker<Request, Response>(self, make, number, shared_hooks,
                                           self->opts().worker_execution);
  };
  if (opts.shards == 1)
    return system.template spawn<actor_type>(std::move(opts), std::move(start), shared_hooks);
  auto limits = std::make_shared<shared_limits>(opts);
  std::vector<caf::actor> shards;
  for (std::size_t i = 0; i < opts.shards; ++i)
    shards.push_back(caf::actor_cast<caf::actor>(system.template spawn<actor_type>(
      share_of(opts, i), start, shared_hooks, limits, worker_numbers{i, opts.shards})));
  return caf::actor_cast<batcher_handle<Request, Response>>(
    spawn_sharded_batcher(system, opts, std::move(shards), access_to_shards<Request, Response>()));
}

/// Starts a batcher with `opts.workers` workers and returns its handle at once. Requests wait in
/// the queue until the first worker is ready.
///
/// `make_worker` runs once per worker, inside it, so that each worker owns its model or connection;
/// it is copied into each worker, and detached workers call their copies at the same time. It takes
/// the worker's number or nothing and returns the batch function, see `worker_factory` and
/// `batch_function`. It runs again when a worker is replaced. Neither may hold the batcher's own
/// handle: a batcher that holds itself stays for ever, and with it the actor system. `how` says
/// more of the requests, where needed.
///
/// What a caller of the batcher sees when something goes wrong:
///   1. The batch function gives an item an error: that error, for that item alone.
///   2. It throws: `errc::batch_failed` and the exception's text, or the error that it gave its
///      promise, for its batch. It returns the wrong number of results:
///      `errc::result_count_mismatch`. It takes longer than `batch_timeout`: `errc::batch_timeout`.
///      Its worker dies: `errc::worker_lost`. With `retry::idempotent` the batch runs again first,
///      whole or in halves, and only what fails in the end is answered so.
///   3. A worker that died is started again after a while; until then the others go on. None has
///      been up for `max_outage`: `errc::no_workers`, with the text of the last loss, for everything
///      that waits and every request until one is back.
///   4. The request's time is over, it was cancelled or its sender has ended: `errc::expired`,
///      `errc::cancelled`.
///   5. The queue is full: `errc::queue_full` with a hint when to retry (`hint_of`), or
///      `errc::dropped` for the oldest one. The request does not fit in: `errc::too_costly`,
///      `errc::too_many_lanes`, `errc::invalid_request`.
///   6. The batcher drains or was stopped: `errc::draining`, `errc::shut_down`.
///   7. The batcher is killed: `errc::shut_down` for all that it held; requests that still lie in
///      its mailbox, and later ones, get CAF's own `sec::request_receiver_down`.
///
/// Requests and responses must not throw when they are moved. They are copied only where two need
/// them: a request that runs again while its function may still run (it timed out or lost its
/// worker), a response that identical requests share. Then a copy that throws counts as a failed
/// batch (2), or costs the caller that was to get it. A request whose copy constructor throws while
/// CAF copies a message ends the batcher as if it was killed.
///
/// Throws `invalid_options`. May be called from any thread.
template <class Request, class Response, worker_factory<Request, Response> Factory>
[[nodiscard]] batcher_handle<Request, Response> spawn_batcher(caf::actor_system& system,
                                                              options opts, Factory make_worker,
                                                              hooks<Request, Response> how = {}) {
  static_assert(!std::is_same_v<Request, bool>,
                "a vector of bool is no array of bool: let the request be an enum or a number");
  return start_batcher<Request, Response>(
    system, std::move(opts), maker_of<Request, Response>(std::move(make_worker)), std::move(how));
}

} // namespace batcher::actors
