// SPDX-License-Identifier: BSD-3-Clause
//
// What a published batcher's observer is told of its nodes.

#include "batcher/node_counters.hpp"
#include "batcher/observer.hpp"
#include "node_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

options one_each(retry_policy again = retry::never{}) {
  return {.max_batch_items = 1, .when_idle = when_idle::immediate, .on_failure = again};
}

/// Keeps the counters of all connections, in the order in which they were made.
struct keeper : observer {
  void on_node(std::string_view name,
               std::shared_ptr<const node_counters> counters) noexcept override {
    names.emplace_back(name);
    all.push_back(std::move(counters));
  }
  void on_node_refused() noexcept override { ++refused; }

  std::vector<std::string> names;
  std::vector<std::shared_ptr<const node_counters>> all;
  int refused = 0;
};

struct metrics_fixture : node_fixture {
  void publish_watched(const handle& b, actors::publish_options opts = {}) {
    opts.observer = kept;
    publish(b, std::move(opts));
  }

  node_values read(std::size_t connection = 0) const { return kept->all.at(connection)->read(); }

  std::uint64_t workers(node_worker_state what, std::size_t connection = 0) const {
    return read(connection).workers[static_cast<std::size_t>(what)];
  }

  std::uint64_t batches(node_result how, std::size_t connection = 0) const {
    return read(connection).batches[static_cast<std::size_t>(how)];
  }

  std::shared_ptr<keeper> kept = std::make_shared<keeper>();
};

std::uint64_t number_of(const node_times& x) {
  std::uint64_t sum = 0;
  for (auto n : x.by_edge) sum += n;
  return sum;
}

constexpr auto idle = node_worker_state::idle;
constexpr auto busy = node_worker_state::busy;
constexpr auto leaving = node_worker_state::leaving;
constexpr auto away = node_worker_state::away;

} // namespace

TEST_CASE_METHOD(metrics_fixture, "a worker node's workers are busy while they hold batches") {
  auto b = spawn_bare({.max_batch_items = 2, .max_delay = 1h});
  publish_watched(b);
  join(holder(), {.name = "gpu-3", .workers = 3, .credit = 2});
  REQUIRE(kept->names == std::vector<std::string>{"gpu-3"});
  CHECK(kept->all[0]->role() == node_role::worker);
  CHECK(workers(idle) == 3);
  request(b, 0, 2);
  CHECK(workers(idle) == 2);
  CHECK(workers(busy) == 1);
  CHECK(read().in_flight_batches == 1);
  CHECK(read().in_flight_items == 2);
  request(b, 2, 12); // more than it may hold
  CHECK(workers(busy) == 3);
  CHECK(read().in_flight_batches == 6);
  CHECK(read().in_flight_items == 12);
  finish_oldest();
  CHECK(workers(busy) == 3); // that worker holds another one
  CHECK(read().in_flight_batches == 5);
  while (!promises.empty()) finish_oldest();
  CHECK(workers(idle) == 3);
  CHECK(read().in_flight_batches == 0);
  CHECK(read().in_flight_items == 0);
  CHECK(batches(node_result::ok) == 6);
  CHECK(read().connected == 1);
  CHECK(read().connects == 1);
}

TEST_CASE_METHOD(metrics_fixture, "way, wait and execution of a batch add up to its round trip") {
  auto b = spawn_bare(one_each());
  publish_watched(b);
  join(holder(), {.credit = 2});
  cables[0]->holds = true;
  request(b, 0, 1);
  time.advance(2ms); // on its way there
  release(0);
  time.advance(3ms); // in the function
  cables[0]->holds = true;
  finish_oldest();
  time.advance(40ms); // on its way back
  release(0);
  auto now = read();
  CHECK(now.wire.sum == 42ms);
  CHECK(now.wait.sum == 0s);
  CHECK(now.execute.sum == 3ms);
  CHECK(now.wire.by_edge[5] == 1);    // up to 50 ms
  CHECK(now.execute.by_edge[3] == 1); // up to 5 ms
  CHECK(number_of(now.wire) == 1);
  CHECK(number_of(now.wait) == 1);
  CHECK(number_of(now.execute) == 1);
}

