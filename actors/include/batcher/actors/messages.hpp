// SPDX-License-Identifier: BSD-3-Clause
//
// Every message of ours that is not the user's own: the atoms of the protocol, the error category,
// and the two kinds of message that carry a pointer and therefore stay inside one process.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/batch.hpp"
#include "batcher/errc.hpp"

#include <atomic>
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

/// What a worker is given to do and what came of it, in one object: the batcher fills in the
/// requests, the worker everything else. Whoever holds the message may touch it, nobody else, but
/// for `abandoned`.
struct job_base {
  /// Set by the batcher, from its own thread, when everybody in the batch has been answered: a
  /// worker that has not begun with the job leaves it.
  std::atomic<bool> abandoned = false;
  /// `none`, or why there are no results.
  errc outcome = errc::none;
  /// The exception's text if `outcome` is `batch_failed`.
  std::string reason;
  /// Counts and time, filled in whatever the outcome is.
  batch_report report;
};

/// Carries a job to a worker. Inside one process only: the worker knows the type behind it.
struct job_message {
  std::shared_ptr<job_base> job;
};

/// A request from outside the actor system, and how to answer it.
struct external_request_base {
  external_request_base() = default;
  external_request_base(const external_request_base&) = delete;
  external_request_base& operator=(const external_request_base&) = delete;
  virtual ~external_request_base() = default;
};

/// Carries a request from outside to a batcher. Inside one process only.
struct external_message {
  std::shared_ptr<external_request_base> request;
};

/// First type id of this library's block. Blocks of an application start at `first_custom_type_id`
/// as usual and stay below this.
inline constexpr auto first_type_id = caf::first_custom_type_id + 1'000;

} // namespace batcher::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::job_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::external_message)

CAF_BEGIN_TYPE_ID_BLOCK(batcher, batcher::actors::first_type_id)

  BATCHER_ADD_ATOM(batcher, batcher::actors, is_running_atom, "isrunning")
  BATCHER_ADD_ATOM(batcher, batcher::actors, drain_atom, "drain")
  BATCHER_ADD_ATOM(batcher, batcher::actors, stop_atom, "stop")
  BATCHER_ADD_ATOM(batcher, batcher::actors, start_atom, "start")
  BATCHER_ADD_ATOM(batcher, batcher::actors, tick_atom, "tick")
  CAF_ADD_TYPE_ID(batcher, (batcher::errc))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::job_message))
  CAF_ADD_TYPE_ID(batcher, (batcher::actors::external_message))

CAF_END_TYPE_ID_BLOCK(batcher)

BATCHER_ERROR_CODE_ENUM(batcher::errc, "batcher")

namespace batcher::actors {

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
