// SPDX-License-Identifier: BSD-3-Clause
//
// What publishing and joining do besides starting actors.

#include "batcher/actors/node.hpp"

#include <iostream>
#include <stdexcept>

namespace batcher::actors {

void publication::close() {
  auto port = std::exchange(port_, std::uint16_t{0});
  auto gate = std::exchange(gate_, {});
  if (!gate) return;
  // Returns when the port is free; if the gate has ended before, there is nothing left to close.
  static_cast<void>(gate.home_system().middleman().unpublish(gate, port));
  compat::anon_send(gate, node::close_atom_v);
}

joined_node::~joined_node() {
  if (node_) compat::anon_send(node_, node::close_atom_v);
}

std::uint64_t joined_node::leave(duration timeout) {
  auto node = std::exchange(node_, {});
  if (!node) return 0;
  caf::scoped_actor self{node.home_system()};
  std::uint64_t unfinished = 0;
  compat::request(self.ptr(), node, node::depart_atom_v, caf::timespan{timeout})
    .receive([&](std::uint64_t n) { unfinished = n; }, [](const caf::error&) {});
  return unfinished;
}

namespace node {

void require_valid(const char* what, const std::vector<std::string>& problems) {
  if (problems.empty()) return;
  std::string text = std::string{"invalid options for "} + what + ":";
  for (auto& problem : problems) text += "\n  " + problem;
  throw invalid_options{text};
}

namespace {

void require_network(caf::actor_system& system) {
  if (!system.has_middleman())
    throw std::logic_error{"the actor system has no networking: make it with a network_config"};
}

} // namespace

caf::actor connector_of(caf::actor_system& system) {
  require_network(system);
  return caf::actor_cast<caf::actor>(system.middleman().actor_handle());
}

publication open(caf::actor_system& system, gate_settings settings) {
  require_network(system);
  auto& opts = settings.opts;
  auto port = opts.port;
  auto address = opts.bind;
  if (!is_loopback(address))
    std::clog << "warning: batcher " << settings.batcher_name << " listens on " << address
              << " without encryption, and asks nobody who he is\n";
  auto gate = spawn_gate(system, std::move(settings));
  // With SO_REUSEADDR: a batcher that is started anew must have its port back at once.
  auto opened = system.middleman().publish(gate, port, address.c_str(), true);
  if (!opened) {
    compat::anon_send(gate, close_atom_v);
    throw std::runtime_error{"cannot listen on " + address + ":" + std::to_string(port)
                             + ", is the port in use? " + compat::render(system, opened.error())};
  }
  return {std::move(gate), *opened};
}

} // namespace node

} // namespace batcher::actors
