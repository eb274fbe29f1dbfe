// SPDX-License-Identifier: BSD-3-Clause
//
// Nodes in one actor system in virtual time. Whoever connects does so over a cable, an actor in the
// place of CAF's networking, which a test can hold, cut and read. Nodes and their batcher see no
// difference: to both sides the cable is the other one.

#pragma once

#include "batcher/actors/ask.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/node.hpp"
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
  std::size_t count(wire::frame_kind kind) const {
    return static_cast<std::size_t>(std::count_if(seen.begin(), seen.end(), [&](auto& x) {
      return x.kind == static_cast<std::uint8_t>(kind);
    }));
  }

  void carry(const caf::strong_actor_ptr& from, const wire::frame& what) {
    seen.push_back(what);
    if (!near) near = from;
    if (from != near) far = from;
    if (is_cut) return;
    auto& to = from == near ? far : near;
    if (holds)
      held.push_back({to, what});
    else
      send(to, what);
  }

  /// Lets everything through that was held, and what comes.
  void release() {
    holds = false;
    for (auto& [to, what] : std::exchange(held, {})) send(to, what);
  }

  /// Lets through what was held and does not take more bytes, the oldest of each side first.
  void release(std::size_t bytes_each_way) {
    for (auto left : {near, far}) {
      auto budget = left == near ? std::ref(to_near) : std::ref(to_far);
      budget.get() += bytes_each_way;
      for (auto it = held.begin(); it != held.end();) {
        if (it->to != left) {
          ++it;
          continue;
        }
        if (it->what.bytes.size() > budget.get()) break;
        budget.get() -= it->what.bytes.size();
        send(it->to, it->what);
        it = held.erase(it);
      }
    }
  }
  std::size_t to_near = 0; // what may still go through
  std::size_t to_far = 0;

  void send(const caf::strong_actor_ptr& to, const wire::frame& what) const {
    actors::compat::send(nullptr, self, caf::actor_cast<caf::abstract_actor*>(to), what);
  }
};

inline caf::behavior cable_actor(caf::event_based_actor* self, const std::shared_ptr<cable>& own) {
  actors::compat::ignore_errors(self);
  return {
    [self, own](const wire::frame& what) {
      own->carry(caf::actor_cast<caf::strong_actor_ptr>(self->current_sender()), what);
    },
  };
}

struct node_fixture {
  node_fixture() {
    actors::compat::allow_category<caf::sec>();
    connector = time.system().spawn([this](caf::event_based_actor* self) { return dial_up(self); });
  }
  ~node_fixture() {
    for (auto& one : all_nodes) actors::compat::anon_send(one, wire::close_atom_v);
    for (auto& one : all_links) caf::anon_send_exit(one, caf::exit_reason::kill);
    for (auto& one : all_gates) actors::compat::anon_send(one, wire::close_atom_v);
    for (auto& one : all_batchers) caf::anon_send_exit(one, caf::exit_reason::kill);
    time.run();
    for (auto& one : cables)
      if (one->self) caf::anon_send_exit(one->self, caf::exit_reason::kill);
    for (auto& one : cables) *one = {};
    caf::anon_send_exit(connector, caf::exit_reason::kill);
    promises.clear();
    unanswered.clear();
    time.run();
  }

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
  handle spawn_doubler(options opts = {.when_idle = when_idle::immediate}) {
    return spawn(std::move(opts), doubler());
  }

  /// A batcher all of whose workers have to join.
  handle spawn_bare(options opts) {
    opts.workers = 0;
    return spawn(std::move(opts), doubler());
  }

  std::function<std::function<std::vector<int>(batch)>()> doubler() {
    return [this] {
      return [this](batch xs) {
        called.emplace_back(xs.begin(), xs.end());
        return doubled(xs);
      };
    };
  }

  static std::vector<int> doubled(batch xs) {
    std::vector<int> results;
    for (auto x : xs) results.push_back(2 * x);
    return results;
  }

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
  void finish_oldest() {
    REQUIRE_FALSE(promises.empty());
    auto [xs, answer] = std::move(promises.front());
    promises.pop_front();
    answer.deliver(doubled(xs));
    time.run();
  }

  caf::actor publish(const handle& batcher, actors::publish_options opts = {}) {
    opts.on_event = keep_events();
    gate =
      wire::spawn_gate(time.system(), wire::gate_for<int, int>(batcher, std::move(opts), "sums"));
    all_gates.push_back(gate);
    time.run();
    return gate;
  }

