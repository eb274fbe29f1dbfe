// SPDX-License-Identifier: BSD-3-Clause
//
// In the place of tls.cpp where CAF was built without OpenSSL: says so.

#include "tls.hpp"

#include "batcher/actors/node.hpp"

#include <stdexcept>

namespace batcher::actors {

std::vector<std::string> validate(const tls_options&) {
  return {
    "there is no TLS in this build: build Batcher with a CAF that has its openssl module, and "
    "OpenSSL's headers (libssl-dev), or let a pair of TLS proxies such as stunnel encrypt"};
}

namespace node {

void use_tls(caf::actor_system_config&, const tls_options& opts) {
  require_valid("TLS", validate(opts));
}

caf::actor tls_connector_of(caf::actor_system&) {
  throw std::logic_error{"the actor system has TLS, but Batcher was built without"};
}

void forget_tls_errors() {}

} // namespace node

} // namespace batcher::actors