TEST_CASE_METHOD(metrics_fixture, "the wait for a free worker at the node is not of the way") {
  auto b = spawn_bare(one_each());
  publish_watched(b);
  // Takes 5 ms a batch, one after the other.
  join(
    [this] {
      return [this](batch xs) {
        time.pass(5ms);
        return doubled(xs);
      };
    },
    {.credit = 2});
  cables[0]->holds = true;
  request(b, 0, 2);
  release(0); // both arrive together, so that one waits
  CHECK(values.size() == 2);
  auto now = read();
  CHECK(now.execute.sum == 10ms);
  CHECK(now.wait.sum >= 5ms);
  CHECK(now.wire.sum == 0s);
}

TEST_CASE_METHOD(metrics_fixture, "what a node says of its time is cut to what the batcher saw") {
  node_counters x{node_role::worker, 1};
  x.on_dispatched(1, 1);
  x.on_times(10ms, 1h, 2h);
  x.on_times(10ms, -5ms, -1ms);
  x.on_times(-1ms, 3ms, 3ms);
  auto now = x.read();
  CHECK(now.execute.sum == 10ms);
  CHECK(now.wait.sum == 0s);
  CHECK(now.wire.sum == 10ms);
  CHECK(number_of(now.wire) == 3);
}

TEST_CASE_METHOD(metrics_fixture, "a time on an edge belongs to what ends there") {
  node_counters x{node_role::worker, 1};
  for (auto edge : node_time_edges) {
    x.on_times(edge, 0s, 0s);
    x.on_times(edge + 1ns, 0s, 0s);
  }
  auto wire = x.read().wire;
  CHECK(wire.by_edge.front() == 1);
  for (std::size_t i = 1; i < node_time_edges.size(); ++i) CHECK(wire.by_edge[i] == 2);
  CHECK(wire.by_edge.back() == 1);
}

TEST_CASE_METHOD(metrics_fixture, "batches that fail, and those that run again, are counted") {
  auto b = spawn_bare(one_each(retry::idempotent{}));
  publish_watched(b);
  int runs = 0;
  join([&runs] {
    return [&runs](batch xs) {
      if (++runs == 1) throw std::runtime_error{"once more"};
      if (runs == 2) return std::vector<int>{};
      return doubled(xs);
    };
  });
  request(b, 0, 1);
  CHECK(values.size() == 1);
  CHECK(batches(node_result::failed) == 2);
  CHECK(batches(node_result::ok) == 1);
  CHECK(read().retries == 2);
}

TEST_CASE_METHOD(metrics_fixture, "a node that dies is away, and what it held is lost") {
  auto b = spawn_bare(one_each());
  publish_watched(b);
  join(holder(), {.workers = 2, .credit = 2, .reconnect = {.retry_delay = 100ms}});
  request(b, 0, 3);
  break_cable(0);
  CHECK(workers(away) == 2);
  CHECK(workers(busy) + workers(idle) == 0);
  CHECK(read().connected == 0);
  CHECK(read().losses == 1);
  CHECK(read().in_flight_batches == 0);
  CHECK(read().in_flight_items == 0);
  CHECK(batches(node_result::lost) == 3);
  CHECK(kept->all[0].use_count() == 1); // its session has let go
  time.advance(100ms);
  REQUIRE(kept->all.size() == 2); // it is back
  CHECK(kept->names[1] == kept->names[0]);
  CHECK(workers(idle, 1) == 2);
  CHECK(read(1).connected == 1);
  while (!promises.empty()) finish_oldest();
  CHECK(read(1).late_answers == 3);
  CHECK(batches(node_result::ok, 1) == 0);
}

