// SPDX-License-Identifier: BSD-3-Clause
//
// What node.cpp and middleman.cpp need of CAF's TLS, which tls.cpp knows, or no_tls.cpp where CAF was
// built without.

#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

namespace batcher::actors::node {

/// Returns who connects and publishes over TLS for that system. Throws `std::logic_error` if it has
/// no certificates. Precondition: the system has CAF's TLS.
[[nodiscard]] caf::actor tls_connector_of(caf::actor_system& system);

/// Forgets the errors that OpenSSL keeps for this thread. CAF leaves those of a connection that has
/// failed there, and then takes them for errors of the next one that it looks at, which it closes.
void forget_tls_errors();

} // namespace batcher::actors::node
