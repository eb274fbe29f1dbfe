// SPDX-License-Identifier: BSD-3-Clause
//
// The door of a published batcher: whoever connects talks to this first, says hello, and gets a
// session of his own (session.hpp), or a refusal that says why. Knows no user's type.

#pragma once

#include "batcher/actors/node/options.hpp"
#include "batcher/actors/node/session.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include <functional>
#include <string>

namespace batcher::actors::node {

struct gate_settings {
  publish_options opts;
  std::string batcher_name;
  std::string request_type;
  std::string response_type;
  /// The gate ends with it.
  caf::actor batcher;
  /// CAF's middleman: is told to close the port when the batcher has ended. Nobody: not told.
  caf::actor network = {};
  /// Start a session of that kind.
  std::function<caf::actor(caf::actor_system&, session_seed)> make_client;
  std::function<caf::actor(caf::actor_system&, session_seed)> make_worker;
};

/// Starts a gate. It ends, and all sessions with it, when it gets `close_atom` or, once it has got
/// `start_atom`, its batcher ends.
[[nodiscard]] caf::actor spawn_gate(caf::actor_system& system, gate_settings settings);

} // namespace batcher::actors::node