TEST_CASE_METHOD(metrics_fixture, "a silent node's late answer is counted as its own") {
  auto b = spawn_bare(one_each(retry::idempotent{}));
  publish_watched(b, {.max_silence = 2s});
  join(holder(), {.name = "frozen", .reconnect = {.max_silence = 1h}});
  time.advance(500ms);
  request(b, 0, 1);
  cables[0]->holds = true;
  join(holder(), {.name = "other"});
  finish_oldest();
  time.advance(2s - 1ns); // signs of life of the other one
  CHECK(workers(away, 0) == 0);
  time.advance(1ns);
  CHECK(workers(away, 0) == 1);
  CHECK(batches(node_result::lost, 0) == 1);
  CHECK(read(1).retries == 1);
  finish_oldest();
  CHECK(batches(node_result::ok, 1) == 1);
  CHECK(read(0).late_answers == 0);
  release(0);
  CHECK(read(0).late_answers == 1);
  CHECK(read(1).late_answers == 0);
  CHECK(stats(b).counters.late_answers == 1);
}

TEST_CASE_METHOD(metrics_fixture, "an answer to a batch that was given up in between is late") {
  auto b =
    spawn_bare({.max_batch_items = 1, .when_idle = when_idle::immediate, .batch_timeout = 1s});
  publish_watched(b, {.max_silence = 2s});
  join(holder());
  request(b, 0, 1);
  time.advance(1s);
  CHECK(failed_with(errc::batch_timeout) == 1);
  CHECK(read().in_flight_batches == 1); // the node still has it
  finish_oldest();
  CHECK(batches(node_result::late) == 1);
  CHECK(read().late_answers == 1);
  CHECK(read().in_flight_batches == 0);
}

TEST_CASE_METHOD(metrics_fixture,
                 "a node that leaves in order is leaving, then gone and not away") {
  auto b = spawn_bare(one_each());
  publish_watched(b);
  auto node = join(holder(), {.workers = 2});
  request(b, 0, 1);
  leave(node, 10s);
  CHECK(workers(leaving) == 2);
  CHECK(read().connected == 1);
  finish_oldest();
  CHECK(read().workers == decltype(node_values::workers){});
  CHECK(read().connected == 0);
  CHECK(read().losses == 0);
  CHECK(batches(node_result::ok) == 1);
}

TEST_CASE_METHOD(metrics_fixture, "a node whose batcher is published no more is not lost") {
  auto b = spawn_bare(one_each());
  publish_watched(b);
  join(doubler());
  actors::compat::anon_send(gate, wire::close_atom_v);
  time.run();
  CHECK(read().connected == 0);
  CHECK(read().losses == 0);
  CHECK(workers(away) == 0);
}

TEST_CASE_METHOD(metrics_fixture, "a node that sends no message is dropped, and counts as lost") {
  auto b = spawn_bare(one_each());
  publish_watched(b);
  join(doubler());
  state = network::refuses;
  auto damaged = frame_of(wire::frame_kind::job_done);
  auto& cable = *cables[0];
  actors::compat::send(nullptr, cable.near, caf::actor_cast<caf::abstract_actor*>(cable.self),
                       damaged);
  time.run();
  CHECK(read().losses == 1);
  CHECK(workers(away) == 1);
}

TEST_CASE_METHOD(metrics_fixture, "a client's requests are counted, however they come") {
  publish_watched(spawn_doubler());
  auto b = connect({.name = "shop"});
  REQUIRE(kept->names == std::vector<std::string>{"shop"});
  CHECK(kept->all[0]->role() == node_role::client);
  request(b, 0, 3);
  submit(b, {.request = 3, .tag = 7});
  CHECK(values.size() == 4);
  CHECK(read().requests == 4);
  CHECK(read().connected == 1);
  break_cable(0);
  CHECK(read().connected == 0);
  CHECK(read().losses == 1);
}

TEST_CASE_METHOD(metrics_fixture, "who is refused is counted") {
  publish_watched(spawn_doubler(), {.max_nodes = 1});
  auto one = connect();
  CHECK(kept->refused == 0);
  auto other = connect();
  CHECK(kept->refused == 1);
  CHECK(kept->all.size() == 1);
}
