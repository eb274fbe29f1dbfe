// SPDX-License-Identifier: BSD-3-Clause
//
// A client actor's own side, for those that ask much. CAF keeps what an actor has asked in a list that
// it searches for each answer, and an answer is a message each; here an answer goes into the client's
// inbox, and those that come together wake the actor once.
//
//     client ask --message--> batcher --answer--> inbox --one message--> client's callbacks
//
// Measured beside `request` (bench_hot_path, `client_over_echo`): see the README.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/requests.hpp"

#include <atomic>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace batcher::actors {

namespace detail {

/// What has been answered and the client has not seen yet. Whoever answers pushes; the client takes
/// all at once. Whoever pushes first wakes it.
///
/// Thread rule: requests come home in any thread, everything else is for the client's actor.
template <class Request, class Response>
class inbox : public std::enable_shared_from_this<inbox<Request, Response>> {
public:
  using callback = std::function<void(caf::expected<Response>)>;

  explicit inbox(caf::scheduled_actor* self) : self_{self} {}
  inbox(const inbox&) = delete;
  inbox& operator=(const inbox&) = delete;

  /// Returns the message that carries a request, and brings it back with its answer, whatever becomes
  /// of it.
  template <class T>
  [[nodiscard]] external_message send_out(T request, callback on_reply) {
    if (under_way_++ == 0 && !is_awake_) {
      if (!is_armed_) arm();
      newest_.store(nullptr, std::memory_order_release);
    }
    auto* x = new_request(std::move(request));
    x->on_reply = std::move(on_reply);
    x->home = this->shared_from_this();
    x->owner = self_->ctrl();
    return {std::shared_ptr<payload>{x, [](asked* node) { node->come_home(); }}};
  }

  void close() noexcept { is_closed_.store(true, std::memory_order_relaxed); }

  [[nodiscard]] std::size_t under_way() const noexcept { return under_way_; }

private:
  struct link {
    link* next = nullptr;
  };

  // A request under way, or one that is to be used again.
  class asked final : public link, public external_request<Request, Response> {
  public:
    explicit asked(submit<Request> x) : external_request<Request, Response>{std::move(x)} {}

    void come_home() {
      auto to = std::move(home);
      auto actor = std::move(owner);
      if (actor->get()->getf(caf::abstract_actor::is_terminated_flag)) {
        on_reply = nullptr; // may hold the client
        return;
      }
      if (!result) result.emplace(batcher_has_ended());
      to->push(*this, actor, std::exchange(context_, nullptr));
    }

    [[nodiscard]] bool is_abandoned() const override {
      return home->is_closed_.load(std::memory_order_relaxed)
             || owner->get()->getf(caf::abstract_actor::is_terminated_flag);
    }

    // While it is under way.
    std::shared_ptr<inbox> home;
    caf::strong_actor_ptr owner; // an actor that waits for an answer stays, as with `request`
    callback on_reply;
    std::optional<caf::expected<Response>> result;

  private:
    void answer(std::size_t /*first*/, std::span<caf::expected<Response>> x) override {
      result.emplace(std::move(x.front()));
      context_ = this->context ? *this->context : nullptr; // of this thread: it comes home at once
    }

    compat::execution_context* context_ = nullptr;
  };

  // The answer to a request that was never sent wakes the actor, which so needs no handler for it.
  void arm() {
    is_armed_ = true;
    bell_ = compat::expect_answer(self_, [self = this->shared_from_this()] { self->wake(); });
  }

  // Once more than needed does no harm: the answer to a bell that has rung is dropped.
  void ring(const caf::strong_actor_ptr& owner, compat::execution_context* context) {
    compat::give_answer(owner, bell_, context);
  }

