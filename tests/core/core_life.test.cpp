// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: pause, new options for a batcher that runs, drain and forced stop.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <vector>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

// -- pause ----------------------------------------------------------------------------------------

TEST_CASE("a paused batcher dispatches nothing, but admits, expires and takes results") {
  rig r{{.max_batch_items = 1, .max_queue_items = 2}};
  r.with_workers(2).admit(start, 0);
  auto b = r.take(start);
  r.core.pause();
  CHECK(r.core.is_paused());
  r.admit(start, 1, {.timeout = 10ms});
  r.admit(start, 2);
  CHECK_FALSE(r.next(start));
  CHECK(r.core.next_deadline() == start + 10ms);
  CHECK(r.refusal(start) == errc::queue_full);
  CHECK(r.complete(start, b));
  r.expire(start + 10ms);
  CHECK(r.left() == departed{{0, errc::none}, {1, errc::expired}});
  CHECK_FALSE(r.core.next_deadline());
  r.core.resume();
  CHECK(r.take(start + 10ms).numbers == range(2, 3));
}

TEST_CASE("a drain ends a pause") {
  rig r{{}};
  r.with_workers(1).admit(start, 0);
  r.core.pause();
  r.core.drain(start, 1s);
  CHECK_FALSE(r.core.is_paused());
  CHECK(r.next(start));
}

// -- reconfiguration ------------------------------------------------------------------------------

TEST_CASE("what is queued stays beyond a new limit, and leaves within the new batches") {
  rig r{{.max_batch_items = 8, .max_delay = 1h, .max_queue_items = 8}};
  r.admit(start, range(0, 6));
  auto opts = r.core.opts();
  opts.max_batch_items = opts.max_queue_items = 4;
  r.core.reconfigure(start, opts);
  CHECK(r.refusal(start) == errc::queue_full);
  r.with_workers(1, 8);
  CHECK(r.take(start).numbers == range(0, 4));
  CHECK_FALSE(r.next(start));
  CHECK(r.refusal(start) == errc::none);
}

TEST_CASE("an item that costs more than a new limit leaves alone") {
  rig r{{.max_batch_items = 8, .max_batch_cost = 100, .max_delay = 1h}};
  r.admit(start, 0, {.cost = 80});
  r.admit(start, 1, {.cost = 3});
  auto opts = r.core.opts();
  opts.max_batch_cost = 10;
  r.core.reconfigure(start, opts);
  r.with_workers(2);
  CHECK(r.take(start).numbers == range(0, 1));
  CHECK_FALSE(r.next(start));
}

TEST_CASE("a new window counts for what is queued already") {
  rig r{{.max_delay = 1h}};
  r.with_workers(1).admit(start, 0);
  auto opts = r.core.opts();
  opts.max_delay = 10ms;
  r.core.reconfigure(start + 1ms, opts);
  CHECK(r.core.next_deadline() == start + 10ms);
  CHECK_FALSE(r.next(start + 10ms - 1ns));
  CHECK(r.next(start + 10ms));
}

TEST_CASE("new weights and a new head start count for what is queued already") {
  rig r{{.max_batch_items = 5, .max_delay = 1h, .priority_head_start = 1ms}};
  r.admit(start, range(0, 4), {.key = "t", .tenant = "a"});
  r.admit(start, range(10, 14), {.key = "t", .tenant = "b"});
  r.admit(start, 20, {.key = "p"});
  r.admit(start + 5ms, range(21, 25), {.key = "p", .priority = 1});
  auto opts = r.core.opts();
  opts.tenant_weights = {{"b", 4}};
  opts.priority_head_start = 10ms;
  r.core.reconfigure(start + 5ms, opts);
  r.with_workers(2);
  CHECK(r.take(start + 5ms).numbers == std::vector{0, 10, 11, 12, 13});
  CHECK(r.take(start + 5ms).numbers == std::vector{21, 22, 23, 24, 20});
}

TEST_CASE("new rules for workers count from now on") {
  rig r{{.max_batch_items = 1, .restart_delay = 100ms}};
  r.start_workers(start);
  auto opts = r.core.opts();
  opts.restart_delay = 0ms;
  r.core.reconfigure(start, opts);
  r.down(start, 0);
  CHECK(r.refusal(start) == errc::no_workers);
}

