// SPDX-License-Identifier: BSD-3-Clause
//
// Every knob of a batcher's way to other nodes, with unit, default, range and the effect of 0. Plain
// structs; nothing is repaired silently, `validate` says what is wrong.

#pragma once

#include "batcher/observer.hpp"
#include "batcher/time.hpp"

#include <caf/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace batcher::actors {

/// What happens between two nodes, for logs and metrics.
struct node_event {
  enum class kind : std::uint8_t {
    /// A peer was let in, or this node was.
    connected,
    /// A peer, or the batcher, was lost: it died, fell silent, or was cut off.
    lost,
    /// A peer has left in order, or was dropped for what it has sent; or this node has left.
    left,
    /// A peer was refused, or this node was for good: wrong version, wrong types. There were too many
    /// nodes: `refused` there, `failed` here.
    refused,
    /// An attempt to connect has failed; there will be another one.
    failed,
    /// This node has tried as often as it may and gives up.
    given_up,
  };
  kind what = kind::failed;
  /// Who is at the other end: a node's or client's name, or host and port of the batcher.
  std::string peer = {};
  /// Why, unless all is well.
  caf::error why = {};
};

[[nodiscard]] std::string_view to_string(node_event::kind x) noexcept;

/// Called for every event, in the thread of one of this library's actors: it must be short and must
/// not block.
using node_listener = std::function<void(const node_event&)>;

/// How an actor system encrypts all that it sends to other nodes, and knows them. Both sides show a
/// certificate, always: a node without one, or with one of another authority, is refused. Names in
/// certificates are not looked at: whoever has one of the authority is a friend, so it should be one
/// for this cluster alone. CAF reads the files again for each connection: put new ones in their place
/// with a rename, since the process may end if it finds one missing or half written.
struct tls_options {
  /// Path of a PEM file: this node's certificate, then those between it and the authority's if there
  /// are any. Empty: refused.
  std::string certificate = {};

  /// Path of a PEM file: the private key of that certificate. Empty: refused.
  std::string key = {};

  /// Path of a PEM file: the certificate of the authority that has signed those of the other nodes,
  /// or of several. Empty: refused.
  std::string ca_file = {};

  /// What the key is encrypted with. Empty: it is not.
  std::string passphrase = {};

  /// For CAF 0.17, which polls without a pause while a handshake is under way: anybody who connects
  /// and says nothing costs the process one core for as long as he stays, and so does a frozen peer.
  /// Connections that it refuses may also cost others theirs, which are made again. Without this flag
  /// TLS is refused there; set it only where strangers cannot reach the port.
  /// Elsewhere let a pair of TLS proxies such as stunnel encrypt, as the README shows. CAF 1.x waits
  /// quietly and needs no flag.
  bool allow_busy_handshakes = false;
};

/// Returns whether TLS alone makes a port safe to show to strangers: with CAF 1.x, see
/// `tls_options::allow_busy_handshakes`.
[[nodiscard]] bool tls_keeps_strangers_out() noexcept;

/// How a batcher is published.
struct publish_options {
  /// Port to listen on. Range: any. 0: the system chooses a free one.
  std::uint16_t port = 0;

  /// Address to listen on: that of one interface, or 0.0.0.0 for all. Anything but loopback needs
  /// TLS of CAF 1.x (`network_config::use_tls`) or `allow_untrusted_network`. Empty: refused.
  std::string bind = "127.0.0.1";

  /// Whether to listen on an address that others can reach although nothing keeps strangers away.
  /// Without TLS there is no encryption and nobody is asked who they are: whoever reaches the port
  /// can send requests, take batches, stop the batcher, and, if he speaks CAF's protocol and means
  /// harm, end the process: CAF takes memory for what he announces, and reads values that hold values
  /// however deep they go. With TLS of CAF 0.17 he can keep a core busy. Set it only where a
  /// firewall, a private network or a TLS proxy keeps strangers out.
  bool allow_untrusted_network = false;

  /// Most bytes in one message, both ways. A batch that is larger fails, a request that is larger
  /// is refused. Unit: bytes. Range: 1 KiB to 1 GiB; 0 is refused.
  std::size_t max_message_bytes = 64u << 20u;

  /// Most peers at once, clients and worker nodes; one more is refused. Unit: nodes. Range: 1 and
  /// up; 0 is refused.
  std::size_t max_nodes = 1'024;

