// SPDX-License-Identifier: BSD-3-Clause
//
// Nodes in one actor system in virtual time. Whoever connects does so over a cable, an actor in the
// place of CAF's networking, which a test can hold, cut and read. Nodes and their batcher see no
// difference: to both sides the cable is the other one.

#pragma once

#include "batcher/actors/ask.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/node.hpp"
#include "batcher/actors/spawn.hpp"
#include "test_messages.hpp"

#include <catch2/catch.hpp>
#include <test_system.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace batcher::actors {

extern template batcher_handle<int, int>
start_batcher<int, int>(caf::actor_system&, options, worker_maker<int, int>, hooks<int, int>);

namespace node {

extern template gate_settings gate_for<int, int>(const batcher_handle<int, int>&,
                                                 const publish_options&, const std::string&);
extern template batcher_handle<int, int>
spawn_link<int, int>(caf::actor_system&, std::string, std::uint16_t, connect_options, caf::actor);
extern template caf::actor start_node<int, int>(caf::actor_system&, std::string, std::uint16_t,
                                                worker_maker<int, int>, join_options,
                                                hooks<int, int>, caf::actor);

} // namespace node

} // namespace batcher::actors

namespace batcher::tests {

using handle = actors::batcher_handle<int, int>;
using batch = std::span<const int>;
namespace wire = actors::node;

/// One connection.
struct cable {
  struct held_frame {
    caf::strong_actor_ptr to;
    wire::frame what;
  };

  caf::strong_actor_ptr self;
  caf::strong_actor_ptr near; // who has dialled
  caf::strong_actor_ptr far;  // the gate, then the session
  bool holds = false;         // as between frozen processes: what is sent arrives later
  bool is_cut = false;        // as on a broken one: it never arrives
  std::deque<held_frame> held;
  std::vector<wire::frame> seen; // all that was sent, both ways

  /// Returns how many frames of that kind were sent.
  std::size_t count(wire::frame_kind kind) const;

  void carry(const caf::strong_actor_ptr& from, const wire::frame& what);

  /// Lets everything through that was held, and what comes.
  void release();

  /// Lets through what was held and does not take more bytes, the oldest of each side first.
  void release(std::size_t bytes_each_way);
  std::size_t to_near = 0; // what may still go through
  std::size_t to_far = 0;

  void send(const caf::strong_actor_ptr& to, const wire::frame& what) const;
};

struct node_fixture {
  node_fixture();
  ~node_fixture();

  // -- nodes --------------------------------------------------------------------------------------

  template <class Factory>
  handle spawn(options opts, Factory make_worker) {
    opts.worker_execution = worker_execution::cooperative;
    auto batcher =
      actors::spawn_batcher<int, int>(time.system(), std::move(opts), std::move(make_worker));
    all_batchers.push_back(caf::actor_cast<caf::actor>(batcher));
    time.run();
    return batcher;
  }

  /// A batcher whose function doubles, and keeps its batches in `called`.
  handle spawn_doubler(options opts = {.when_idle = when_idle::immediate});

  /// A batcher all of whose workers have to join.
  handle spawn_bare(options opts);

  std::function<std::function<std::vector<int>(batch)>()> doubler();

  static std::vector<int> doubled(batch xs);

  /// A factory whose functions keep their promises in `promises`, for the test to answer.
  auto holder() {
    return [this] {
      return [this](batch xs, actors::batch_promise<int> answer) {
        called.emplace_back(xs.begin(), xs.end());
        promises.emplace_back(std::vector<int>(xs.begin(), xs.end()), std::move(answer));
      };
    };
  }

  /// Answers the oldest batch that is held.
  void finish_oldest();

  caf::actor publish(const handle& batcher, actors::publish_options opts = {});

  handle connect(actors::connect_options opts = {});

  template <class Request, class Response>
  actors::batcher_handle<Request, Response> connect_as(actors::connect_options opts = {}) {
    opts.on_event = keep_events();
    auto link =
      wire::spawn_link<Request, Response>(time.system(), "host", 1, std::move(opts), connector);
    all_links.push_back(caf::actor_cast<caf::actor_addr>(link));
    time.run();
    return link;
  }

  template <class Factory>
  caf::actor join(Factory make_worker, actors::join_options opts = {}) {
    return join_as<int, int>(std::move(make_worker), std::move(opts));
  }

  template <class Request, class Response, class Factory>
  caf::actor join_as(Factory make_worker, actors::join_options opts = {}) {
    opts.has_threads = false;
    opts.on_event = keep_events();
    auto node = wire::start_node<Request, Response>(
      time.system(), "host", 1, actors::maker_of<Request, Response>(std::move(make_worker)),
      std::move(opts), {}, connector);
    all_nodes.push_back(node);
    time.run();
    return node;
  }

  /// Tells a node to leave; the answer is how many batches it left unfinished, once it has left.
  std::shared_ptr<std::optional<std::uint64_t>> leave(const caf::actor& node, duration timeout);

  // -- the network --------------------------------------------------------------------------------

  /// Whether an attempt to connect is answered, and how.
  enum class network { works, refuses, is_silent, takes_us_for_them };
  network state = network::works;

  caf::behavior dial_up(caf::event_based_actor* self);

  /// Ends a connection as the death of either process does.
  void break_cable(std::size_t i);

  /// Publishes a batcher that could not be reached so far, and lets some time pass.
  void appear(const handle& batcher, duration wait);

  void release(std::size_t i);

  actors::node_listener keep_events();

  std::size_t count(actors::node_event::kind what) const;

  // -- clients ------------------------------------------------------------------------------------

  /// Sends requests from..to-1 at once, and runs everything that needs no time to pass.
  void request(const handle& to_whom, int from, int to);

  void submit(const handle& to_whom, actors::submit<int> what);

  template <class T, class Handle, class... Ts>
  caf::expected<T> ask_for(const Handle& whom, Ts... xs) {
    auto out = std::make_shared<std::optional<caf::expected<T>>>();
    time.system().spawn([whom, out, xs...](caf::event_based_actor* self) {
      actors::compat::request(self, whom, xs...)
        .then([out](const T& x) { out->emplace(x); },
              [out](const caf::error& why) { out->emplace(why); });
    });
    time.run();
    REQUIRE(out->has_value());
    return std::move(**out);
  }

  batcher_stats stats(const handle& of);

  std::size_t failed_with(errc code) const;

  std::string text(const caf::error& why) { return actors::compat::render(time.system(), why); }

  std::multimap<int, int> values;
  std::multimap<int, caf::error> errors;
  std::vector<std::vector<int>> called;
  std::deque<std::pair<std::vector<int>, actors::batch_promise<int>>> promises;
  std::vector<actors::node_event> events;
  std::vector<std::shared_ptr<cable>> cables;
  std::size_t attempts = 0;
  caf::actor gate;
  caf::actor connector;
  std::vector<actors::owned_promise> unanswered;
  std::vector<caf::actor> all_gates;
  std::vector<caf::actor> all_nodes;
  std::vector<caf::actor> all_batchers;
  std::vector<caf::actor_addr> all_links;
  test_system<caf::id_block::batcher_tests, caf::id_block::batcher_nodes> time;
};

} // namespace batcher::tests
