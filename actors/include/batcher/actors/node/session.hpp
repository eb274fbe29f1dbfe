// SPDX-License-Identifier: BSD-3-Clause
//
// One peer that was let in, as an actor beside the batcher: what clients and worker nodes have in
// common. Lets the peer in, watches it, tells it when all is over. It ends when the peer is gone; its
// exit reason says why.

#pragma once

#include "batcher/actors/node/options.hpp"
#include "batcher/actors/node/parts.hpp"
#include "batcher/actors/node/pulse.hpp"
#include "batcher/actors/node/wire.hpp"
#include "batcher/node_counters.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/message_handler.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace batcher::actors::node {

/// What the gate gives to each session.
struct session_seed {
  caf::strong_actor_ptr peer;
  hello greeting;
  /// Of the gate.
  std::uint64_t gate_id = 0;
  std::string batcher_name;
  std::size_t max_message_bytes = 0;
  duration max_silence = duration::zero();
  /// Gets `(depart_atom, error)` when the peer is lost.
  caf::weak_actor_ptr gate;
  /// Of the jobs of all sessions of the gate.
  std::shared_ptr<std::atomic<std::uint64_t>> last_job;
  /// The session writes them, and lets them go when it ends.
  std::shared_ptr<node_counters> counters;
};

class session : public caf::event_based_actor {
public:
  session(caf::actor_config& cfg, session_seed seed);

  void on_exit() override;

protected:
  caf::behavior make_behavior() final;

  /// What a session handles besides frames and time.
  virtual caf::message_handler further_handlers() = 0;
  /// The peer is in.
  virtual void on_begin() {}
  /// Neither a sign of life nor a goodbye.
  virtual void take(frame_kind kind, frame& msg) = 0;
  /// Called with every tick, until the peer is lost.
  virtual void on_tick() {}
  /// The peer is lost: it has gone without a word, or is silent. Returns whether the session ends.
  virtual bool on_lost(const caf::error& /*why*/) { return true; }
  /// The session ends.
  virtual void on_end() {}

  [[nodiscard]] const session_seed& seed() const noexcept { return seed_; }
  /// Precondition: the session has not ended.
  [[nodiscard]] node_counters& counters() const noexcept { return *seed_.counters; }
  [[nodiscard]] time_point now() const { return clock().now(); }
  [[nodiscard]] bool is_lost() const noexcept { return is_lost_; }

  void send_to_peer(frame what);
  /// Ends the session and tells the peer why.
  void end(caf::error why);
  /// From now on the end of the session means that all is done.
  void expect_end() { why_ = {}; }
  /// The bytes of a frame are damaged: the peer is not what it says, and is dropped.
  void drop_peer();

private:
  void let_in();
  void lose(caf::error why);
  void refuse_lost();
  void send_goodbye();
  void handle(frame& msg);
  void tick();
  void arm();

  session_seed seed_;
  pulse pulse_;
  collected_parts parts_;
  caf::error why_; // what the peer is told at the end
  bool is_peer_gone_ = false;
  bool is_lost_ = false;
  time_point lost_at_;
  std::optional<time_point> lingers_until_; // once it was told that it is lost
  std::uint64_t generation_ = 0;
  std::optional<time_point> armed_for_;
};

} // namespace batcher::actors::node