  handle connect(actors::connect_options opts = {}) {
    return connect_as<int, int>(std::move(opts));
  }

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
    opts.has_threads = false;
    opts.on_event = keep_events();
    auto node = wire::spawn_node<int, int>(time.system(), "host", 1, std::move(make_worker),
                                           std::move(opts), {}, connector);
    all_nodes.push_back(node);
    time.run();
    return node;
  }

  /// Tells a node to leave; the answer is how many batches it left unfinished, once it has left.
  std::shared_ptr<std::optional<std::uint64_t>> leave(const caf::actor& node, duration timeout) {
    auto out = std::make_shared<std::optional<std::uint64_t>>();
    time.system().spawn([node, timeout, out](caf::event_based_actor* self) {
      actors::compat::request(self, node, wire::depart_atom_v, caf::timespan{timeout})
        .then([out](std::uint64_t n) { *out = n; });
    });
    time.run();
    return out;
  }

  // -- the network --------------------------------------------------------------------------------

  /// Whether an attempt to connect is answered, and how.
  enum class network { works, refuses, is_silent, takes_us_for_them };
  network state = network::works;

  caf::behavior dial_up(caf::event_based_actor* self) {
    return {
      [this, self](caf::connect_atom, const std::string&, std::uint16_t)
        -> caf::result<caf::node_id, caf::strong_actor_ptr, std::set<std::string>> {
        ++attempts;
        if (state == network::refuses) return caf::make_error(caf::sec::cannot_connect_to_node);
        if (state == network::is_silent) {
          unanswered.emplace_back(*self->current_mailbox_element());
          return caf::delegated<caf::node_id, caf::strong_actor_ptr, std::set<std::string>>{};
        }
        if (state == network::takes_us_for_them) // as CAF does if both have the same node id
          return {self->system().node(), caf::strong_actor_ptr{}, std::set<std::string>{}};
        auto own = std::make_shared<cable>();
        auto actor = self->spawn(cable_actor, own);
        own->self = caf::actor_cast<caf::strong_actor_ptr>(actor);
        own->far = caf::actor_cast<caf::strong_actor_ptr>(gate);
        cables.push_back(own);
        return {caf::node_id{}, own->self, std::set<std::string>{}};
      },
    };
  }

  /// Ends a connection as the death of either process does.
  void break_cable(std::size_t i) {
    caf::anon_send_exit(cables.at(i)->self, caf::exit_reason::kill);
    time.run();
  }

  /// Publishes a batcher that could not be reached so far, and lets some time pass.
  void appear(const handle& batcher, duration wait) {
    publish(batcher);
    state = network::works;
    time.advance(wait);
  }

  void release(std::size_t i) {
    cables.at(i)->release();
    time.run();
  }

  actors::node_listener keep_events() {
    return [this](const actors::node_event& what) { events.push_back(what); };
  }

  std::size_t count(actors::node_event::kind what) const {
    return static_cast<std::size_t>(
      std::count_if(events.begin(), events.end(), [&](auto& x) { return x.what == what; }));
  }

  // -- clients ------------------------------------------------------------------------------------

  /// Sends requests from..to-1 at once, and runs everything that needs no time to pass.
  void request(const handle& to_whom, int from, int to) {
    time.system().spawn([this, to_whom, from, to](caf::event_based_actor* self) {
      for (int i = from; i < to; ++i)
        actors::compat::request(self, to_whom, i)
          .then([this, i](int y) { values.emplace(i, y); },
                [this, i](const caf::error& why) { errors.emplace(i, why); });
    });
    time.run();
  }

  void submit(const handle& to_whom, actors::submit<int> what) {
    auto i = what.request;
    actors::ask(to_whom, std::move(what), [this, i](caf::expected<int> y) {
      if (y)
        values.emplace(i, *y);
      else
        errors.emplace(i, y.error());
    });
    time.run();
  }

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

  batcher_stats stats(const handle& of) {
    auto answer = ask_for<actors::stats_message>(of, actors::stats_atom_v);
    REQUIRE(answer);
    return answer->stats;
  }

  std::size_t failed_with(errc code) const {
    std::size_t n = 0;
    for (auto& [request, why] : errors) n += why == caf::make_error(code);
    return n;
  }

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