TEST_CASE("name and observer stay what they were") {
  auto seen = std::make_shared<recorder>();
  rig r{{.name = "old", .max_batch_items = 1, .observer = seen}};
  CHECK(seen->name == "old");
  r.core.reconfigure(start, {.name = "new", .max_batch_items = 1});
  CHECK(r.core.opts().name == "old");
  r.with_workers(1).admit(start, 0);
  r.complete(start, r.take(start));
  CHECK(seen->batches == 1);
}

TEST_CASE("workers grow and shrink, and the surplus ends with its last batch") {
  rig r{{.max_batch_items = 1, .workers = 1}};
  CHECK(r.start_workers(start) == 1);
  auto opts = r.core.opts();
  opts.workers = 3;
  r.core.reconfigure(start, opts);
  CHECK(r.start_workers(start) == 2);
  r.admit(start, range(0, 3));
  std::vector<dispatched> running{r.take(start), r.take(start), r.take(start)};
  opts.workers = 1;
  r.core.reconfigure(start, opts);
  CHECK_FALSE(r.core.take_retired());
  for (auto& b : running) CHECK(r.complete(start, b));
  std::vector<worker_id> retired;
  while (auto id = r.core.take_retired()) retired.push_back(*id);
  CHECK(retired.size() == 2);
  CHECK(r.core.workers().workers() == 1);
  for (auto id : retired) r.down(start, id);
  CHECK_FALSE(r.core.next_start(start + 1h));
  CHECK(r.refusal(start) == errc::none);
}

TEST_CASE("a worker that retires while it starts does not come up") {
  rig r{{.workers = 2}};
  auto first = r.core.next_start(start);
  auto second = r.core.next_start(start);
  REQUIRE(second);
  auto opts = r.core.opts();
  opts.workers = 1;
  r.core.reconfigure(start, opts);
  CHECK(r.core.take_retired() == second);
  r.core.worker_up(start, *second, 1);
  CHECK(r.core.workers().count(worker_stage::serving) == 0);
  r.core.worker_up(start, *first, 1);
  CHECK(r.core.workers().count(worker_stage::serving) == 1);
}

TEST_CASE("an outage begins when the only worker that is up retires") {
  bool is_busy = GENERATE(false, true);
  rig r{{.max_batch_items = 1, .workers = 2, .restart_delay = 1h, .max_restart_delay = 1h}};
  r.start_workers(start);
  r.down(start, 0);
  r.admit(start, 0);
  auto b = r.take(start);
  if (!is_busy) r.complete(start, b);
  auto opts = r.core.opts();
  opts.workers = 1;
  r.core.reconfigure(start, opts);
  if (is_busy) r.complete(start, b);
  CHECK(r.core.take_retired() == 1u);
  CHECK(r.refusal(start + 1s - 1ns) == errc::none);
  CHECK(r.refusal(start + 1s) == errc::no_workers);
}

TEST_CASE("once dead workers are replaced, those that were not before are as well") {
  rig r{{.workers = 2, .restart_delay = 0ms}};
  CHECK(r.start_workers(start) == 2);
  r.down(start, 0);
  r.down(start, 1);
  CHECK(r.start_workers(start) == 0);
  auto opts = r.core.opts();
  opts.restart_delay = 100ms;
  r.core.reconfigure(start, opts);
  CHECK(r.start_workers(start) == 2);
  CHECK(r.refusal(start) == errc::none);
}

TEST_CASE("a new credit counts for the workers that are up") {
  rig r{{.max_batch_items = 1}};
  r.start_workers(start);
  r.admit(start, range(0, 5));
  CHECK(r.take_all(start).size() == 1);
  auto opts = r.core.opts();
  opts.worker_credit = 3;
  r.core.reconfigure(start, opts);
  CHECK(r.take_all(start).size() == 2);
}

// -- drain ----------------------------------------------------------------------------------------

