// SPDX-License-Identifier: BSD-3-Clause
//
// The gate as an actor.

#include "batcher/actors/node/gate.hpp"

#include "batcher/actors/mail.hpp"
#include "batcher/actors/node/codec.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace batcher::actors::node {

namespace {

constexpr std::uint32_t most_workers = 4'096;
constexpr std::uint32_t most_credit = 1'024;
// It is kept for as long as its session lives.
constexpr std::size_t most_hello_bytes = 4'096;

class gate final : public caf::event_based_actor {
public:
  gate(caf::actor_config& cfg, gate_settings settings)
    : caf::event_based_actor{cfg}, settings_{std::move(settings)},
      id_{std::random_device{}() | std::uint64_t{std::random_device{}()} << 32} {
    compat::ignore_errors(this);
    compat::distrust(this);
  }

  const char* name() const override { return "batcher.gate"; }

  void on_exit() override {
    for (auto& [addr, who] : std::exchange(sessions_, {})) end(addr);
    for (auto& addr : std::exchange(lost_, {})) end(addr);
    settings_ = {};
  }

protected:
  caf::behavior make_behavior() override {
    return {
      [this](const frame& msg) { receive(msg); },
      [this](depart_atom, const caf::error& why) { on_lost(why); },
      // Whoever has opened the port. CAF would not close one that it has only begun to open.
      [this](start_atom) { watch(settings_.batcher); },
      [this](close_atom) { quit(); },
    };
  }

private:
  struct member {
    std::string name;
    caf::actor_addr peer;
    std::uint64_t process = 0;
  };

  static void end(const caf::actor_addr& addr) {
    if (auto session = caf::actor_cast<caf::actor>(addr))
      caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
  }

  void watch(const caf::actor& whom) {
    compat::monitor(this, whom, [this](const caf::actor_addr& addr, const caf::error&) {
      if (addr == settings_.batcher)
        close();
      else
        on_session_end(addr);
    });
  }

  // Whoever has published it may keep it for long.
  void close() {
    if (settings_.network)
      compat::anon_send(settings_.network, caf::unpublish_atom_v, address(), std::uint16_t{0});
    quit();
  }

  void receive(const frame& msg) {
    auto peer = caf::actor_cast<caf::strong_actor_ptr>(current_sender());
    if (!peer) return;
    if (static_cast<frame_kind>(msg.kind) != frame_kind::hello)
      return; // of one that was let in late
    if (msg.bytes.size() > most_hello_bytes)
      return refuse(peer, {.attempt = attempt_of(msg)},
                    incompatible("a hello of " + std::to_string(msg.bytes.size())
                                 + " bytes is longer than " + std::to_string(most_hello_bytes)
                                 + "; let the names of types be shorter"));
    auto greeting = content_of<hello>(msg);
    if (!greeting) return refuse(peer, {}, incompatible("that was no hello"));
    replace(peer->address(), *greeting);
    if (auto why = problem_of(*greeting, peer->node()))
      return refuse(peer, *greeting, std::move(why));
    let_in(std::move(peer), std::move(*greeting));
  }

  // A peer that says hello has given up the session that it had, though that may not know it yet.
  void replace(const caf::actor_addr& peer, const hello& x) {
    auto it = std::find_if(sessions_.begin(), sessions_.end(), [&](auto& one) {
      return one.second.peer == peer && one.second.process == x.process;
    });
    if (it == sessions_.end()) return;
    auto node = sessions_.extract(it);
    auto why = caf::make_error(errc::worker_lost, x.name + " says hello again");
    if (auto session = caf::actor_cast<caf::actor>(node.key()))
      compat::anon_send(session, depart_atom_v, why);
    tell({.what = node_event::kind::lost, .peer = std::move(node.mapped().name), .why = why});
  }

  // To CAF both are one process, which gets the frames of both. As soon as the one that was let in is
  // gone or silent, the other one may have its place: it may be the same, started anew.
  bool is_taken(const caf::node_id& node, std::uint64_t process) const {
    return std::any_of(sessions_.begin(), sessions_.end(), [&](auto& one) {
      return one.second.process != process && one.second.peer.node() == node;
    });
  }

