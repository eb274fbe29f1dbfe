// SPDX-License-Identifier: BSD-3-Clause
//
// Requests to a batcher from code without actors: with a callback, or as a future. One message per
// request, no actor and no thread of its own; the reply takes no further message.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/reply.hpp"

#include <concepts>
#include <future>
#include <memory>
#include <utility>

namespace batcher::actors {

/// Sends a request and calls `on_reply(caf::expected<Response>)` exactly once, whatever happens to
/// the batcher: with the response, or with the error that an actor would have received, where CAF's
/// own `sec::request_receiver_down` becomes `errc::shut_down`. The call comes from the batcher's
/// thread (or, if the batcher ends, from whichever thread ends it): it must be short, must not
/// block, must not throw and must not ask again. It may come before `ask` returns, so hold no lock
/// across `ask` that it takes. An empty `std::function` drops the reply. An empty handle answers
/// with `errc::shut_down`. May be called from any thread.
template <any_batcher_handle Handle, class F>
  requires std::invocable<F&, caf::expected<response_of<Handle>>>
void ask(const Handle& batcher, request_of<Handle> request, F on_reply) {
  using response = response_of<Handle>;
  using external = external_request<request_of<Handle>, response>;
  auto outside = [&] {
    if constexpr (std::copy_constructible<F>) {
      return std::make_shared<external>(std::move(request), std::move(on_reply));
    } else {
      auto shared = std::make_shared<F>(std::move(on_reply));
      auto call = [shared](caf::expected<response> x) { (*shared)(std::move(x)); };
      return std::make_shared<external>(std::move(request), std::move(call));
    }
  }();
  if (batcher) compat::anon_send(batcher, external_message{std::move(outside)});
}

/// Sends a request and returns a future of the response or the error. It always becomes ready. May
/// be called from any thread; do not wait for it inside an actor.
template <any_batcher_handle Handle>
[[nodiscard]] std::future<caf::expected<response_of<Handle>>> ask(const Handle& batcher,
                                                                  request_of<Handle> request) {
  using result = caf::expected<response_of<Handle>>;
  auto answer = std::make_shared<std::promise<result>>();
  auto future = answer->get_future();
  ask(batcher, std::move(request),
      [answer = std::move(answer)](result x) { answer->set_value(std::move(x)); });
  return future;
}

} // namespace batcher::actors
