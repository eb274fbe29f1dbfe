// SPDX-License-Identifier: BSD-3-Clause
//
// The answer that is owed to one caller, as a value that cannot be lost: move-only, and if it is
// destroyed unused it answers with `errc::shut_down`. CAF 0.17.6 drops unanswered promises
// silently.
//
// Thread rule: use and destroy a reply only where the actor that made it runs.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/errc.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace batcher::actors {

/// A response promise that is answered exactly once.
class owned_promise {
public:
  owned_promise() = default;
  explicit owned_promise(caf::response_promise promise) : promise_{std::move(promise)} {}
  owned_promise(owned_promise&& other) noexcept
    : promise_{std::exchange(other.promise_, caf::response_promise{})} {}
  owned_promise& operator=(owned_promise&& other) noexcept {
    if (this != &other) {
      drop();
      promise_ = std::exchange(other.promise_, caf::response_promise{});
    }
    return *this;
  }
  ~owned_promise() { drop(); }

  /// Answers with a value or an error. Only the first call counts.
  template <class T>
  void deliver(T&& answer) {
    std::exchange(promise_, caf::response_promise{}).deliver(std::forward<T>(answer));
  }

  [[nodiscard]] bool is_pending() const noexcept { return promise_.pending(); }

private:
  void drop() {
    if (is_pending()) deliver(caf::make_error(errc::shut_down, "the batcher has ended"));
  }

  caf::response_promise promise_;
};

/// A request from outside the actor system. Answers when it dies unanswered, wherever that is: in a
/// mailbox that nobody reads any more, too.
template <class Request, class Response>
class external_request final : public external_request_base {
public:
  using callback = std::function<void(caf::expected<Response>)>;

  external_request(Request request, callback on_reply)
    : request_{std::move(request)}, on_reply_{std::move(on_reply)} {}

  ~external_request() override {
    answer(caf::make_error(errc::shut_down, "the batcher has ended"));
  }

  /// The request, to be moved from.
  Request& request() noexcept { return request_; }

  /// Calls back, if there is a callback. An exception thrown by it ends the program, as one thrown
  /// by a thread does.
  void answer(caf::expected<Response> result) noexcept {
    if (auto on_reply = std::exchange(on_reply_, nullptr)) on_reply(std::move(result));
  }

private:
  Request request_;
  callback on_reply_;
};

/// The way back to one caller, inside or outside the actor system.
template <class Request, class Response>
class reply {
public:
  using external = external_request<Request, Response>;

  explicit reply(caf::response_promise promise) : promise_{std::move(promise)} {}
  explicit reply(std::shared_ptr<external> outside) : outside_{std::move(outside)} {}

  /// Answers with a result. Precondition: not answered yet.
  void deliver(Response&& result) {
    if (auto outside = std::exchange(outside_, nullptr))
      outside->answer(std::move(result));
    else
      promise_.deliver(std::move(result));
  }

  /// Answers with an error. Precondition: not answered yet.
  void fail(caf::error why) {
    if (auto outside = std::exchange(outside_, nullptr))
      outside->answer(std::move(why));
    else
      promise_.deliver(std::move(why));
  }

private:
  owned_promise promise_;
  std::shared_ptr<external> outside_;
};

} // namespace batcher::actors
