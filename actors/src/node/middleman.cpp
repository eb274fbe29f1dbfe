// SPDX-License-Identifier: BSD-3-Clause
//
// CAF's networking with a guard before its protocol, BASP. CAF believes whoever reaches a port, who
// can end the process with a few bytes:
//   - a handshake without a payload is read through a null pointer;
//   - a message that cannot be read is answered by 1.1.0, through a null pointer if it has no sender.
//     One that says that it was passed on may name a sender that there is not; one before any
//     handshake never has one;
//   - memory is taken for as much payload as is announced, up to 4 GiB, before any of it has come.
// Here all that is refused. What takes more than a few bytes or a guess is not: a value inside a value,
// thousands deep, which CAF reads by recursion; a length inside a message, for which memory is taken;
// an exit message to an actor's id. Only TLS keeps those away.
//
// And with TLS the errors of a connection that has ended are forgotten, or CAF ends others over them.

#include "tls.hpp"

#include "batcher/actors/node.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace batcher::actors::node {

namespace {

namespace basp = caf::io::basp;

// A node's id, what it is built from, and what the messages of an actor are called.
constexpr std::size_t most_handshake_bytes = 1u << 20u;
// Ours are in parts of 256 KiB; this is for an application's own messages.
constexpr std::size_t most_payload_bytes = (1u << 30u) + (1u << 20u);

// What CAF refuses by itself is left to it. Layout: the kind, three bytes, then the length of the
// payload with its highest byte first. `is_known`: whether there was a handshake.
template <class Bytes>
bool is_believable(const Bytes& header, bool is_known) {
  if (header.size() != basp::header_size) return true;
  auto kind = static_cast<basp::message_type>(header[0]);
  std::size_t payload = 0;
  for (std::size_t i = 4; i < 8; ++i)
    payload = payload << 8u | static_cast<std::uint8_t>(header[i]);
  bool is_handshake =
    kind == basp::message_type::server_handshake || kind == basp::message_type::client_handshake;
  if (is_handshake) return payload > 0 && payload <= most_handshake_bytes;
  return is_known && payload <= most_payload_bytes;
}

class guarded_broker final : public compat::closing_broker<caf::io::basp_broker> {
public:
  using closing_broker::closing_broker;

  caf::behavior make_behavior() override {
    auto all = basp_broker::make_behavior();
    return caf::message_handler{
      [this, all](caf::io::new_data_msg& came) mutable {
        guard(came);
        all(current_mailbox_element()->content());
      },
      [this, all](const caf::io::connection_closed_msg&) mutable {
        forget_tls_errors();
        all(current_mailbox_element()->content());
      },
    }
      .or_else(all);
  }

private:
  // CAF closes the connection over what this leaves: bytes of no kind that there is, or fewer than
  // announced.
  void guard(caf::io::new_data_msg& came) {
    using byte = std::decay_t<decltype(came.buf.front())>;
    if (!awaits_header(came.handle)) {
      if (!is_readable(came)) came.buf.clear();
    } else if (!is_believable(came.buf, is_known(came.handle))) {
      came.buf[0] = static_cast<byte>(0xff);
    }
  }

  bool is_known(caf::io::connection_handle peer) {
    return instance.tbl().lookup_direct(peer) != caf::node_id{};
  }

  bool awaits_header(caf::io::connection_handle from) const {
    auto it = ctx.find(from);
    return it == ctx.end() || it->second.cstate == basp::await_header;
  }

  // Precondition: its header has come.
  bool is_readable(const caf::io::new_data_msg& payload) {
    auto& header = ctx.at(payload.handle).hdr;
    bool is_routed = header.operation == basp::message_type::routed_message;
    bool is_direct = header.operation == basp::message_type::direct_message;
    bool has_sender = is_direct && header.source_actor != 0;
    if (has_sender || !(is_routed || is_direct)) return true;
    return compat::is_readable(system(), payload.buf, is_routed);
  }
};

// Connections that TLS refuses at once end without a message.
class forgetful_multiplexer final : public caf::io::network::default_multiplexer {
public:
  using default_multiplexer::default_multiplexer;

  void run() override {
    while (num_socket_handlers() > 0) {
      poll_once(true);
      forget_tls_errors();
    }
  }
};

class guarded_middleman final : public caf::io::middleman {
public:
  explicit guarded_middleman(caf::actor_system& system)
    : middleman{system}, backend_{compat::make_multiplexer<forgetful_multiplexer>(system)} {}

  // Templates, since 0.17.6 passes an argument that 1.x does not.
  template <class... Ts>
  static guarded_middleman* make(caf::actor_system& system, const Ts&...) {
    return new guarded_middleman{system};
  }

  // CAF looks for a broker of that name before it makes its own.
  void start() override {
    named_broker<guarded_broker>(compat::name_of_basp());
    middleman::start();
  }

  caf::io::network::multiplexer& backend() override { return backend_; }

private:
  forgetful_multiplexer backend_;
};

} // namespace

void register_networking() { compat::register_networking<caf::io::middleman>(); }

void load_networking(caf::actor_system_config& cfg) { cfg.load<guarded_middleman>(); }

} // namespace batcher::actors::node
