// SPDX-License-Identifier: BSD-3-Clause
//
// What node.cpp needs of CAF's TLS, which tls.cpp knows, or no_tls.cpp where CAF was built without.

#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

namespace batcher::actors::node {

/// Returns who connects and publishes over TLS for that system. Throws `std::logic_error` if it has
/// no certificates. Precondition: the system has CAF's TLS.
[[nodiscard]] caf::actor tls_connector_of(caf::actor_system& system);

} // namespace batcher::actors::node
