// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: batches that take too long, workers that die, fail or do not come up, and
// outages, in which there is none. Only the core's side: the workers themselves are numbers here.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

#include <optional>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

// -- batches that take too long -------------------------------------------------------------------

TEST_CASE("a batch past batch_timeout is given up, and its worker keeps its credit in use") {
  rig r{{.max_batch_items = 2, .batch_timeout = 50ms}};
  r.with_workers(1).admit(start, range(0, 4));
  auto b = r.take(start);
  CHECK(r.core.next_deadline() == start + 50ms);
  r.expire(start + 50ms - 1ns);
  CHECK(r.left().empty());
  CHECK_FALSE(r.core.take_given_up());
  r.expire(start + 50ms);
  CHECK(r.left() == all(errc::batch_timeout, {0, 1}));
  CHECK(r.core.take_given_up() == b.id);
  CHECK_FALSE(r.core.take_given_up());
  CHECK(r.core.workers().credit_in_use() == 1);
  CHECK_FALSE(r.next(start + 60ms));

  CHECK_FALSE(r.complete(start + 70ms, b)); // late: dropped and counted
  CHECK(r.left().empty());
  CHECK(r.take(start + 70ms).numbers == range(2, 4));
  auto values = r.counters();
  CHECK(values.late_answers == 1);
  CHECK(values.wasted_items == 2);
  CHECK(of(failure::batch_timeout, values.failures) == 1);
}

TEST_CASE("an idempotent batch past its timeout runs elsewhere while the first run goes on") {
  rig r{{.max_batch_items = 2, .batch_timeout = 50ms, .on_failure = repeating}};
  r.with_workers(2).admit(start, range(0, 2));
  auto slow = r.take(start);
  r.expire(start + 50ms);
  auto again = r.take(start + 50ms);
  CHECK(again.worker != slow.worker);
  CHECK(again.attempt == 2);
  CHECK(r.core.next_deadline() == start + 100ms);
  CHECK_FALSE(r.complete(start + 60ms, slow));
  CHECK(r.left().empty());
  CHECK(r.complete(start + 70ms, again));
  CHECK(r.left() == all(errc::none, {0, 1}));
}

TEST_CASE("a worker that dies with a batch that was given up costs nobody a second answer") {
  rig r{{.max_batch_items = 2, .batch_timeout = 50ms}};
  r.with_workers(1).admit(start, range(0, 2));
  auto b = r.take(start);
  r.expire(start + 50ms);
  r.core.clear_departures();
  r.down(start + 60ms, b.worker);
  CHECK(r.left().empty());
  CHECK(of(failure::worker_lost, r.counters().failures) == 0);
  CHECK(r.counters().lanes == 0);
}

TEST_CASE("a timed-out batch counts for max_lane_batches until its worker returns") {
  rig r{{.max_batch_items = 1, .batch_timeout = 50ms, .max_lane_batches = 1}};
  r.with_workers(2).admit(start, range(0, 2));
  auto b = r.take(start);
  r.expire(start + 50ms);
  CHECK_FALSE(r.next(start + 50ms));
  r.complete(start + 60ms, b);
  CHECK(r.next(start + 60ms));
}

// -- workers --------------------------------------------------------------------------------------

TEST_CASE("a lost worker's batches come back and the others go on") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}};
  r.core.worker_up(start, 1, 2);
  r.core.worker_up(start, 2, 1);
  r.admit(start, range(0, 6));
  departed expected;
  std::optional<dispatched> of_second;
  while (auto b = r.next(start)) {
    if (b->worker == 2)
      of_second = b;
    else
      for (auto n : b->numbers) expected.emplace_back(n, errc::worker_lost);
  }
  REQUIRE(of_second);
  r.down(start, 1);
  CHECK(r.left() == expected);
  CHECK(r.complete(start, *of_second));
  CHECK(r.left().size() == 2);
  r.down(start, 1);
  CHECK(r.left().empty());
}

TEST_CASE("workers are started once each, and a dead one again after a wait within its bounds") {
  rig r{{.workers = 2, .restart_delay = 100ms}};
  CHECK(r.core.next_start(start));
  auto id = r.core.next_start(start);
  REQUIRE(id);
  CHECK_FALSE(r.core.next_start(start));
  r.core.worker_up(start, *id, 1);
  r.down(start, *id);
  auto due = r.core.next_deadline();
  REQUIRE(due);
  CHECK(*due >= start + 50ms);
  CHECK(*due <= start + 100ms);
  CHECK_FALSE(r.core.next_start(*due - 1ns));
  CHECK(r.counters().restarts == 0);
  CHECK(r.core.next_start(*due) == id);
  CHECK(r.counters().restarts == 1);
}

