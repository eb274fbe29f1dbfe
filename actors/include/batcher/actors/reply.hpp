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
#include "batcher/actors/requests.hpp"
#include "batcher/errc.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

namespace batcher::actors {

/// What a reply that is destroyed unused answers with.
[[nodiscard]] caf::error batcher_has_ended();

/// The answer to a message that an actor handles, sent exactly once. Stays with that actor.
class owned_promise {
public:
  owned_promise() = default;
  /// Promises `self` to answer the message that it handles just now, or another one of its.
  explicit owned_promise(caf::local_actor* self)
    : owned_promise{self, *self->current_mailbox_element()} {}
  owned_promise(caf::local_actor* self, caf::mailbox_element& msg) : path_{msg}, self_{self} {}
  owned_promise(owned_promise&&) noexcept = default;
  owned_promise& operator=(owned_promise&& other) noexcept {
    if (this != &other) {
      drop();
      path_ = std::move(other.path_);
      self_ = other.self_;
    }
    return *this;
  }
  ~owned_promise() { drop(); }

  /// Answers with a value or an error. Only the first call counts.
  template <class T>
  void deliver(T&& answer) {
    if (path_) path_.send(self_->context(), std::forward<T>(answer));
  }

  /// Returns whether the actor that asked, and waits for an answer, has ended.
  [[nodiscard]] bool is_abandoned() const { return path_.is_abandoned(); }

private:
  void drop() {
    if (path_) path_.send(nullptr, batcher_has_ended());
  }

  compat::return_path path_;
  caf::local_actor* self_ = nullptr;
};

/// A request from outside the actor system. Answers when it dies unanswered, wherever that is: in a
/// mailbox that nobody reads any more, too.
template <class Request, class Response>
class external_request final : public payload {
public:
  using callback = std::function<void(caf::expected<Response>)>;

  external_request(submit<Request> request, callback on_reply)
    : what{std::move(request)}, on_reply_{std::move(on_reply)} {}

  ~external_request() override { answer(batcher_has_ended()); }

  /// Calls back, if there is a callback. An exception thrown by it ends the program, as one thrown
  /// by a thread does.
  void answer(caf::expected<Response> result) noexcept {
    if (auto on_reply = std::exchange(on_reply_, nullptr)) on_reply(std::move(result));
  }

  /// To be moved from.
  submit<Request> what;

private:
  callback on_reply_;
};

/// Collects the answers of several parts and passes them on together. A part whose reply dies
/// unanswered has its error.
template <class Response>
class collected {
public:
  using callback = std::function<void(bulk_results<Response>)>;

  collected(std::size_t parts, callback on_all)
    : results_(parts, caf::expected<Response>{batcher_has_ended()}), on_all_{std::move(on_all)} {}
  collected(const collected&) = delete;
  collected& operator=(const collected&) = delete;
  ~collected() {
    if (on_all_) on_all_(std::move(results_));
  }

  void answer(std::size_t part, caf::expected<Response> result) {
    results_[part] = std::move(result);
  }

  /// Says of all parts whether nobody waits for them any more.
  std::function<bool()> is_abandoned;

private:
  bulk_results<Response> results_;
  callback on_all_;
};

/// The way back to one caller: an actor, code outside the actor system, or those who collect several
/// answers.
template <class Request, class Response>
class reply {
public:
  using external = external_request<Request, Response>;

  explicit reply(owned_promise promise) : way_{std::move(promise)} {}
  explicit reply(std::shared_ptr<external> outside) : way_{std::move(outside)} {}
  reply(std::shared_ptr<collected<Response>> whole, std::size_t position)
    : way_{part{std::move(whole), position}} {}

  /// Answers with a result or an error. Precondition: not answered yet.
  void deliver(caf::expected<Response> result) {
    if (auto* promise = std::get_if<owned_promise>(&way_)) {
      if (result)
        promise->deliver(std::move(*result));
      else
        promise->deliver(std::move(result.error()));
    } else if (auto* outside = std::get_if<std::shared_ptr<external>>(&way_)) {
      std::exchange(*outside, nullptr)->answer(std::move(result));
    } else {
      auto [whole, position] = std::exchange(std::get<part>(way_), part{});
      whole->answer(position, std::move(result));
    }
  }

  /// Returns whether whoever asked has ended.
  [[nodiscard]] bool is_abandoned() const {
    if (auto* promise = std::get_if<owned_promise>(&way_)) return promise->is_abandoned();
    if (auto* p = std::get_if<part>(&way_))
      return p->whole && p->whole->is_abandoned && p->whole->is_abandoned();
    return false;
  }

private:
  struct part {
    std::shared_ptr<collected<Response>> whole;
    std::size_t position = 0;
  };

  std::variant<owned_promise, std::shared_ptr<external>, part> way_;
};

} // namespace batcher::actors
