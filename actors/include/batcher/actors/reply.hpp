// SPDX-License-Identifier: BSD-3-Clause
//
// The answer that is owed to one caller, as a value that cannot be lost: move-only, and if it is
// destroyed unused it answers with `errc::shut_down`. CAF 0.17.6 drops unanswered promises
// silently.
//
// Thread rule: use and destroy a reply only while nobody else has its batcher (entrance.hpp).

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
#include <vector>

namespace batcher::actors {

/// What a reply that is destroyed unused answers with.
[[nodiscard]] caf::error batcher_has_ended();

/// The answer to a message, sent exactly once.
class owned_promise {
public:
  owned_promise() = default;
  /// `context`: where to find the context of the actor that runs, when the promise is used; it must
  /// live as long. Without one the receiver is scheduled from outside, which costs more.
  explicit owned_promise(caf::mailbox_element& msg,
                         compat::execution_context* const* context = nullptr)
    : path_{msg}, context_{context} {}
  owned_promise(owned_promise&&) noexcept = default;
  owned_promise& operator=(owned_promise&& other) noexcept {
    if (this != &other) {
      drop();
      path_ = std::move(other.path_);
      context_ = other.context_;
    }
    return *this;
  }
  ~owned_promise() { drop(); }

  /// Answers with a value or an error. Only the first call counts.
  template <class T>
  void deliver(T&& answer) {
    if (path_) path_.send(context_ ? *context_ : nullptr, std::forward<T>(answer));
  }

  /// Returns whether the actor that asked, and waits for an answer, has ended.
  [[nodiscard]] bool is_abandoned() const { return path_.is_abandoned(); }

private:
  void drop() {
    if (path_) path_.send(nullptr, batcher_has_ended());
  }

  compat::return_path path_;
  compat::execution_context* const* context_ = nullptr;
};

/// Takes the answers to requests that do not go back in a message each. Stays until the last of them
/// has come.
template <class Response>
class answer_sink {
public:
  answer_sink() = default;
  answer_sink(const answer_sink&) = delete;
  answer_sink& operator=(const answer_sink&) = delete;

  /// Expects `answers` answers from now on, and stays for them.
  void expect(std::shared_ptr<answer_sink> self, std::size_t answers) {
    self_ = std::move(self);
    expected_ = answers;
  }

  /// Takes one of them, and goes with the last.
  void settle(std::size_t part, caf::expected<Response> result) {
    answer(part, std::move(result));
    if (--expected_ == 0) auto last = std::move(self_);
  }

  [[nodiscard]] virtual bool is_abandoned() const { return false; }

protected:
  ~answer_sink() = default;

private:
  virtual void answer(std::size_t part, caf::expected<Response> result) = 0;

  std::shared_ptr<answer_sink> self_;
  std::size_t expected_ = 0; // counted here: a shared pointer for each would cost two atomic steps
};

/// A request from outside the actor system. Answers when it dies unanswered, wherever that is: in a
/// mailbox that nobody reads any more, too.
template <class Request, class Response>
class external_request final : public payload, public answer_sink<Response> {
public:
  using callback = std::function<void(caf::expected<Response>)>;

  external_request(submit<Request> request, callback on_reply)
    : what{std::move(request)}, on_reply_{std::move(on_reply)} {}

  ~external_request() override { answer(0, batcher_has_ended()); }

  /// To be moved from.
  submit<Request> what;

private:
  // Calls back, if there is a callback. An exception thrown by it ends the program, as one thrown by
  // a thread does.
  void answer(std::size_t /*part*/, caf::expected<Response> result) noexcept override {
    if (auto on_reply = std::exchange(on_reply_, nullptr)) on_reply(std::move(result));
  }

  callback on_reply_;
};

/// Collects the answers of several parts and passes them on together. A part that is not answered
/// has the batcher's error.
template <class Response>
class collected final : public answer_sink<Response> {
public:
  using callback = std::function<void(bulk_results<Response>)>;

  /// `is_abandoned`: says of all parts whether nobody waits for them any more.
  collected(std::size_t parts, callback on_all, std::function<bool()> is_abandoned = {})
    : results_(parts, caf::expected<Response>{caf::error{}}), on_all_{std::move(on_all)},
      is_abandoned_{std::move(is_abandoned)} {}
  ~collected() {
    if (!on_all_) return;
    for (auto& result : results_)
      if (!result && !result.error()) result = batcher_has_ended();
    on_all_(std::move(results_));
  }

  [[nodiscard]] bool is_abandoned() const override { return is_abandoned_ && is_abandoned_(); }

private:
  void answer(std::size_t part, caf::expected<Response> result) override {
    results_[part] = std::move(result);
  }

  bulk_results<Response> results_; // an empty error: not answered
  callback on_all_;
  std::function<bool()> is_abandoned_;
};

/// The way back to one caller: an actor, or a sink.
template <class Response>
class reply {
public:
  explicit reply(owned_promise promise) : promise_{std::move(promise)} {}
  /// The sink must expect an answer.
  reply(answer_sink<Response>& sink, std::size_t part) : sink_{&sink}, part_{part} {}
  reply(reply&& other) noexcept
    : promise_{std::move(other.promise_)}, sink_{std::exchange(other.sink_, nullptr)},
      part_{other.part_} {}
  reply& operator=(reply&&) = delete;
  ~reply() {
    if (sink_) sink_->settle(part_, batcher_has_ended());
  }

  /// Answers with a result or an error. Precondition: not answered yet.
  void deliver(caf::expected<Response> result) {
    if (sink_)
      std::exchange(sink_, nullptr)->settle(part_, std::move(result));
    else if (result)
      promise_.deliver(std::move(*result));
    else
      promise_.deliver(std::move(result.error()));
  }

  /// Returns whether whoever asked has ended.
  [[nodiscard]] bool is_abandoned() const {
    return sink_ ? sink_->is_abandoned() : promise_.is_abandoned();
  }

private:
  owned_promise promise_;
  answer_sink<Response>* sink_ = nullptr;
  std::size_t part_ = 0;
};

} // namespace batcher::actors