  /// How long nothing may come from a peer before it is given up. Peers send a sign of life four
  /// times as often. Range: 10 ms to 1 hour, and no longer than `network_config::watch_connections`
  /// was given, 5 s by default; 0 is refused.
  duration max_silence = std::chrono::seconds{5};

  /// Is told of peers that come and go. Empty: nobody is.
  node_listener on_event = {};

  /// Is given the counters of each peer. Use the batcher's own, `options::observer`: metrics know by
  /// it which batcher the peers are of. Empty: nobody is.
  std::shared_ptr<batcher::observer> observer = {};
};

/// How often a lost batcher is called again, by clients and worker nodes.
struct reconnect_options {
  /// How long an attempt to connect may take. Range: 10 ms to 1 hour; 0 is refused.
  duration connect_timeout = std::chrono::seconds{2};

  /// Wait after the first attempt that failed, doubled with each one more in a row up to
  /// `max_retry_delay`, and drawn anew from the upper half of that each time. Range: 1 ms to
  /// `max_retry_delay`; 0 is refused.
  duration retry_delay = std::chrono::milliseconds{100};

  /// Longest such wait. Range: `retry_delay` to 1 hour.
  duration max_retry_delay = std::chrono::seconds{5};

  /// Attempts in a row that may fail before it gives up for good. Unit: attempts. Range: any. 0:
  /// never.
  std::size_t max_attempts = 0;

  /// How long nothing may come from the batcher before it is given up. Range: 10 ms to 1 hour, and no
  /// longer than `network_config::watch_connections` was given, 5 s by default; 0 is refused.
  duration max_silence = std::chrono::seconds{5};
};

/// How a client reaches a batcher on another node.
struct connect_options {
  /// What the other side calls this client in its events. Range: 1 to 256 bytes.
  std::string name = "client";

  /// How the connection is made, watched and made again.
  reconnect_options reconnect = {};

  /// How long after the connection was lost, or has not been made yet, requests wait for it; later,
  /// everything that waits, and every newcomer, is answered with `errc::batcher_lost` until it is
  /// back. Range: 0 to 1 hour. 0: at once.
  duration max_outage = std::chrono::seconds{1};

  /// Most requests that are not answered yet; one more is refused with `errc::queue_full`. Unit:
  /// requests. Range: 1 and up; 0 is refused.
  std::size_t max_outstanding = 1'000'000;

  /// Is told when the batcher comes and goes. Empty: nobody is.
  node_listener on_event = {};
};

/// How this process works for a batcher on another node.
struct join_options {
  /// What the batcher's side calls this node in its events. Range: 1 to 256 bytes.
  std::string name = "worker node";

  /// Workers of this node: each gets a batch function of its own. Range: 1 to 4,096; 0 is refused.
  std::size_t workers = 1;

  /// Batches that each of them may hold at once. More than 1 hides the way: the next batch is here
  /// when the last one is done. Range: 1 to 1,024; 0 is refused.
  std::size_t credit = 2;

  /// Whether each worker owns a thread, or shares the scheduler's; then it must never block.
  bool has_threads = true;

  /// How long a worker that died, or could not be started, waits for its replacement. Range: 1 ms to
  /// 1 hour; 0 is refused.
  duration restart_delay = std::chrono::milliseconds{100};

  /// How the connection is made, watched and made again.
  reconnect_options reconnect = {};

  /// Is told when the batcher comes and goes. Empty: nobody is.
  node_listener on_event = {};
};

/// Returns one sentence for every problem, each naming the knob, its value and the range. Empty: the
/// options are good. That of TLS reads the files.
[[nodiscard]] std::vector<std::string> validate(const tls_options& opts);
/// `has_safe_tls`: whether the actor system has TLS that keeps strangers out.
[[nodiscard]] std::vector<std::string> validate(const publish_options& opts,
                                                bool has_safe_tls = false);
[[nodiscard]] std::vector<std::string> validate(const connect_options& opts);
[[nodiscard]] std::vector<std::string> validate(const join_options& opts);

/// Returns whether an address can be reached from this machine only. Of names it knows `localhost`.
[[nodiscard]] bool is_loopback(const std::string& address);

} // namespace batcher::actors
