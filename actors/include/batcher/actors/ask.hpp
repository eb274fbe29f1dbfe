// SPDX-License-Identifier: BSD-3-Clause
//
// Requests to a batcher from code without actors: with a callback, or as a future. One message per
// request, no actor and no thread of its own; the reply takes no further message.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/requests.hpp"

#include <concepts>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <utility>

namespace batcher::actors {

namespace detail {

/// Whom the answers to a bulk from outside go to.
template <class Response>
struct bulk_callback {
  std::function<void(bulk_results<Response>)> on_reply;

  void deliver(bulk_results<Response> results) {
    if (on_reply) on_reply(std::move(results));
  }
  [[nodiscard]] bool is_abandoned() const { return false; }
};

} // namespace detail

/// Sends a request and calls `on_reply(caf::expected<Response>)` exactly once, whatever happens to
/// the batcher: with the response, or with the error that an actor would have received, where CAF's
/// own `sec::request_receiver_down` becomes `errc::shut_down`. The call comes from whichever
/// thread has the batcher, a worker's or this one (or, if the batcher ends, from the one that ends
/// it): it must be short, must not block, must not throw and must not ask again. It may come before
/// `ask` returns, so hold no lock across `ask` that it takes. An empty `std::function` drops the reply. An empty handle answers
/// with `errc::shut_down`. May be called from any thread.
template <any_batcher_handle Handle, class F>
  requires std::invocable<F&, caf::expected<response_of<Handle>>>
void ask(const Handle& batcher, submit<request_of<Handle>> request, F on_reply) {
  using external = callback_request<request_of<Handle>, response_of<Handle>>;
  auto outside = std::make_shared<external>(std::move(request), shareable(std::move(on_reply)));
  if (batcher) compat::anon_send(batcher, external_message{std::move(outside)});
}
template <any_batcher_handle Handle, class F>
  requires std::invocable<F&, caf::expected<response_of<Handle>>>
void ask(const Handle& batcher, request_of<Handle> request, F on_reply) {
  ask(batcher, submit<request_of<Handle>>{std::move(request)}, std::move(on_reply));
}

/// Sends a request and returns a future of the response or the error. It always becomes ready. May
/// be called from any thread; do not wait for it inside an actor.
template <any_batcher_handle Handle>
[[nodiscard]] std::future<caf::expected<response_of<Handle>>>
ask(const Handle& batcher, submit<request_of<Handle>> request) {
  using result = caf::expected<response_of<Handle>>;
  std::promise<result> answer;
  auto future = answer.get_future();
  ask(batcher, std::move(request),
      [answer = std::move(answer)](result x) mutable { answer.set_value(std::move(x)); });
  return future;
}
template <any_batcher_handle Handle>
[[nodiscard]] std::future<caf::expected<response_of<Handle>>> ask(const Handle& batcher,
                                                                  request_of<Handle> request) {
  return ask(batcher, submit<request_of<Handle>>{std::move(request)});
}

/// Sends many requests in one message and calls `on_reply(bulk_results<Response>)` exactly once, with
/// one result or error for each, in order. Everything else as in `ask`.
template <any_batcher_handle Handle, class F>
  requires std::invocable<F&, bulk_results<response_of<Handle>>>
void ask_all(const Handle& batcher, bulk<request_of<Handle>> requests, F on_reply) {
  using response = response_of<Handle>;
  std::shared_ptr<answer_sink<response>> whole = collect_for<response>(
    requests.requests.size(), detail::bulk_callback<response>{shareable(std::move(on_reply))});
  if (!batcher) return;
  compat::anon_send(batcher, bulk_message{std::make_shared<bulk_payload<request_of<Handle>>>(
                               std::move(requests), std::move(whole))});
}

/// Cancels the request from outside that was sent with that `submit::tag`; it is answered with
/// `errc::cancelled` if it is still there. Tags of all code outside of actors share one space:
/// choose them apart. May be called from any thread.
template <any_batcher_handle Handle>
void cancel(const Handle& batcher, std::uint64_t tag) {
  if (batcher) compat::anon_send(batcher, cancel_atom_v, tag);
}

/// Makes a batcher the worker of another one: returns a worker factory whose function hands its
/// batches to `inner` as bulks, with their keys, so that lanes stay apart there, too. Timeouts,
/// priorities, tenants and cancellations are not passed on. The errors that `inner` gives an item
/// reach its caller. Give the outer batcher a `worker_credit` of more than 1 to hide the way.
template <any_batcher_handle Handle>
[[nodiscard]] auto forward_to(Handle inner) {
  using request = request_of<Handle>;
  using response = response_of<Handle>;
  return [inner] {
    return [inner](std::span<const request> requests, batch_promise<response> answer) {
      bulk<request> all{.requests = {requests.begin(), requests.end()},
                        .key = answer.context().key()};
      ask_all(inner, std::move(all),
              [answer = std::move(answer)](bulk_results<response> results) mutable {
                answer.deliver(std::move(results));
              });
    };
  };
}

} // namespace batcher::actors