TEST_CASE("a drain refuses newcomers, waits for no window and answers the rest at its timeout") {
  rig r{{.max_batch_items = 2, .max_delay = 1s}};
  r.with_workers(1).admit(start, 0);
  CHECK_FALSE(r.next(start));
  r.core.drain(start, 100ms);
  CHECK(r.refusal(start) == errc::draining);
  r.take(start);
  CHECK(of(close_reason::drain, r.counters().batches) == 1);
  CHECK(r.core.next_deadline() == start + 100ms);
  r.expire(start + 100ms - 1ns);
  CHECK(r.left().empty());
  r.expire(start + 100ms);
  CHECK(r.left() == all(errc::shut_down, {0}));
  CHECK(r.core.is_closed());
  CHECK(r.refusal(start + 100ms) == errc::shut_down);
  CHECK_FALSE(r.core.next_deadline());
}

TEST_CASE("a drain is not over while a batch still runs") {
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(1).admit(start, range(0, 3));
  CHECK_FALSE(r.core.is_drained());
  r.core.drain(start, 1s);
  auto b = r.take(start);
  CHECK(r.core.queue_items() == 0);
  CHECK_FALSE(r.core.is_drained());
  CHECK(r.complete(start + 500ms, b));
  CHECK(r.left().size() == 3);
  CHECK(r.core.is_drained());
  CHECK_FALSE(r.core.next_deadline());
}

TEST_CASE("a drain lets failed batches run again") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}};
  r.with_workers(1).admit(start, range(0, 2));
  r.core.drain(start, 1s);
  r.fail(start, r.take(start));
  CHECK_FALSE(r.core.is_drained());
  CHECK(r.complete(start, r.take(start)));
  CHECK(r.left() == all(errc::none, {0, 1}));
  CHECK(r.core.is_drained());
}

TEST_CASE("a second drain shortens the timeout and never lengthens it") {
  rig r{{.max_delay = 1s}};
  r.admit(start, 0);
  r.core.drain(start, 100ms);
  r.core.drain(start, 1h);
  CHECK(r.core.next_deadline() == start + 100ms);
  r.core.drain(start, 50ms);
  CHECK(r.core.next_deadline() == start + 50ms);
}

TEST_CASE("a drain without a limit never expires") {
  rig r{{}};
  r.admit(start, 0);
  r.core.drain(start, duration::max());
  CHECK_FALSE(r.core.next_deadline());
  r.expire(start + 100'000h);
  CHECK(r.left().empty());
}

// -- abandon --------------------------------------------------------------------------------------

TEST_CASE("a forced stop hands back every item, wherever it is, once") {
  rig r{{.max_batch_items = 10, .on_failure = repeating}, by_tens()};
  r.with_workers(2);
  std::vector<int> numbers;
  for (int i = 0; i < 25; ++i) numbers.push_back(i * 10);
  r.admit(start, numbers);
  auto running = r.take(start);
  r.fail(start, r.take(start));
  r.admit(start, {1, 101, 201}); // follow one in flight, one to run again and one queued
  CHECK(r.core.following_items() == 3);
  r.core.abandon(start, errc::shut_down);
  r.check_books();
  auto left = r.left();
  std::sort(left.begin(), left.end());
  numbers.insert(numbers.end(), {1, 101, 201});
  std::sort(numbers.begin(), numbers.end());
  CHECK(left == all(errc::shut_down, numbers));
  CHECK(r.core.is_idle());
  CHECK(r.core.is_drained());
  CHECK_FALSE(r.complete(start, running));
  r.core.abandon(start, errc::no_workers); // only the first counts
  CHECK(r.left().empty());
  CHECK(r.refusal(start) == errc::shut_down);
  CHECK_FALSE(r.next(start));
  CHECK_FALSE(r.core.next_start(start));
  auto values = r.counters();
  CHECK(values.late_answers == 0);
  CHECK(values.lanes == 0);
  CHECK(values.queue_cost == 0);
  CHECK(r.core.workers().credit_in_use() == 0);
}

TEST_CASE("after a stop a request is refused with its reason") {
  rig r{{}};
  r.core.abandon(start, errc::worker_lost);
  CHECK(r.left().empty());
  CHECK(r.refusal(start) == errc::worker_lost);
}
