// SPDX-License-Identifier: BSD-3-Clause
//
// A batcher across nodes: publish it on one, use it from others as if it were there, and let workers
// of others dial in.
//
//     on the batcher's node      auto port = publish(batcher, {.port = 4711});
//     on a client's              auto batcher = connect<request, response>(system, "host", 4711);
//     on a worker's              auto node = join<request, response>(system, "host", 4711, make_worker);
//
// Every process needs a `network_config`, and all of them the same CAF, 0.17.6 or 1.x. Requests and
// responses travel by their `inspect` (`BATCHER_INSPECT`).
//
// Unless the configuration is told to `use_tls`, there is no encryption, and nobody is asked who he
// is: the port is for friends only. Anything but loopback needs
// `publish_options::allow_untrusted_network` then.

#pragma once

#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/node/client_session.hpp"
#include "batcher/actors/node/gate.hpp"
#include "batcher/actors/node/link.hpp"
#include "batcher/actors/node/options.hpp"
#include "batcher/actors/node/worker_node.hpp"
#include "batcher/actors/node/worker_session.hpp"
#include "batcher/actors/refusals.hpp"
#include "batcher/actors/worker_actor.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace batcher::actors {

namespace node {

/// Registers the types of CAF's networking.
void register_networking();

/// Lets the systems of that configuration use CAF's networking. It refuses some of what strangers may
/// send to end the process, see middleman.cpp.
void load_networking(caf::actor_system_config& cfg);

/// Lets the systems of that configuration use TLS. Throws as `network_config::use_tls` does.
void use_tls(caf::actor_system_config& cfg, const tls_options& opts);

} // namespace node

struct network_registration {
  network_registration() { node::register_networking(); }
};

/// The configuration of an actor system that talks to other nodes: that of `system_config`, CAF's
/// networking, and the messages between nodes. It lets CAF close connections over which nothing has
/// come for 5 s, which 0.17.6 does not do by itself; `watch_connections` sets another time, the same
/// on all nodes and no shorter than any `max_silence`.
template <class... IdBlocks>
class network_config : private network_registration,
                       public system_config<caf::id_block::batcher_nodes, IdBlocks...> {
public:
  network_config() {
    node::load_networking(*this);
    compat::allow_category<errc>();
    compat::allow_category<caf::sec>();
    compat::allow_category<caf::pec>();
    compat::allow_category<caf::exit_reason>();
    (compat::allow_categories_of<IdBlocks>(), ...);
    watch_connections(std::chrono::seconds{5});
  }

  void watch_connections(duration silence) { compat::watch_connections(*this, silence); }

  /// Lets `publish`, `connect` and `join` encrypt, and talk only to nodes that do so, too, with a
  /// certificate of the authority. Throws `invalid_options` with every problem: a file that is
  /// missing, that cannot be read, or that does not fit the others; CAF 0.17 without
  /// `allow_busy_handshakes`; a CAF that was built without OpenSSL. A node that is refused sees
  /// `node_event::failed` with `errc::batcher_lost`, whose text names CAF's error, such as
  /// `disconnect_during_handshake`.
  void use_tls(const tls_options& opts) { node::use_tls(*this, opts); }
};

/// Keeps a batcher published. When it is destroyed the port is closed and all peers are told to go:
/// clients get `errc::batcher_lost` for what they wait for, and batches that worker nodes hold are
/// lost. The batcher goes on. Must not outlive the actor system.
class publication {
public:
  publication() = default;
  publication(caf::actor gate, std::uint16_t port) : gate_{std::move(gate)}, port_{port} {}
  publication(publication&& other) noexcept
    : gate_{std::exchange(other.gate_, {})}, port_{std::exchange(other.port_, std::uint16_t{0})} {}
  publication& operator=(publication&& other) noexcept {
    std::swap(gate_, other.gate_);
    std::swap(port_, other.port_);
    return *this;
  }
  ~publication() { close(); }

  /// Returns the port that is listened on, 0 once it is closed.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  /// Ends it now.
  void close();

private:
  caf::actor gate_;
  std::uint16_t port_ = 0;
};

