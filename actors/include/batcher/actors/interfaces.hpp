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

/// The plain actor that a batcher replaces: whoever holds this need not know that there is a
/// batcher.
template <class Request, class Response>
using plain_handle = compat::typed_actor<caf::result<Response>(Request)>;

/// A batcher, as its users see it. Converts to `plain_handle`.
template <class Request, class Response>
using batcher_handle = compat::typed_actor<
  // Any actor: answers with the response or an error (`errc`, or the batch function's own).
  caf::result<Response>(Request),
  // Any actor: does it take new requests?
  caf::result<bool>(is_running_atom),
  // Any actor: refuse new requests, finish those you have, answer the rest with `errc::shut_down`
  // after the timeout. Answered when nothing is left, with the number of requests that ran into the
  // timeout.
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
using batcher_interface = compat::typed_actor<
  caf::result<Response>(Request),                        // as above
  caf::result<bool>(is_running_atom),                    // as above
  caf::result<std::uint64_t>(drain_atom, caf::timespan), // as above
  caf::result<void>(stop_atom),                          // as above
  caf::result<void>(external_message),                   // as above
  // Itself: the time has come that the core asked for. Carries a generation; a stale one is
  // ignored.
  caf::result<void>(tick_atom, std::uint64_t)>;

/// A worker, as its batcher sees it.
using worker_handle = compat::typed_actor<
  // Its batcher, once: make the batch function. Answered when it is ready for jobs.
  caf::result<void>(start_atom),
  // Its batcher: run the batch function. Answered when the job is filled in, whatever came of it.
  caf::result<void>(job_message)>;

} // namespace batcher::actors