  void push(link& x, const caf::strong_actor_ptr& owner, compat::execution_context* context) {
    auto* newest = newest_.load(std::memory_order_relaxed);
    do x.next = newest;
    while (!newest_.compare_exchange_weak(newest, &x, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    if (!newest) ring(owner, context);
  }

  void wake() {
    is_armed_ = false;
    is_awake_ = true;
    for (;;) {
      take(newest_.exchange(&awake_, std::memory_order_acq_rel));
      if (under_way_ == 0) break;
      if (!is_armed_) arm();
      auto* nothing_new = &awake_;
      if (newest_.compare_exchange_strong(nothing_new, nullptr, std::memory_order_acq_rel)) break;
    }
    is_awake_ = false;
    // An actor that expects nothing may end.
    if (is_armed_ && under_way_ == 0) ring(self_->ctrl(), self_->context());
  }

  // Calls back for a list of answers, the oldest first.
  void take(link* newest) {
    link* oldest = nullptr;
    while (newest && newest != &awake_) {
      auto* before = std::exchange(newest->next, oldest);
      oldest = std::exchange(newest, before);
    }
    while (oldest) {
      auto& x = static_cast<asked&>(*std::exchange(oldest, oldest->next));
      --under_way_;
      auto on_reply = std::move(x.on_reply);
      auto result = std::move(*x.result);
      spare_.push_back(&x);
      if (on_reply && !is_closed_.load(std::memory_order_relaxed)) on_reply(std::move(result));
    }
  }

  static submit<Request> submission(Request x) { return {std::move(x)}; }
  static submit<Request> submission(submit<Request> x) { return x; }

  template <class T>
  asked* new_request(T request) {
    if (spare_.empty())
      return all_.emplace_back(std::make_unique<asked>(submission(std::move(request)))).get();
    auto* x = spare_.back();
    spare_.pop_back();
    if constexpr (std::is_same_v<T, Request>) {
      if (x->what.is_plain())
        x->what.request = std::move(request); // the rest of it is as new
      else
        x->what = submission(std::move(request));
    } else {
      x->what = std::move(request);
    }
    x->is_taken.store(false, std::memory_order_relaxed);
    x->result.reset();
    x->context = nullptr;
    return x;
  }

  caf::scheduled_actor* self_;
  std::atomic<caf::message_id> bell_;
  link awake_;                          // stands for a client that looks by itself
  std::atomic<link*> newest_ = &awake_; // null: whoever pushes is to wake it
  std::atomic<bool> is_closed_ = false;
  bool is_armed_ = false;
  bool is_awake_ = false;
  std::size_t under_way_ = 0;
  std::vector<std::unique_ptr<asked>> all_;
  std::vector<asked*> spare_;
};

} // namespace detail

/// Asks a batcher in the name of one actor: keep it in that actor's state.
///
///     [model = batcher::actors::client{self, batcher}](double x) mutable { // a handler
///       model.ask(x, [=](caf::expected<double> y) { ... });
///     }
///
/// Thread rule: everything in that actor, where callbacks run, too.
template <any_batcher_handle Handle>
class client {
public:
  using request_type = request_of<Handle>;
  using response_type = response_of<Handle>;

  client(caf::scheduled_actor* self, Handle batcher)
    : self_{self}, batcher_{std::move(batcher)}, inbox_{std::make_shared<inbox_type>(self)} {}
  client(client&&) noexcept = default;
  client& operator=(client&&) = delete;
  /// What is still under way is cancelled, and nobody is called back.
  ~client() {
    if (inbox_) inbox_->close();
  }

  /// Sends a request and calls `on_reply(caf::expected<Response>)` exactly once, whatever happens to
  /// the batcher, with what `request` would be answered with, where CAF's own
  /// `sec::request_receiver_down` becomes `errc::shut_down`. An empty `std::function` drops it. Tags share one space with those of all
  /// code outside of actors (`cancel` in ask.hpp).
  template <class F>
    requires std::invocable<F&, caf::expected<response_type>>
  void ask(submit<request_type> request, F on_reply) {
    send(inbox_->send_out(std::move(request), shareable(std::move(on_reply))));
  }
  template <class F>
    requires std::invocable<F&, caf::expected<response_type>>
  void ask(request_type request, F on_reply) {
    send(inbox_->send_out(std::move(request), shareable(std::move(on_reply))));
  }

  /// Returns how many requests have not been answered yet.
  [[nodiscard]] std::size_t under_way() const noexcept { return inbox_->under_way(); }

private:
  using inbox_type = detail::inbox<request_type, response_type>;

  void send(external_message msg) {
    auto* to = caf::actor_cast<caf::abstract_actor*>(batcher_);
    compat::send(self_->context(), nullptr, to, std::move(msg));
  }

  caf::scheduled_actor* self_;
  Handle batcher_;
  std::shared_ptr<inbox_type> inbox_;
};

} // namespace batcher::actors
