// SPDX-License-Identifier: BSD-3-Clause
//
// What publishing and joining do besides starting actors.

#include "batcher/actors/node.hpp"

#include "tls.hpp"

#include <caf/io/middleman.hpp>
#include <caf/io/network/multiplexer.hpp>

#include <atomic>
#include <future>
#include <iostream>
#include <memory>
#include <set>
#include <stdexcept>

namespace batcher::actors {

void publication::close() {
  auto port = std::exchange(port_, std::uint16_t{0});
  auto gate = std::exchange(gate_, {});
  if (!gate) return;
  // Returns when the port is free; if the gate has ended before, there is nothing left to close. Ports
  // of TLS are the middleman's, too.
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

void require_watch(const caf::actor_system& system, const char* what, const char* knob,
                   duration max_silence) {
  auto watched = compat::watched_silence(system.config());
  if (!watched || max_silence <= *watched) return;
  auto seconds = [](duration d) { return std::to_string(to_seconds(d)) + " s"; };
  require_valid(what,
                {std::string{knob} + " is " + seconds(max_silence)
                 + ", but CAF closes a connection after " + seconds(*watched)
                 + " of silence: let network_config::watch_connections be as long, on all nodes"});
}

namespace {

void warn_of_strangers(const caf::actor_system& system, const gate_settings& settings) {
  auto& address = settings.opts.bind;
  if (is_loopback(address) || has_safe_tls(system)) return;
  std::clog << "warning: batcher " << settings.batcher_name << " listens on " << address
            << (system.has_openssl_manager()
                  ? ", where anybody who connects and says nothing costs it a core\n"
                  : " without encryption, and asks nobody who he is\n");
}

// CAF's own functions know either the middleman or TLS; the message is the same for both.
caf::expected<std::uint16_t> listen(caf::actor_system& system, const caf::actor& connector,
                                    const caf::actor& gate, const publish_options& opts) {
  caf::scoped_actor self{system};
  caf::expected<std::uint16_t> opened = caf::make_error(caf::sec::cannot_open_port);
  // With SO_REUSEADDR: a batcher that is started anew must have its port back at once.
  compat::request(self.ptr(), connector, caf::publish_atom_v, opts.port,
                  caf::actor_cast<caf::strong_actor_ptr>(gate), std::set<std::string>{}, opts.bind,
                  true)
    .receive([&](std::uint16_t port) { opened = port; }, [&](caf::error& why) { opened = why; });
  return opened;
}

// CAF forgets a port that is closed in the same turn of its loop as it was opened, and leaves it open.
// Returns when the broker has the port and the turn in which it got it is over.
void wait_for_port(caf::actor_system& system, const caf::actor& connector) {
  caf::scoped_actor self{system};
  compat::request(self.ptr(), connector, caf::get_atom_v, system.node())
    .receive([](const caf::node_id&, const std::string&, std::uint16_t) {},
             [](const caf::error&) {});
  auto next_turn = std::make_shared<std::promise<void>>(); // broken if the loop has ended
  auto begun = next_turn->get_future();
  system.middleman().backend().post([next = std::move(next_turn)] { next->set_value(); });
  begun.wait();
}

bool has_ended(const caf::actor& whom) {
  auto ended = std::make_shared<std::atomic<bool>>(false);
  whom->attach_functor([ended] { *ended = true; }); // at once, if it has
  return *ended;
}

} // namespace

caf::actor connector_of(caf::actor_system& system) {
  if (!system.has_middleman())
    throw std::logic_error{"the actor system has no networking: make it with a network_config"};
  if (system.has_openssl_manager()) return tls_connector_of(system);
  return caf::actor_cast<caf::actor>(system.middleman().actor_handle());
}

bool has_safe_tls(const caf::actor_system& system) {
  return system.has_openssl_manager() && tls_keeps_strangers_out();
}

publication open(caf::actor_system& system, gate_settings settings) {
  auto connector = connector_of(system);
  warn_of_strangers(system, settings);
  auto opts = settings.opts;
  auto batcher = settings.batcher;
  settings.network = caf::actor_cast<caf::actor>(system.middleman().actor_handle());
  auto gate = spawn_gate(system, std::move(settings));
  auto opened = listen(system, connector, gate, opts);
  if (!opened) {
    compat::anon_send(gate, close_atom_v);
    throw std::runtime_error{"cannot listen on " + opts.bind + ":" + std::to_string(opts.port)
                             + ", is the port in use? " + compat::render(system, opened.error())};
  }
  wait_for_port(system, connector);
  publication out{gate, *opened};
  if (has_ended(batcher)) throw std::runtime_error{"cannot publish a batcher that has ended"};
  compat::anon_send(gate, start_atom_v);
  return out;
}

} // namespace node

} // namespace batcher::actors
