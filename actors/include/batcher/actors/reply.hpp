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

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <span>
#include <utility>
#include <variant>

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

  /// Takes, and moves from, those to the parts from `first` on, and goes with the last of all. If it
  /// throws, all of them are expected still.
  void settle(std::size_t first, std::span<caf::expected<Response>> results) {
    answer(first, results);
    expected_ -= results.size();
    if (expected_ == 0) auto last = std::move(self_);
  }

  [[nodiscard]] virtual bool is_abandoned() const { return false; }

protected:
  ~answer_sink() = default;

private:
  virtual void answer(std::size_t first, std::span<caf::expected<Response>> results) = 0;

  std::shared_ptr<answer_sink> self_;
  std::size_t expected_ = 0; // counted here: a shared pointer for each would cost two atomic steps
};

/// A request that has its own way back. Whatever it is, it must see to it that it is answered if it
/// dies unanswered, wherever that is: in a mailbox that nobody reads any more, too.
template <class Request, class Response>
class external_request : public payload, public answer_sink<Response> {
public:
  explicit external_request(submit<Request> request) : what{std::move(request)} {
    this->type = &mark;
  }

  /// To be moved from.
  submit<Request> what;
  /// While a batcher has it: where to find the context of the actor that runs.
  compat::execution_context* const* context = nullptr;

  static inline const char mark = 0;
};

/// One whose answer is for a function.
template <class Request, class Response>
class callback_request final : public external_request<Request, Response> {
public:
  using callback = std::function<void(caf::expected<Response>)>;

  callback_request(submit<Request> request, callback on_reply)
    : external_request<Request, Response>{std::move(request)}, on_reply_{std::move(on_reply)} {}

  ~callback_request() override { call_back(batcher_has_ended()); }

private:
  void answer(std::size_t /*first*/, std::span<caf::expected<Response>> results) override {
    call_back(std::move(results.front()));
  }

  // Calls back, if there is a callback. An exception thrown by it ends the program, as one thrown by
  // a thread does.
  void call_back(caf::expected<Response> result) noexcept {
    if (auto on_reply = std::exchange(on_reply_, nullptr)) on_reply(std::move(result));
  }

  callback on_reply_;
};

/// Returns a callback as `std::function` wants it: copyable.
template <class F>
auto shareable(F call) {
  if constexpr (std::copy_constructible<F>) {
    return call;
  } else {
    return [shared = std::make_shared<F>(std::move(call))](auto x) { (*shared)(std::move(x)); };
  }
}

/// Collects the answers of several parts. A part that is not answered has the batcher's error.
template <class Response>
class collected : public answer_sink<Response> {
protected:
  explicit collected(std::size_t parts) : parts_{parts} { results_.reserve(parts); }
  ~collected() = default;

  bulk_results<Response> take_results() {
    extend_to(parts_);
    for (auto& result : results_)
      if (!result && !result.error()) result = batcher_has_ended();
    return std::move(results_);
  }

private:
  // Most come in order.
  void answer(std::size_t first, std::span<caf::expected<Response>> results) override {
    extend_to(first);
    auto behind = std::min(results.size(), results_.size() - first);
    auto middle = results.begin() + static_cast<std::ptrdiff_t>(behind);
    std::move(results.begin(), middle, results_.begin() + static_cast<std::ptrdiff_t>(first));
    results_.insert(results_.end(), std::move_iterator{middle}, std::move_iterator{results.end()});
  }

  void extend_to(std::size_t parts) {
    while (results_.size() < parts) results_.push_back(caf::error{});
  }

  std::size_t parts_;
  bulk_results<Response> results_; // an empty error: not answered
};

/// Passes the collected answers on to their owner at its end: `owner.deliver(results)`, and
/// `owner.is_abandoned()` says of all parts whether nobody waits for them any more.
template <class Response, class Owner>
class collected_for final : public collected<Response> {
public:
  collected_for(std::size_t parts, Owner owner)
    : collected<Response>{parts}, owner_{std::move(owner)} {}
  ~collected_for() { owner_.deliver(this->take_results()); }

  [[nodiscard]] bool is_abandoned() const override { return owner_.is_abandoned(); }

private:
  Owner owner_;
};

/// Makes what collects `parts` answers for an owner.
template <class Response, class Owner>
[[nodiscard]] std::shared_ptr<collected<Response>> collect_for(std::size_t parts, Owner owner) {
  return std::make_shared<collected_for<Response, Owner>>(parts, std::move(owner));
}

/// The owner of the answers to a bulk from an actor.
template <class Response>
struct bulk_promise {
  owned_promise to;

  void deliver(bulk_results<Response> results) {
    to.deliver(
      bulk_reply_message{std::make_shared<bulk_reply_payload<Response>>(std::move(results))});
  }
  [[nodiscard]] bool is_abandoned() const { return to.is_abandoned(); }
};

/// One of the answers that a sink expects, given exactly once.
template <class Response>
class owed_part {
public:
  owed_part(answer_sink<Response>& sink, std::size_t part) noexcept : sink_{&sink}, part_{part} {}
  owed_part(owed_part&& other) noexcept
    : sink_{std::exchange(other.sink_, nullptr)}, part_{other.part_} {}
  owed_part& operator=(owed_part&&) = delete;
  ~owed_part() {
    if (sink_) deliver(batcher_has_ended());
  }

  void deliver(caf::expected<Response> result) {
    sink_->settle(part_, {&result, 1});
    sink_ = nullptr;
  }

  /// Answers this part and those behind it in one call: `release` the others after it.
  void deliver_all(std::span<caf::expected<Response>> results) {
    sink_->settle(part_, results);
    sink_ = nullptr;
  }
  void release() noexcept { sink_ = nullptr; }

  /// Returns whether it is `n` parts behind another one in the same sink.
  [[nodiscard]] bool is_behind(const owed_part& other, std::size_t n) const noexcept {
    return sink_ == other.sink_ && part_ == other.part_ + n;
  }

  [[nodiscard]] bool is_abandoned() const { return sink_->is_abandoned(); }

private:
  answer_sink<Response>* sink_;
  std::size_t part_;
};

/// The way back to one caller: an actor, or a sink.
template <class Response>
class reply {
public:
  explicit reply(owned_promise promise) : to_{std::move(promise)} {}
  /// The sink must expect an answer.
  reply(answer_sink<Response>& sink, std::size_t part)
    : to_{std::in_place_type<owed_part<Response>>, sink, part} {}

  /// Answers with a result or an error. Precondition: not answered yet.
  void deliver(caf::expected<Response>&& result) {
    if (auto* part = std::get_if<owed_part<Response>>(&to_))
      return part->deliver(std::move(result));
    auto& promise = *std::get_if<owned_promise>(&to_);
    if (result)
      promise.deliver(std::move(*result));
    else
      promise.deliver(std::move(result.error()));
  }

  /// Returns whether whoever asked has ended. Precondition: not answered yet.
  [[nodiscard]] bool is_abandoned() const {
    auto* owed = std::get_if<owed_part<Response>>(&to_);
    return owed ? owed->is_abandoned() : std::get_if<owned_promise>(&to_)->is_abandoned();
  }

  /// Returns what a sink is owed, null if it is an actor that is answered.
  [[nodiscard]] owed_part<Response>* part() noexcept {
    return std::get_if<owed_part<Response>>(&to_);
  }

private:
  std::variant<owned_promise, owed_part<Response>> to_;
};

} // namespace batcher::actors
