// SPDX-License-Identifier: BSD-3-Clause
//
// What all sessions do.

#include "batcher/actors/node/session.hpp"

#include "batcher/actors/mail.hpp"
#include "batcher/actors/node/codec.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace batcher::actors::node {

namespace {

// How long a session that has given its peer up still hears it, to count what comes too late.
constexpr duration max_linger = std::chrono::hours{1};

} // namespace

session::session(caf::actor_config& cfg, session_seed seed)
  : caf::event_based_actor{cfg}, seed_{std::move(seed)} {
  compat::ignore_errors(this);
  compat::distrust(this);
}

caf::behavior session::make_behavior() {
  let_in();
  return caf::message_handler{
    [this](frame& msg) {
      handle(msg);
      arm();
    },
    [this](tick_atom, std::uint64_t generation) {
      if (generation != generation_) return;
      armed_for_.reset();
      tick();
      arm();
    },
    // The gate: the peer has given this session up, and has another one.
    [this](depart_atom, caf::error& why) { end(std::move(why)); },
  }
    .or_else(further_handlers());
}

void session::on_exit() {
  on_end();
  if (!is_peer_gone_ && !lingers_until_ && seed_.peer) send_goodbye();
  seed_.peer = nullptr;
  counters().set_left();
  seed_.counters.reset();
  parts_ = {};
}

void session::send_goodbye() {
  auto bytes = why_ ? bytes_of_error(why_, seed_.max_message_bytes / 2) : std::string{};
  send_to_peer({.kind = static_cast<std::uint8_t>(frame_kind::goodbye), .bytes = std::move(bytes)});
}

void session::let_in() {
  // What the peer hears if this is ended from outside.
  why_ =
    caf::make_error(errc::shut_down, seed_.batcher_name + " has ended or is published no more");
  pulse_ = pulse{now(), seed_.max_silence,
                 duration{std::max<std::int64_t>(seed_.greeting.max_silence_ns, 1)}};
  compat::monitor(this, caf::actor_cast<caf::actor>(seed_.peer),
                  [this](const caf::actor_addr&, const caf::error& why) {
                    is_peer_gone_ = true;
                    lose(caf::make_error(errc::worker_lost,
                                         seed_.greeting.name
                                           + " is gone: " + compat::render_foreign(system(), why)));
                  });
  send_to_peer(frame_of(frame_kind::welcome, welcome{.attempt = seed_.greeting.attempt,
                                                     .gate = seed_.gate_id,
                                                     .name = seed_.batcher_name,
                                                     .max_message_bytes = seed_.max_message_bytes,
                                                     .max_silence_ns = seed_.max_silence.count()}));
  on_begin();
  arm();
}

void session::send_to_peer(frame what) {
  pulse_.on_sent(now());
  send_in_parts(std::move(what), [this](frame part) {
    compat::send(context(), ctrl(), caf::actor_cast<caf::abstract_actor*>(seed_.peer),
                 std::move(part));
  });
}

void session::end(caf::error why) {
  counters().set_lost();
  why_ = why;
  quit(std::move(why));
}

void session::drop_peer() {
  end(caf::make_error(errc::incompatible, seed_.greeting.name + " sent bytes that are no message"));
}

void session::handle(frame& msg) {
  if (current_sender() != seed_.peer) return;
  if (!is_lost_) pulse_.on_heard(now());
  if (auto bytes = parts_.bytes_with(msg); bytes > seed_.max_message_bytes)
    return end(
      caf::make_error(errc::incompatible, seed_.greeting.name + " sent " + std::to_string(bytes)
                                            + " bytes at once, more than max_message_bytes"));
  if (!parts_.take(msg)) return;
  auto kind = static_cast<frame_kind>(msg.kind);
  if (kind == frame_kind::goodbye) {
    is_peer_gone_ = true;
    if (!msg.bytes.empty()) return lose(error_of_bytes(msg.bytes));
    on_lost(caf::make_error(errc::worker_lost, seed_.greeting.name + " has left"));
    return quit();
  }
  if (kind != frame_kind::alive) take(kind, msg);
  if (is_lost_) refuse_lost();
}

// The peer does not know yet that it was given up, and says hello again when it does. What else is
// on its way is still heard.
void session::refuse_lost() {
  if (lingers_until_) return;
  lingers_until_ = now() + seed_.max_silence;
  send_goodbye();
}

void session::lose(caf::error why) {
  if (is_peer_gone_ && is_lost_) return quit(why_);
  if (is_lost_) return;
  is_lost_ = true;
  lost_at_ = now();
  counters().set_lost();
  if (auto gate = caf::actor_cast<caf::strong_actor_ptr>(seed_.gate))
    compat::send(context(), ctrl(), caf::actor_cast<caf::abstract_actor*>(gate), depart_atom_v,
                 why);
  why_ = why;
  if (on_lost(why) || is_peer_gone_) quit(std::move(why));
}

void session::tick() {
  auto at = now();
  if (is_lost_) {
    if (at >= lingers_until_.value_or(lost_at_ + max_linger)) quit(why_);
    return;
  }
  if (pulse_.is_silent(at)) {
    auto ms = std::chrono::ceil<std::chrono::milliseconds>(seed_.max_silence).count();
    return lose(caf::make_error(errc::worker_lost, seed_.greeting.name + " was silent for "
                                                     + std::to_string(ms) + " ms"));
  }
  on_tick();
  if (pulse_.is_due(at)) send_to_peer(frame_of(frame_kind::alive));
}

void session::arm() {
  auto at = is_lost_ ? lingers_until_.value_or(lost_at_ + max_linger) : pulse_.next();
  // A timer keeps its actor, even one that has ended: longer waits go in steps.
  at = std::min(at, now() + seed_.max_silence);
  if (armed_for_ && *armed_for_ <= at) return;
  armed_for_ = at;
  compat::send_at(clock(), at, ctrl(), tick_atom_v, ++generation_);
}

} // namespace batcher::actors::node
