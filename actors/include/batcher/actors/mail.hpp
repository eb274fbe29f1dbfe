// SPDX-License-Identifier: BSD-3-Clause
//
// What is done with messages below CAF's own interface, where both versions of CAF are the same.

#pragma once

#include "batcher/actors/caf_compat.hpp"

#include <utility>

namespace batcher::actors::compat {

/// Returns whether a message overtakes those of normal priority.
[[nodiscard]] inline bool is_urgent(const caf::mailbox_element& msg) {
  return msg.mid.category() == caf::message_id::urgent_message_category;
}

/// Returns whether a message is an answer to a request.
[[nodiscard]] inline bool is_response(const caf::mailbox_element& msg) {
  return msg.mid.is_response();
}

/// Sends a message. `context`: as in `return_path::send`. Any thread.
template <class... Ts>
void send(execution_context* context, caf::strong_actor_ptr from, caf::abstract_actor* to,
          Ts&&... xs) {
  if (to)
    to->enqueue(make_element(std::move(from), caf::make_message_id(), std::forward<Ts>(xs)...),
                context);
}

/// Sends a message at an instant. 0.17.6 cannot take it back, and `to` lives until it arrives. Any
/// thread.
template <class... Ts>
void send_at(caf::actor_clock& clock, caf::actor_clock::time_point at, caf::strong_actor_ptr to,
             Ts&&... xs) {
  clock.schedule_message(at, std::move(to),
                         make_element(nullptr, caf::make_message_id(), std::forward<Ts>(xs)...));
}

/// Lets an actor expect an answer that nobody owes it, calls `on_answer()` in it when that comes, and
/// returns by which name. It does not end by itself before.
template <class F>
[[nodiscard]] caf::message_id expect_answer(caf::scheduled_actor* self, F on_answer) {
  auto id = self->new_request_id(caf::message_priority::normal).response_id();
  self->add_multiplexed_response_handler(id, caf::behavior{std::move(on_answer)});
  return id;
}

/// Gives that answer. `context`: as in `return_path::send`. Any thread.
inline void give_answer(const caf::strong_actor_ptr& to, caf::message_id name,
                        execution_context* context) {
  to->enqueue(make_element(nullptr, name, caf::message{}), context);
}

/// Lets an actor go on when it gets an error as a message of its own; by default it ends. Whoever is
/// answered without having asked, and does not understand the answer, sends one back. 1.x deprecates
/// the handler, but a typed actor would have to take errors in its interface instead.
template <class Self>
void ignore_errors(Self* self) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  self->set_error_handler([](caf::error&) {});
#pragma GCC diagnostic pop
}

} // namespace batcher::actors::compat
