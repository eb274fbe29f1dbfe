// SPDX-License-Identifier: BSD-3-Clause
//
// What comes into a batcher in great numbers, requests of every kind and finished jobs, from messages
// to calls of the front desk.
//
// Thread rule: used by whoever has the batcher for itself (entrance.hpp).

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/entrance.hpp"
#include "batcher/actors/front_desk.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/requests.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace batcher::actors {

template <class Request, class Response>
class intake {
public:
  using desk_type = front_desk<Request, Response>;

  /// `desk`, `context` (where answers find it) and what `start_batches` refers to must outlive it;
  /// that is called before more is taken than a batch holds.
  intake(desk_type& desk, compat::execution_context* const& context,
         std::function<void(time_point)> start_batches)
    : desk_{desk}, context_{&context}, start_batches_{std::move(start_batches)} {}

  /// Says how a message gets in. `has_context`: whether an actor that runs in this thread sends it.
  [[nodiscard]] static entrance::kind kind_of(const caf::mailbox_element& msg,
                                              bool has_context = true) {
    using enum entrance::kind;
    if (compat::is_plain<Request>(msg)) return has_context ? request : passing_request;
    if (compat::is_of<job_done_message>(msg)) return prompt;
    if (compat::is_plain<bulk_message>(msg)) {
      if (has_context) return prompt;
      return is_of_ask(msg) ? request : passing_request;
    }
    if (compat::is_plain<external_message>(msg) || compat::is_plain<submit_message>(msg))
      return has_context || is_of_ask(msg) ? request : passing_request;
    return is_request(msg) || is_control(msg) ? ordered : other;
  }

  /// Returns whether a message is a request, however it comes.
  [[nodiscard]] static bool is_request(const caf::mailbox_element& msg) {
    return !compat::is_response(msg)
           && (compat::is_of<Request>(msg) || compat::is_of<external_message>(msg)
               || compat::is_of<submit_message>(msg) || compat::is_of<bulk_message>(msg));
  }

  /// Does what a message asks for. Precondition: it is a request or a result, or would be one if it
  /// were not `ordered`.
  void handle(time_point at, caf::mailbox_element& msg) {
    if (compat::is_of<Request>(msg)) {
      auto request = compat::take_content<Request>(msg);
      desk_.take(at, std::move(request), reply_type{promise(msg)});
    } else if (compat::is_of<job_done_message>(msg)) {
      auto work =
        std::static_pointer_cast<job_type>(compat::take_content<job_done_message>(msg).job);
      desk_.finish(at, std::move(work));
    } else if (compat::is_of<bulk_message>(msg)) {
      take(at, msg, compat::take_content<bulk_message>(msg));
    } else if (compat::is_of<external_message>(msg)) {
      take(at, msg, compat::take_content<external_message>(msg));
    } else if (compat::is_of<submit_message>(msg)) {
      take(at, msg, compat::take_content<submit_message>(msg));
    }
  }

  /// The same for several, and frees them.
  void handle_all(time_point at, entrance::burst& messages) {
    auto most = desk_.core().opts().max_batch_items;
    for (std::size_t i = 0; i < messages.size();) {
      auto ahead = std::min(messages.size() - i, most);
      auto taken = take_run(at, std::span{messages}.subspan(i, ahead));
      if (taken == 0) handle(at, *messages[i]);
      i += std::max<std::size_t>(taken, 1);
      make_room(at);
    }
    messages.clear();
  }

private:
  using external = external_request<Request, Response>;
  using reply_type = reply<Response>;
  using job_type = job<Request, Response>;
  using item_type = request_item<Request, Response>;

  // Other messages without a context may be delayed ones, which CAF's clock sends from its own
  // thread. That must not arm timers: it would wait for itself when they are many.
  static bool is_of_ask(const caf::mailbox_element& msg) {
    if (compat::is_of<external_message>(msg)) return true;
    if (!compat::is_of<bulk_message>(msg)) return false;
    auto* carried = msg.content().template get_as<bulk_message>(0).requests.get();
    auto* many = dynamic_cast<const bulk_payload<Request>*>(carried);
    return many && many->collector;
  }