TEST_CASE("a worker that dies again and again is waited for only while there is work") {
  rig r{{.restart_delay = 100ms, .max_outage = 1h}};
  r.start_workers(start);
  r.down(start, 0);
  auto now = *r.core.next_deadline();
  REQUIRE(r.core.next_start(now) == 0u);
  r.down(now, 0);
  CHECK_FALSE(r.core.next_deadline());
  r.admit(now, 0);
  auto due = r.core.next_deadline();
  REQUIRE(due);
  CHECK(r.core.next_start(*due) == 0u);
}

TEST_CASE("the counters tell what the workers do") {
  rig r{{.workers = 3, .breaker_failures = 0}};
  auto a = r.core.next_start(start);
  auto b = r.core.next_start(start);
  REQUIRE(r.core.next_start(start));
  r.core.worker_up(start, *a, 1);
  r.down(start, *b);
  auto workers = r.counters().workers;
  CHECK(of(worker_stage::serving, workers) == 1);
  CHECK(of(worker_stage::down, workers) == 1);
  CHECK(of(worker_stage::starting, workers) == 1);
}

TEST_CASE("a worker that fails breaker_failures batches in a row is put aside, not the last one") {
  rig r{{.max_batch_items = 1, .restart_delay = 100ms, .breaker_failures = 2}};
  r.with_workers(2).admit(start, range(0, 6));
  auto busy = r.take(start);
  r.fail(start, r.take(start));
  CHECK(of(worker_stage::aside, r.counters().workers) == 0);
  r.fail(start, r.take(start));
  CHECK(of(worker_stage::aside, r.counters().workers) == 1);
  CHECK_FALSE(r.next(start));
  for (int i = 0; i < 3; ++i, busy = r.take(start)) r.fail(start, busy);
  CHECK(of(worker_stage::aside, r.counters().workers) == 1);
}

TEST_CASE("a worker on probation gets a single batch") {
  rig r{{.max_batch_items = 1, .restart_delay = 100ms, .breaker_failures = 1}};
  r.with_workers(2, 3).admit(start, range(0, 1));
  auto b = r.take(start);
  r.fail(start, b);
  r.admit(start, range(0, 10));
  CHECK(r.take_all(start).size() == 3);
  auto due = r.core.next_deadline();
  REQUIRE(due);
  CHECK(*due >= start + 50ms);
  CHECK(*due <= start + 100ms);
  CHECK_FALSE(r.next(*due - 1ns));
  auto trial = r.take(*due);
  CHECK(trial.worker == b.worker);
  CHECK_FALSE(r.next(*due));
  CHECK(of(worker_stage::probation, r.counters().workers) == 1);
  r.complete(*due, trial);
  CHECK(r.take_all(*due).size() == 3);
}

TEST_CASE("news of workers that are not known changes nothing") {
  rig r{{.max_outage = 0ms}};
  r.down(start, 99);
  CHECK(r.refusal(start) == errc::none);
}

TEST_CASE("while no worker is up requests wait for max_outage and are then answered") {
  rig r{{.restart_delay = 10s, .max_outage = 1s}};
  CHECK(r.start_workers(start) == 1);
  r.admit(start, 0);
  r.down(start, 0);
  CHECK(r.core.next_deadline() == start + 1s);
  r.expire(start + 1s - 1ns);
  CHECK(r.left().empty());
  CHECK(r.refusal(start + 1s - 1ns) == errc::none);
  CHECK(r.refusal(start + 1s) == errc::no_workers);
  r.expire(start + 1s);
  CHECK(r.left() == all(errc::no_workers, {0, -1}));
  CHECK(r.core.is_idle());

  auto restart = r.core.next_deadline();
  REQUIRE(restart);
  CHECK(*restart >= start + 5s);
  CHECK(r.refusal(*restart) == errc::no_workers);
  auto id = r.core.next_start(*restart);
  REQUIRE(id);
  CHECK(r.core.refusal() == errc::none); // it starts: there is hope
  r.admit(*restart, 1);
  r.core.worker_up(*restart, *id, 1);
  CHECK(r.take(*restart + 2ms).numbers == range(1, 2));

  r.down(*restart + 1min, *id); // the next outage has its own time
  CHECK(r.refusal(*restart + 1min + 1s - 1ns) == errc::none);
  CHECK(r.refusal(*restart + 1min + 1s) == errc::no_workers);
}