/// Keeps this process a worker node. When it is destroyed the node goes at once: what it holds is
/// lost and follows the batcher's retry plan. A worker may still be inside its function then, and
/// after a `leave` that took too long: what that refers to must live as long as the actor system,
/// which this must not outlive.
class joined_node {
public:
  joined_node() = default;
  explicit joined_node(caf::actor node) : node_{std::move(node)} {}
  joined_node(joined_node&& other) noexcept : node_{std::exchange(other.node_, {})} {}
  joined_node& operator=(joined_node&& other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~joined_node();

  /// Takes nothing new, finishes what it has, and goes; at `timeout` it goes at the latest, and at
  /// once while there is no connection. Returns how many batches were left unfinished; these are lost.
  /// Blocks: not for actors.
  std::uint64_t leave(duration timeout);

private:
  caf::actor node_;
};

namespace node {

/// Throws `invalid_options` with every problem, or returns.
void require_valid(const char* what, const std::vector<std::string>& problems);

/// Throws `invalid_options` if CAF closes connections of that system before `max_silence`, which is
/// the option `knob`.
void require_watch(const caf::actor_system& system, const char* what, const char* knob,
                   duration max_silence);

/// Returns who connects and publishes for that system, and is a `line_settings::connector`: CAF's
/// middleman, or the one that does so over TLS. Throws `std::logic_error` if the system has none, or
/// TLS without certificates.
[[nodiscard]] caf::actor connector_of(caf::actor_system& system);

/// Returns whether the system has TLS that keeps strangers out.
[[nodiscard]] bool has_safe_tls(const caf::actor_system& system);

/// Opens the gate's port. Throws `std::runtime_error` if it cannot be had or the batcher has ended.
[[nodiscard]] publication open(caf::actor_system& system, gate_settings settings);

/// Returns what a gate for that batcher needs. `name`: what peers are told in errors.
template <class Request, class Response>
[[nodiscard]] gate_settings gate_for(const batcher_handle<Request, Response>& batcher,
                                     const publish_options& opts, const std::string& name) {
  require_travels<Request>();
  require_travels<Response>();
  return {.opts = opts,
          .batcher_name = name,
          .request_type = compat::name_of_type<Request>(),
          .response_type = compat::name_of_type<Response>(),
          .batcher = caf::actor_cast<caf::actor>(batcher),
          .make_client = [batcher](caf::actor_system& system, session_seed seed) -> caf::actor {
            return system.spawn<client_session<Request, Response>>(std::move(seed), batcher);
          },
          .make_worker = [batcher](caf::actor_system& system, session_seed seed) -> caf::actor {
            return system.spawn<worker_session<Request, Response>>(std::move(seed), batcher);
          }};
}

/// Starts a link that connects through `connector`.
template <class Request, class Response>
[[nodiscard]] batcher_handle<Request, Response>
spawn_link(caf::actor_system& system, std::string host, std::uint16_t port, connect_options opts,
           caf::actor connector) {
  require_travels<Request>();
  require_travels<Response>();
  require_valid("a client", validate(opts));
  return system.spawn<link<Request, Response>>(std::move(opts), std::move(host), port,
                                               std::move(connector));
}

/// Starts a worker node that connects through `connector`.
template <class Request, class Response>
[[nodiscard]] caf::actor start_node(caf::actor_system& system, std::string host, std::uint16_t port,
                                    worker_maker<Request, Response> make, join_options opts,
                                    hooks<Request, Response> how, caf::actor connector) {
  require_travels<Request>();
  require_travels<Response>();
  require_valid("a worker node", validate(opts));
  auto start = [make = std::move(make), has_threads = opts.has_threads,
                shared_hooks = std::make_shared<const hooks<Request, Response>>(std::move(how))](
                 caf::event_based_actor* self, std::size_t number) {
    return spawn_worker<Request, Response>(self, make, number, shared_hooks,
                                           has_threads ? worker_execution::detached
                                                       : worker_execution::cooperative);
  };
  return system.spawn<worker_node<Request, Response>>(std::move(opts), std::move(host), port,
                                                      std::move(connector), std::move(start));
}

} // namespace node

/// Opens a port at which clients (`connect`) and worker nodes (`join`) reach the batcher, for as long
/// as what it returns lives, or the batcher. `name` is what peers are told in errors.
///
/// What a peer sees when something goes wrong:
///   1. It speaks another version of the protocol or has other types: `errc::incompatible`, with a
///      text that names both sides. There are `max_nodes` already: `errc::batcher_lost`.
///   2. Another process with its node id is there, see the README's limitations: `errc::incompatible`
///      until that one is gone or silent for `max_silence`.
///   3. It sends bytes that are no message of ours, or more than `max_message_bytes`: it is dropped. A
///      single request that cannot be read is answered with `errc::invalid_request`.
///   4. Nothing comes from it for `max_silence`: it is given up. If it lives, it says hello again. So
///      does one that has given up its session, whose place it takes then.
///
/// Throws `invalid_options`, `std::runtime_error` if the port is in use or the batcher has ended, and
/// `std::logic_error` if the system has no networking. May be called from any thread that is no actor's.
template <any_batcher_handle Handle>
[[nodiscard]] publication publish(const Handle& batcher, const publish_options& opts = {},
                                  const std::string& name = "batcher") {
  auto& system = batcher.home_system();
  node::require_valid("publishing", validate(opts, node::has_safe_tls(system)));
  node::require_watch(system, "publishing", "max_silence", opts.max_silence);
  return node::open(system,
                    node::gate_for<request_of<Handle>, response_of<Handle>>(batcher, opts, name));
}

/// Returns a handle of the batcher that is published at `host:port`, which is used as if it were
/// here: requests of every kind, `ask`, `forward_to`, cancellation, and what is in `control.hpp`, but
/// for `reconfigure`. Returns at once; requests wait for the connection, which is made again whenever
/// it is lost. Ends with its last handle.
///
/// What a caller sees when something goes wrong, besides what the batcher answers: see `link.hpp`.
/// In short: every request is answered, with `errc::batcher_lost` within `max_silence` after the
/// batcher was lost, or `max_outage` after it was sent while it is away.
///
/// Throws `invalid_options`, and `std::logic_error` if the system has no networking. May be called
/// from any thread.
template <class Request, class Response>
[[nodiscard]] batcher_handle<Request, Response> connect(caf::actor_system& system, std::string host,
                                                        std::uint16_t port,
                                                        connect_options opts = {}) {
  node::require_watch(system, "a client", "reconnect.max_silence", opts.reconnect.max_silence);
  return node::spawn_link<Request, Response>(system, std::move(host), port, std::move(opts),
                                             node::connector_of(system));
}

/// Lets this process work for the batcher that is published at `host:port`: starts `opts.workers`
/// workers, each with a batch function of its own from `make_worker` (as in `spawn_batcher`), and
/// when all are ready dials. Returns at once. Of `how` only `warm_up` matters.
///
/// What the batcher sees when something goes wrong:
///   1. The function throws, or returns the wrong number of results: the same as of a worker at home.
///   2. The process dies, is cut off, or is silent for `publish_options::max_silence`: what it held
///      has failed with `errc::worker_lost`, and follows `options::on_failure`. It dials again by
///      itself; what it answers too late is dropped and counted.
///   3. One of its workers dies: what that held has failed; it is replaced.
///
/// Throws as `connect` does.
template <class Request, class Response, worker_factory<Request, Response> Factory>
[[nodiscard]] joined_node join(caf::actor_system& system, std::string host, std::uint16_t port,
                               Factory make_worker, join_options opts = {},
                               hooks<Request, Response> how = {}) {
  node::require_watch(system, "a worker node", "reconnect.max_silence", opts.reconnect.max_silence);
  return joined_node{node::start_node<Request, Response>(
    system, std::move(host), port, maker_of<Request, Response>(std::move(make_worker)),
    std::move(opts), std::move(how), node::connector_of(system))};
}

} // namespace batcher::actors
