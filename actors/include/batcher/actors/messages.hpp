// SPDX-License-Identifier: BSD-3-Clause
//
// Every message of ours that is not the user's own: the atoms of the protocol, the error category,
// and the messages that carry a pointer and therefore stay inside one process. They do so because
// the types behind them depend on the user's: nobody has to register those.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/errc.hpp"
#include "batcher/options.hpp"
#include "batcher/stats.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/error.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace batcher {

// What CAF 1.x asks of an error enumeration, found by argument-dependent look-up. Not for callers.
[[nodiscard]] bool from_string(std::string_view name, errc& code) noexcept;
[[nodiscard]] bool from_integer(std::uint8_t value, errc& code) noexcept;

BATCHER_INSPECT_ERROR_CODE(errc)

} // namespace batcher

namespace batcher::actors {

/// What stands behind the pointer of a message. All copies of the message share it.
struct payload {
  payload() = default;
  payload(const payload&) = delete;
  payload& operator=(const payload&) = delete;
  virtual ~payload() = default;

  /// Set by the first one who takes what is inside.
  std::atomic<bool> is_taken = false;
  /// A mark of the type, where a cast would cost too much; null for others.
  const void* type = nullptr;
};

/// Returns what a message carries, to be moved from, if it is a `T` and nobody has taken it before;
/// otherwise nothing.
template <class T>
[[nodiscard]] std::shared_ptr<T> take_as(const std::shared_ptr<payload>& carried) {
  auto found = std::dynamic_pointer_cast<T>(carried);
  if (!found || found->is_taken.exchange(true, std::memory_order_relaxed)) return nullptr;
  return found;
}

/// Carries a job to a worker.
struct job_message {
  std::shared_ptr<payload> job;
};

/// Tells a batcher that its worker is done with a job, or a worker that its function has answered
/// one, in whatever thread.
struct job_done_message {
  std::shared_ptr<payload> job;
};

/// Carries a request with its sender's wishes, see `submit`.
struct submit_message {
  std::shared_ptr<payload> request;
};

/// Carries many requests that are answered together, see `bulk`.
struct bulk_message {
  std::shared_ptr<payload> requests;
};

/// Carries their answers.
struct bulk_reply_message {
  std::shared_ptr<payload> results;
};

/// Carries a request from outside the actor system, and how to answer it, see `ask`.
struct external_message {
  std::shared_ptr<payload> request;
};

/// Carries new options to a batcher.
struct reconfigure_message {
  std::shared_ptr<const options> opts;
};

/// Lets an actor that the batcher has not started, a `worker_handle`, work for it as so many workers.
struct join_message {
  caf::strong_actor_ptr worker;
  std::uint32_t workers = 1;
  /// Batches that each of them may hold at once.
  std::uint32_t credit = 1;
};

/// Takes all of them back: without an error they finish what they hold, with one that is lost.
struct leave_message {
  caf::strong_actor_ptr worker;
  caf::error why;
};

/// What a batcher says of itself.
struct stats_message {
  batcher_stats stats;
};

/// First type id of this library's block. Blocks of an application start at `first_custom_type_id`
/// as usual and stay below this.
inline constexpr auto first_type_id = caf::first_custom_type_id + 1'000;

} // namespace batcher::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::job_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::job_done_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::submit_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::bulk_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::bulk_reply_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::external_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::reconfigure_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::join_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::leave_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::stats_message)

CAF_BEGIN_TYPE_ID_BLOCK(batcher, batcher::actors::first_type_id)

  BATCHER_ADD_ATOM(batcher, batcher::actors, is_running_atom, "isrunning")
  BATCHER_ADD_ATOM(batcher, batcher::actors, drain_atom, "drain")
  BATCHER_ADD_ATOM(batcher, batcher::actors, stop_atom, "stop")
  BATCHER_ADD_ATOM(batcher, batcher::actors, pause_atom, "pause")
  BATCHER_ADD_ATOM(batcher, batcher::actors, resume_atom, "resume")
  BATCHER_ADD_ATOM(batcher, batcher::actors, stats_atom, "stats")
  BATCHER_ADD_ATOM(batcher, batcher::actors, cancel_atom, "cancel")
  BATCHER_ADD_ATOM(batcher, batcher::actors, credit_atom, "credit")
  BATCHER_ADD_ATOM(batcher, batcher::actors, start_atom, "start")
  BATCHER_ADD_ATOM(batcher, batcher::actors, tick_atom, "tick")
  CAF_ADD_TYPE_ID(batcher, (batcher::errc))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::job_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::job_done_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::submit_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::bulk_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::bulk_reply_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::external_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::reconfigure_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::stats_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::join_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::leave_message))

CAF_END_TYPE_ID_BLOCK(batcher)

BATCHER_ERROR_CODE_ENUM(batcher::errc, "batcher")

namespace batcher::actors {

/// Returns whether a message asks the batcher for something, but is no request.
[[nodiscard]] bool is_control(const caf::mailbox_element& msg);

template <class... IdBlocks>
struct type_registration {
  type_registration() {
    compat::register_types_before_config<caf::id_block::batcher, IdBlocks...>();
  }
};

/// The configuration of an actor system that can run batchers: CAF's own plus this library's types
/// and errors, and the user's type id blocks. Derive from it, or use it as it is:
///
///     batcher::actors::system_config<caf::id_block::my_app> cfg;
///     caf::actor_system system{cfg};
template <class... IdBlocks>
class system_config : private type_registration<IdBlocks...>, public caf::actor_system_config {
public:
  system_config() {
    compat::register_types<caf::id_block::batcher, IdBlocks...>(*this);
    compat::register_errors<errc>(*this, "batcher");
  }
};

} // namespace batcher::actors