TEST_CASE("an outage goes on while restarts fail") {
  rig r{{.restart_delay = 1s, .max_restart_delay = 1s, .max_outage = 3s}};
  CHECK(r.start_workers(start) == 1);
  r.admit(start, 0);
  r.down(start, 0);
  auto now = start;
  while (r.core.refusal() == errc::none) {
    auto next = r.core.next_deadline();
    REQUIRE(next);
    REQUIRE(*next > now);
    now = *next;
    static_cast<void>(r.core.next_start(now));
    r.down(now, 0);
    r.expire(now);
  }
  CHECK(now >= start + 3s);
  CHECK(now <= start + 4s);
  CHECK(r.left() == all(errc::no_workers, {0}));
}

TEST_CASE("what waits to run again is answered as well when the last worker is out") {
  rig r{{.max_batch_items = 2, .on_failure = repeating, .max_outage = 0ms}};
  CHECK(r.start_workers(start) == 1);
  r.admit(start, range(0, 2));
  r.take(start);
  r.down(start, 0);
  CHECK(r.core.queue_items() == 2);
  CHECK(r.core.next_deadline() == start);
  r.expire(start);
  CHECK(r.left() == all(errc::no_workers, {0, 1}));
}

TEST_CASE("who waits for credit is turned away when the last worker is out") {
  rig r{{.max_batch_items = 1,
         .max_queue_items = 1,
         .overload = overload::wait_for_credit,
         .credit_lease = 1h,
         .restart_delay = 10s,
         .max_outage = 1s}};
  r.start_workers(start);
  r.core.ask_credit(start, 1, 1);
  REQUIRE(r.core.next_grant(start));
  r.core.ask_credit(start, 2, 1);
  r.down(start, 0);
  CHECK_FALSE(r.core.next_grant(start + 1s - 1ns));
  CHECK(r.core.next_deadline() == start + 1s);
  auto none = r.core.next_grant(start + 1s);
  REQUIRE(none);
  CHECK(none->ticket == 2);
  CHECK(none->items == 0);
}

TEST_CASE("when dead workers are not replaced nobody waits for them") {
  rig r{{.restart_delay = 0ms, .max_outage = 1h}};
  CHECK(r.start_workers(start) == 1);
  r.admit(start, 0);
  r.down(start + 1ms, 0);
  CHECK(r.core.next_deadline() == start + 1ms);
  r.expire(start + 1ms);
  CHECK(r.left() == all(errc::no_workers, {0}));
  CHECK(r.refusal(start + 1ms) == errc::no_workers);
  CHECK_FALSE(r.core.next_start(start + 1h));
  r.core.worker_up(start + 2ms, 0, 1); // a late answer
  CHECK(r.core.refusal() == errc::no_workers);
}

// -- workers from elsewhere -----------------------------------------------------------------------

TEST_CASE("a worker that leaves finishes what it holds and gets no more") {
  rig r{{.max_batch_items = 1, .workers = 0}};
  r.with_workers(2).admit(start, range(0, 3));
  auto one = r.take(start);
  auto other = r.take(start);
  r.core.worker_leave(start, one.worker);
  CHECK_FALSE(r.core.take_retired());
  r.complete(start, one);
  CHECK(r.core.take_retired() == one.worker);
  CHECK_FALSE(r.next(start));
  r.complete(start, other);
  CHECK(r.take(start).worker == other.worker);
}

TEST_CASE("without workers of its own a batcher waits max_outage for the first to join") {
  rig r{{.workers = 0, .max_outage = 1s}};
  CHECK_FALSE(r.next(start));
  r.admit(start, range(0, 1));
  CHECK_FALSE(r.core.has_start(start));
  CHECK(r.core.next_deadline() == start + 1s);
  r.expire(start + 1s - 1ns);
  CHECK(r.left().empty());
  r.expire(start + 1s);
  CHECK(r.left() == all(errc::no_workers, {0}));
  CHECK(r.core.refusal() == errc::no_workers);
  r.core.worker_up(start + 2s, 7, 1);
  CHECK(r.core.refusal() == errc::none);
}

TEST_CASE("when the last worker from elsewhere has left, requests wait max_outage for another") {
  rig r{{.max_batch_items = 1, .workers = 0, .max_outage = 1s}};
  r.with_workers(1);
  r.core.worker_leave(start, 1);
  CHECK(r.core.take_retired() == 1u);
  r.admit(start + 500ms, range(0, 1));
  r.expire(start + 1s - 1ns);
  CHECK(r.left().empty());
  r.core.worker_up(start + 1s - 1ns, 2, 1);
  r.expire(start + 1s);
  CHECK(r.left().empty());
  CHECK(r.take(start + 1s).worker == 2);
}