  caf::error problem_of(const hello& x, const caf::node_id& node) const {
    auto& own = settings_;
    if (x.protocol != protocol_version)
      return incompatible("the other side speaks version " + std::to_string(x.protocol)
                          + " of the protocol, " + own.batcher_name + " speaks "
                          + std::to_string(protocol_version));
    if (x.request_type != own.request_type || x.response_type != own.response_type)
      return incompatible(x.name + " sends " + x.request_type + " and expects " + x.response_type
                          + ", but " + own.batcher_name + " takes " + own.request_type
                          + " and answers " + own.response_type);
    if (x.as != role::client && x.as != role::worker)
      return incompatible(x.name + " is neither a client nor a worker node");
    bool is_worker = x.as == role::worker;
    if (is_worker
        && (x.workers == 0 || x.workers > most_workers || x.credit == 0 || x.credit > most_credit))
      return incompatible(x.name + " brings " + std::to_string(x.workers)
                          + " workers with a credit of " + std::to_string(x.credit)
                          + ", out of range");
    if (is_taken(node, x.process)) return incompatible(x.name + same_node_id(to_string(node)));
    if (sessions_.size() >= own.opts.max_nodes)
      return caf::make_error(errc::batcher_lost, own.batcher_name + " has "
                                                   + std::to_string(own.opts.max_nodes)
                                                   + " nodes, its limit (max_nodes)");
    return {};
  }

  // Which comes behind the protocol's number and the role.
  static std::uint64_t attempt_of(const frame& hello) {
    byte_reader from{hello.bytes};
    static_cast<void>(from.number<std::uint32_t>());
    static_cast<void>(from.number<role>());
    return from.number<std::uint64_t>();
  }

  static caf::error incompatible(std::string text) {
    return caf::make_error(errc::incompatible, std::move(text));
  }

  void refuse(const caf::strong_actor_ptr& peer, const hello& greeting, caf::error why) {
    refusal answer{.attempt = greeting.attempt, .error = bytes_of_error(why)};
    compat::send(context(), ctrl(), caf::actor_cast<caf::abstract_actor*>(peer),
                 frame_of(frame_kind::refusal, answer));
    if (settings_.opts.observer) settings_.opts.observer->on_node_refused();
    tell({.what = node_event::kind::refused, .peer = greeting.name, .why = std::move(why)});
  }

  void let_in(caf::strong_actor_ptr peer, hello greeting) {
    member who{.name = greeting.name, .peer = peer->address(), .process = greeting.process};
    bool is_client = greeting.as == role::client;
    auto counters = std::make_shared<node_counters>(
      is_client ? node_role::client : node_role::worker, is_client ? 0 : greeting.workers);
    if (auto& to = settings_.opts.observer) to->on_node(who.name, counters);
    session_seed seed{.peer = std::move(peer),
                      .greeting = std::move(greeting),
                      .gate_id = id_,
                      .batcher_name = settings_.batcher_name,
                      .max_message_bytes = settings_.opts.max_message_bytes,
                      .max_silence = settings_.opts.max_silence,
                      .gate = caf::actor_cast<caf::weak_actor_ptr>(this),
                      .last_job = last_job_,
                      .counters = std::move(counters)};
    auto& make = is_client ? settings_.make_client : settings_.make_worker;
    auto session = make(system(), std::move(seed));
    auto name = who.name;
    sessions_.emplace(session.address(), std::move(who));
    watch(session);
    tell({.what = node_event::kind::connected, .peer = std::move(name)});
  }

  void on_session_end(const caf::actor_addr& addr) {
    std::erase(lost_, addr);
    auto node = sessions_.extract(addr);
    if (!node.empty())
      tell({.what = node_event::kind::left, .peer = std::move(node.mapped().name)});
  }

  void on_lost(const caf::error& why) {
    auto node = sessions_.extract(caf::actor_cast<caf::actor_addr>(current_sender()));
    if (node.empty()) return;
    lost_.push_back(node.key());
    if (lost_.size() > settings_.opts.max_nodes) {
      end(lost_.front());
      lost_.pop_front();
    }
    tell({.what = node_event::kind::lost, .peer = std::move(node.mapped().name), .why = why});
  }

  void tell(const node_event& what) {
    if (settings_.opts.on_event) settings_.opts.on_event(what);
  }

  gate_settings settings_;
  std::uint64_t id_;
  std::map<caf::actor_addr, member> sessions_;
  std::deque<caf::actor_addr> lost_; // those that only hear what comes too late, oldest first
  std::shared_ptr<std::atomic<std::uint64_t>> last_job_ =
    std::make_shared<std::atomic<std::uint64_t>>(0);
};

} // namespace

caf::actor spawn_gate(caf::actor_system& system, gate_settings settings) {
  return system.spawn<gate>(std::move(settings));
}

} // namespace batcher::actors::node
