// SPDX-License-Identifier: BSD-3-Clause
//
// The end of a connection that dials: finds the gate, introduces itself, keeps the connection alive
// and makes it again when it is lost. What is said over it is its owner's business, a link (client)
// or a worker node.
//
//            line_start        connected         welcome
//     idle ------------> connecting ----> greeting ----> up
//                         ^    |             |           |
//       the wait is over  |    +-- failed, refused, no answer in connect_timeout
//                         |    v                         |
//                        pausing <--- lost, silent, goodbye
//
// Waits grow and are drawn as those of a dead worker (worker_table.hpp): [d/2, d], d = retry_delay *
// 2^(k-1) the k-th time in a row, at most max_retry_delay. Only a connection that has held for
// max_retry_delay ends the row.
//
// An actor of its own beside its owner, since CAF holds on to whoever has once sent something to
// another process: the owner's life stays that of its handles.

#pragma once

#include "batcher/actors/node/options.hpp"
#include "batcher/actors/node/wire.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include <string>

namespace batcher::actors::node {

struct line_settings {
  std::string host;
  std::uint16_t port = 0;
  reconnect_options reconnect;
  /// Takes `(connect_atom, host, port)` and answers as CAF's middleman does.
  caf::actor connector;
  /// Gets the frames and `line_event`s. The line does not keep it alive.
  caf::weak_actor_ptr owner;
};

/// Starts a line, which waits for `line_start`, carries what comes as `line_send`, and ends with
/// `line_stop` or when it gives up. However it ends, its owner is told.
[[nodiscard]] caf::actor spawn_line(caf::actor_system& system, line_settings settings);

} // namespace batcher::actors::node