  // Takes those in front that are requests of one kind and have no wishes.
  std::size_t take_run(time_point at, std::span<unread_message> from) {
    auto count = [&](auto fits) {
      auto end = std::find_if_not(from.begin(), from.end(), [&](auto& msg) { return fits(*msg); });
      return static_cast<std::size_t>(end - from.begin());
    };
    if (auto requests = count(compat::owns_only<Request>); requests > 0)
      return desk_.take_run(at, {}, requests, [&](std::size_t i) {
        auto& msg = *from[i];
        return item_type{compat::take_content<Request>(msg), reply_type{promise(msg)}};
      });
    return desk_.take_run(at, {}, count(is_plain_external), [&](std::size_t i) {
      auto outside = std::static_pointer_cast<external>(
        compat::take_content<external_message>(*from[i]).request);
      auto& asked = *outside;
      asked.is_taken.store(true, std::memory_order_relaxed);
      expect(std::move(outside));
      return item_type{std::move(asked.what.request), reply_type{asked, 0}};
    });
  }

  static bool is_plain_external(const caf::mailbox_element& msg) {
    if (!compat::is_plain<external_message>(msg) || !compat::owns_only<external_message>(msg))
      return false;
    auto* carried = msg.content().template get_as<external_message>(0).request.get();
    return carried && carried->type == &external::mark
           && !carried->is_taken.load(std::memory_order_relaxed)
           && static_cast<const external*>(carried)->what.is_plain();
  }

  void expect(std::shared_ptr<external> outside) {
    auto& asked = *outside;
    asked.context = context_;
    asked.expect(std::move(outside), 1);
  }

  // Or the queue could be full while a worker is free.
  void make_room(time_point at) {
    if (desk_.core().has_full_batch()) start_batches_(at);
  }

  owned_promise promise(caf::mailbox_element& msg) { return owned_promise{msg, context_}; }

  // Of a message whose payload is not what it should be.
  void refuse(time_point at, caf::mailbox_element& msg) {
    desk_.core().refuse(at, errc::invalid_request);
    promise(msg).deliver(
      caf::make_error(errc::invalid_request,
                      "the message holds no request of the type that " + desk_.core().opts().name
                        + " takes, or was sent before; name the type in message_of and make a "
                          "new message each time"));
  }

  void take(time_point at, caf::mailbox_element& msg, external_message content) {
    auto outside = take_as<external>(content.request);
    if (!outside) return refuse(at, msg);
    // Nobody, but for requests from other nodes.
    auto from = caf::actor_cast<caf::actor_addr>(msg.sender);
    expect(outside);
    reply_type answer{*outside, 0};
    if (outside->what.is_plain())
      desk_.take(at, std::move(outside->what.request), std::move(answer));
    else
      take(at, outside->what, std::move(answer), std::move(from));
    promise(msg).deliver(caf::unit);
  }

  void take(time_point at, caf::mailbox_element& msg, submit_message content) {
    auto carried = take_as<submit_payload<Request>>(content.request);
    if (!carried) return refuse(at, msg);
    auto from = caf::actor_cast<caf::actor_addr>(msg.sender); // which the promise takes away
    take(at, carried->what, reply_type{promise(msg)}, std::move(from));
  }

  // Moves out only the request itself: the key may be read at the same time for a message that is sent
  // twice (sharded_batcher.hpp).
  void take(time_point at, submit<Request>& what, reply_type answer, caf::actor_addr from) {
    placement where{.key = what.key,
                    .tenant = what.tenant,
                    .priority = what.priority,
                    .timeout = what.timeout,
                    .on_credit = what.on_credit};
    std::optional<tag_key> tag;
    if (what.tag != 0) tag.emplace(std::move(from), what.tag);
    desk_.take(at, std::move(what.request), std::move(answer), where, std::move(tag));
  }

  void take(time_point at, caf::mailbox_element& msg, bulk_message content) {
    auto carried = take_as<bulk_payload<Request>>(content.requests);
    if (!carried) return refuse(at, msg);
    // The promise of a bulk from outside, which it collects for itself, answers nobody.
    auto owed = promise(msg);
    auto whole = std::static_pointer_cast<answer_sink<Response>>(std::move(carried->collector));
    if (!whole) {
      auto parts = carried->what.requests.size();
      whole = collect_for<Response>(parts, bulk_promise<Response>{std::move(owed)});
    }
    desk_.take_all(at, carried->what, whole, [&] { make_room(at); });
  }

  desk_type& desk_;
  compat::execution_context* const* context_;
  std::function<void(time_point)> start_batches_;
};

} // namespace batcher::actors
