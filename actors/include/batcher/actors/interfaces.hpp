// SPDX-License-Identifier: BSD-3-Clause
//
// The protocol: every typed handle, and for each message who sends it and what it means.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/messages.hpp"

#include <caf/timespan.hpp>

#include <concepts>
#include <cstdint>

namespace batcher::actors {

/// `request(self, handle, message)` without a timeout, the same for every CAF; `.then(...)` and
/// `.receive(...)` follow as usual. CAF's own spelling works as well, but 1.x has deprecated that of
/// 0.17. For a timeout give the request one (`submit`): CAF's costs a timer each.
using compat::request;

/// The plain actor that a batcher replaces: whoever holds this need not know that there is a
/// batcher.
template <class Request, class Response>
using plain_handle = compat::typed_actor<caf::result<Response>(Request)>;

/// A batcher, as its users see it. Converts to `plain_handle`.
template <class Request, class Response>
using batcher_handle = compat::typed_actor<
  // Any actor: answers with the response or an error (`errc`, or the batch function's own).
  caf::result<Response>(Request),
  // Any actor: the same, with wishes; made by `message_of(submit)`.
  caf::result<Response>(submit_message),
  // Any actor: many requests at once, answered in one message; made by `message_of(bulk)`.
  caf::result<bulk_reply_message>(bulk_message),
  // Any actor: forget my request with that `submit::tag`. It is answered with `errc::cancelled`, this
  // with whether it was there.
  caf::result<bool>(cancel_atom, std::uint64_t),
  // Any actor: I want to send so many requests. Answered with how many it may send
  // `submit::on_credit`, at least 1, within `credit_lease`, as soon as there is room
  // (`overload::wait_for_credit`; `errc::invalid_request` without).
  caf::result<std::uint32_t>(credit_atom, std::uint32_t),
  // Any actor: does it take new requests?
  caf::result<bool>(is_running_atom),
  // Any actor: what is going on?
  caf::result<stats_message>(stats_atom),
  // Any actor: dispatch nothing until told to go on. Requests are taken and expire as usual.
  caf::result<void>(pause_atom), caf::result<void>(resume_atom),
  // Any actor: take these options from now on, but for name, observer, shards and shard_by, which
  // stay. Refused whole with `errc::invalid_options` and a text that names every problem. Nothing that waits or runs is
  // lost.
  caf::result<void>(reconfigure_message),
  // Any actor: refuse new requests, finish those you have, answer the rest with `errc::shut_down`
  // after the timeout. Answered when nothing is left, with the number of requests answered with
  // `errc::shut_down`, over its whole life.
  caf::result<std::uint64_t>(drain_atom, caf::timespan),
  // Any actor: answer everything with `errc::shut_down` at once, and every later request too.
  caf::result<void>(stop_atom),
  // `ask`: a request from outside the actor system, with its own way back.
  caf::result<void>(external_message)>;

/// The types of the messages that a batcher's handle takes and answers.
template <class Handle>
using request_of = typename compat::first_message<Handle>::request;
template <class Handle>
using response_of = typename compat::first_message<Handle>::response;

/// A handle of a batcher, whatever its messages.
template <class Handle>
concept any_batcher_handle =
  std::same_as<Handle, batcher_handle<request_of<Handle>, response_of<Handle>>>;

/// A batcher, as it sees itself.
template <class Request, class Response>
using batcher_interface =
  compat::extend<batcher_handle<Request, Response>,
                 // Its workers: the job is filled in, whatever came of it.
                 caf::result<void>(job_done_message),
                 // The one whose shard it is: forget the request of that sender with that tag.
                 caf::result<bool>(cancel_atom, std::uint64_t, caf::strong_actor_ptr),
                 // Whoever brings workers from elsewhere (node.hpp): they are ready, with their
                 // credit. Refused with `errc::shut_down`. When they are needed no more, that actor
                 // is ended with `exit_reason::user_shutdown`.
                 caf::result<void>(join_message),
                 // The same: they finish what they hold and go, or are lost.
                 caf::result<void>(leave_message),
                 // Itself: the time has come that the core asked for. Carries a generation; a stale
                 // one is ignored, 0 never is.
                 caf::result<void>(tick_atom, std::uint64_t)>;

/// A worker, as its batcher sees it.
using worker_handle = compat::typed_actor<
  // Its batcher, once: make the batch function and warm up. Answered when it is ready for jobs.
  caf::result<void>(start_atom),
  // Its batcher: run the batch function. The sender gets the job back, whatever comes of it: at once
  // if it can take it (`job_home`), otherwise in a `job_done_message`.
  caf::result<void>(job_message),
  // Its batch function: a job that was to be answered later is filled in.
  caf::result<void>(job_done_message)>;

} // namespace batcher::actors
