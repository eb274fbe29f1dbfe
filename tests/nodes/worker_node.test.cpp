// SPDX-License-Identifier: BSD-3-Clause
//
// Workers that dial in: they get batches by credit, their results arrive, and they leave in order.

#include "batcher/observer.hpp"
#include "node_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;
using event = actors::node_event::kind;

namespace {

options one_each() { return {.max_batch_items = 1, .when_idle = when_idle::immediate}; }

} // namespace

TEST_CASE_METHOD(node_fixture, "a worker node serves a batcher that has no workers of its own") {
  auto b = spawn_bare({.max_batch_items = 3, .max_delay = 1h});
  publish(b);
  request(b, 0, 3);
  CHECK(values.empty());
  join(doubler());
  CHECK(values == std::multimap<int, int>{{0, 0}, {1, 2}, {2, 4}});
  CHECK(called.size() == 1);
  CHECK(count(event::connected) == 2); // both sides
}

TEST_CASE_METHOD(node_fixture, "a node's workers take as many batches as their credit says") {
  auto b = spawn_bare(one_each());
  publish(b);
  join(holder(), {.workers = 2, .credit = 3});
  request(b, 0, 10);
  CHECK(called.size() == 6);
  CHECK(stats(b).in_flight_batches == 6);
  finish_oldest();
  CHECK(called.size() == 7);
  while (!promises.empty()) finish_oldest();
  CHECK(values.size() == 10);
}

TEST_CASE_METHOD(node_fixture, "batches are spread over the nodes and over their workers") {
  auto b = spawn_bare(one_each());
  publish(b);
  std::map<int, int> by_worker;
  auto counting = [this, &by_worker](int node) {
    return [this, &by_worker, node](std::size_t number) {
      return [this, &by_worker, key = node * 10 + static_cast<int>(number)](
               batch xs, actors::batch_promise<int> answer) {
        ++by_worker[key];
        promises.emplace_back(std::vector<int>(xs.begin(), xs.end()), std::move(answer));
      };
    };
  };
  join(counting(1), {.workers = 2, .credit = 2});
  join(counting(2), {.workers = 2, .credit = 2});
  request(b, 0, 4);
  CHECK(by_worker == std::map<int, int>{{10, 1}, {11, 1}, {20, 1}, {21, 1}});
  while (!promises.empty()) finish_oldest();
}

