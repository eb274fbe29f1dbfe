// SPDX-License-Identifier: BSD-3-Clause
//
// Requests with more than the request: wishes of the sender, or many at once. The plain `Request`
// stays the usual way in.
//
//     request(self, batcher, message_of(submit<double>{.request = 3, .priority = 2}))
//       .then([](double y) { ... });
//     request(self, batcher, message_of(bulk<double>{.requests = {1, 2, 3}}))
//       .then([](bulk_reply_message& reply) {
//         for (auto& y : results_of<double>(reply)) ...   // caf::expected<double>, in order
//       });

#pragma once

#include "batcher/actors/messages.hpp"
#include "batcher/item.hpp"
#include "batcher/time.hpp"

#include <caf/expected.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace batcher::actors {

/// A request and what its sender asks for. All but the request is optional.
template <class Request>
struct submit {
  Request request;
  /// How long it may take, counted from its arrival at the batcher; then it is answered with
  /// `errc::expired`. Zero: as long as the batcher's `request_timeout` says, which it can only
  /// shorten.
  duration timeout = duration::zero();
  /// How urgent it is among those of its tenant. Range: 0 to 7, larger is more urgent. Others are
  /// answered with `errc::invalid_request`.
  std::uint8_t priority = 0;
  /// Its lane: requests of different keys never share a batch.
  std::string key = {};
  /// Who is charged within the lane.
  std::string tenant = {};
  /// What `(cancel_atom, tag)` names it by, among the requests of one sender that are not answered
  /// yet. 0: it cannot be cancelled. One that is in use: `errc::invalid_request`; with shards only if
  /// that request is in the same shard, or else `cancel` takes both.
  std::uint64_t tag = 0;
  /// Whether it uses up a credit that `(credit_atom, n)` was answered with.
  bool on_credit = false;

  /// Returns whether it asks for nothing beyond the request.
  [[nodiscard]] bool is_plain() const noexcept {
    return timeout == duration::zero() && priority == 0 && key.empty() && tenant.empty() && tag == 0
           && !on_credit;
  }
};

/// Many requests, answered in one message, in order, each with a value or an error. They batch with
/// everybody else's; each counts as a request of its own, and may be refused by itself.
template <class Request>
struct bulk {
  std::vector<Request> requests;
  /// As in `submit`, for each of them.
  duration timeout = duration::zero();
  std::uint8_t priority = 0;
  std::string key = {};
  std::string tenant = {};
};

// -- what travels ---------------------------------------------------------------------------------

template <class Request>
struct submit_payload final : payload {
  explicit submit_payload(submit<Request> x) : what{std::move(x)} {}
  submit<Request> what;
};

/// The answers to a bulk.
template <class Response>
using bulk_results = std::vector<caf::expected<Response>>;

template <class Response>
struct bulk_reply_payload final : payload {
  explicit bulk_reply_payload(bulk_results<Response> xs) : results{std::move(xs)} {}
  bulk_results<Response> results;
};

/// `collector`: an `answer_sink` of the batcher's responses, if the answers do not go to an actor.
template <class Request>
struct bulk_payload final : payload {
  explicit bulk_payload(bulk<Request> xs, std::shared_ptr<void> to = {})
    : what{std::move(xs)}, collector{std::move(to)} {}
  bulk<Request> what;
  std::shared_ptr<void> collector;
};

/// Returns the message that carries a request, for `self->request`. Inside one process only. Send it
/// once: a copy that comes second is answered with `errc::invalid_request`, as is a request of
/// another type than the batcher's. Name the type, `submit<double>{.request = 3}`, since
/// `submit{.request = 3}` is a request of type int.
template <class Request>
[[nodiscard]] submit_message message_of(submit<Request> x) {
  return {std::make_shared<submit_payload<Request>>(std::move(x))};
}
template <class Request>
[[nodiscard]] bulk_message message_of(bulk<Request> xs) {
  return {std::make_shared<bulk_payload<Request>>(std::move(xs))};
}

/// Returns the results in a reply, to be moved from: one for each request, in order.
/// Throws `std::invalid_argument` unless it answers a bulk to a batcher with that `Response`.
template <class Response>
[[nodiscard]] bulk_results<Response>& results_of(bulk_reply_message& reply) {
  auto* found = dynamic_cast<bulk_reply_payload<Response>*>(reply.results.get());
  if (!found) throw std::invalid_argument{"the reply has no results of that type"};
  return found->results;
}

/// Returns the sentence that an error of a batcher carries, empty if it carries none.
[[nodiscard]] std::string text_of(const caf::error& why);

/// What an error of code `errc::queue_full` says besides.
struct overload_hint {
  /// Items in the queue, that of all shards together.
  std::uint64_t queue_items = 0;
  /// How long they take to be dispatched at the rate of late: when to try again. With shards: those of
  /// the shard that would have taken the request.
  duration retry_after = duration::zero();
};

/// Returns the hint that an error carries, nothing if it carries none.
[[nodiscard]] std::optional<overload_hint> hint_of(const caf::error& why);

} // namespace batcher::actors