TEST_CASE_METHOD(node_fixture, "key, attempt and padding reach a function on another node") {
  auto b = spawn_bare({.max_batch_items = 4,
                       .allowed_batch_items = {4},
                       .size_rounding = size_rounding::pad,
                       .when_idle = when_idle::immediate,
                       .on_failure = retry::idempotent{.bisect = false}});
  publish(b);
  std::vector<std::string> seen;
  join([&seen] {
    return [&seen](batch xs, const actors::batch_context& of) {
      seen.push_back(of.key() + " " + std::to_string(of.attempt()) + " "
                     + std::to_string(of.padding_items()));
      if (of.attempt() == 1) throw std::runtime_error{"once more"};
      return doubled(xs);
    };
  });
  submit(b, {.request = 1, .key = "blue"});
  CHECK(seen == std::vector<std::string>{"blue 1 3", "blue 2 3"});
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(node_fixture, "what a function on another node throws or returns arrives") {
  auto b = spawn_bare(one_each());
  publish(b);
  join([] {
    return [](batch xs) {
      if (xs[0] == 1) throw std::runtime_error{"model is on fire"};
      if (xs[0] == 2) return actors::bulk_results<int>{};
      return actors::bulk_results<int>{caf::make_error(caf::sec::invalid_argument, "not that one")};
    };
  });
  request(b, 1, 4);
  REQUIRE(errors.size() == 3);
  CHECK(errors.find(1)->second == caf::make_error(errc::batch_failed));
  CHECK(actors::text_of(errors.find(1)->second) == "model is on fire");
  CHECK(errors.find(2)->second == caf::make_error(errc::result_count_mismatch));
  CHECK(errors.find(3)->second == caf::make_error(caf::sec::invalid_argument));
}

TEST_CASE_METHOD(node_fixture, "the time inside the function is the node's, the way is not in it") {
  struct keeper : observer {
    void on_batch(const batch_record& record) noexcept override { executed = record.executed; }
    duration executed = duration::zero();
  };
  auto kept = std::make_shared<keeper>();
  auto b = spawn_bare({.when_idle = when_idle::immediate, .observer = kept});
  publish(b);
  join(holder());
  request(b, 0, 1);
  time.advance(3ms);
  cables[0]->holds = true;
  finish_oldest();
  time.advance(4ms);
  release(0);
  CHECK(values.size() == 1);
  CHECK(kept->executed == 3ms);
}

TEST_CASE_METHOD(node_fixture, "a node that leaves finishes what it has and gets no more") {
  auto b = spawn_bare(one_each());
  publish(b);
  auto first = join(holder(), {.credit = 2});
  request(b, 0, 4);
  CHECK(called.size() == 2);
  auto left = leave(first, 10s);
  CHECK_FALSE(*left);
  finish_oldest();
  CHECK(called.size() == 2);
  CHECK_FALSE(*left);
  finish_oldest();
  CHECK(*left == 0u);
  CHECK(values.size() == 2);
  CHECK(errors.empty());
  join(doubler());
  CHECK(values.size() == 4);
  CHECK(count(event::left) == 2); // both sides
  CHECK(count(event::lost) == 0);
}

TEST_CASE_METHOD(node_fixture, "a node that has nothing to do leaves at once") {
  auto b = spawn_bare(one_each());
  publish(b);
  auto node = join(doubler(), {.workers = 3});
  CHECK(leave(node, 10s)->value() == 0u);
  CHECK(stats(b).counters.workers[static_cast<std::size_t>(worker_stage::serving)] == 0);
}

TEST_CASE_METHOD(node_fixture, "a node that cannot finish in time goes, and says so") {
  auto b = spawn_bare(one_each());
  publish(b);
  auto node = join(holder());
  request(b, 0, 1);
  auto left = leave(node, 1s);
  time.advance(1s - 1ns);
  CHECK_FALSE(*left);
  time.advance(1ns);
  CHECK(*left == 1u);
  CHECK(failed_with(errc::worker_lost) == 1);
}

TEST_CASE_METHOD(node_fixture, "a node that has left keeps nothing of its factory") {
  auto b = spawn_bare(one_each());
  publish(b);
  auto owned = std::make_shared<int>(0);
  std::weak_ptr<int> seen = owned;
  auto node =
    join([owned = std::move(owned)] { return [owned](batch xs) { return doubled(xs); }; });
  request(b, 0, 1);
  CHECK_FALSE(seen.expired());
  CHECK(leave(node, 10s)->value() == 0u);
  CHECK(seen.expired()); // though the test has its handle, and a timer may
}

TEST_CASE_METHOD(node_fixture, "nodes are replaced one by one under load, and nothing fails") {
  auto b = spawn_bare({.max_batch_items = 4, .max_delay = 1ms});
  publish(b);
  auto node = join(doubler(), {.workers = 2});
  for (int i = 0; i < 20; ++i) {
    request(b, 10 * i, 10 * i + 10);
    auto next = join(doubler(), {.workers = 2});
    auto left = leave(node, 10s);
    time.advance(1ms);
    CHECK(*left == 0u);
    node = next;
  }
  CHECK(values.size() == 200);
  CHECK(errors.empty());
}

TEST_CASE_METHOD(node_fixture, "own workers and those of nodes work together") {
  auto b = spawn({.max_batch_items = 1, .when_idle = when_idle::immediate, .workers = 1}, holder());
  publish(b);
  auto node = join(holder(), {.credit = 1});
  request(b, 0, 3);
  CHECK(called.size() == 2);
  auto left = leave(node, 1h);
  while (!promises.empty()) finish_oldest();
  CHECK(*left == 0u);
  CHECK(values.size() == 3);
}

TEST_CASE_METHOD(node_fixture, "the workers of nodes are divided among the shards of a batcher") {
  auto b = spawn({.max_batch_items = 1,
                  .when_idle = when_idle::immediate,
                  .workers = 2,
                  .shards = 2,
                  .shard_by = shard_by::key},
                 holder());
  publish(b);
  auto first = join(holder(), {.credit = 1});
  join(holder(), {.credit = 1});
  for (auto key : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    submit(b, {.request = 1, .key = key});
    submit(b, {.request = 2, .key = key});
  }
  CHECK(called.size() == 4); // one of its own and one that has joined in each shard
  auto left = leave(first, 1h);
  while (!promises.empty()) finish_oldest();
  CHECK(*left == 0u);
  CHECK(values.size() == 16);
  CHECK(errors.empty());
}

TEST_CASE_METHOD(node_fixture,
                 "a node that is let in only to be sent away waits longer each time") {
  auto b = spawn_bare(one_each());
  publish(b);
  join(doubler(), {.reconnect = {.retry_delay = 100ms, .max_retry_delay = 1s}});
  actors::compat::anon_send(b, actors::stop_atom_v);
  for (int i = 0; i < 100; ++i) time.advance(100ms);
  CHECK(attempts > 10);
  CHECK(attempts < 25);
}

TEST_CASE_METHOD(node_fixture,
                 "a batcher that is stopped sends its nodes away, and they dial again") {
  auto b = spawn_bare(one_each());
  publish(b);
  join(doubler());
  actors::compat::anon_send(b, actors::stop_atom_v);
  time.run();
  CHECK(count(event::lost) + count(event::left) >= 1);
  auto again = spawn_bare(one_each());
  publish(again);
  time.advance(10s);
  request(again, 0, 1);
  CHECK(values.size() == 1);
}
