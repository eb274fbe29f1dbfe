// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: what a full queue does, by each policy: it refuses, drops the oldest or
// grants credit.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

TEST_CASE("a full queue refuses by name and hurts nobody else") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms, .max_queue_items = 2}};
  r.admit(start, range(0, 2));
  CHECK(r.refusal(start) == errc::queue_full);
  r.with_workers(1);
  CHECK(r.take(start).numbers == range(0, 2));
  CHECK(r.refusal(start) == errc::none);
  CHECK(of(outcome::queue_full, r.counters().replies) == 1);
}

TEST_CASE("items that wait to run again count as queued") {
  rig r{{.max_batch_items = 2, .max_queue_items = 2, .on_failure = repeating}};
  r.with_workers(1).admit(start, range(0, 2));
  r.fail(start, r.take(start));
  CHECK(r.refusal(start) == errc::queue_full);
}

TEST_CASE("with drop_oldest a newcomer takes the place of the oldest of the longest lane") {
  rig r{{.max_batch_items = 2, .max_queue_items = 5, .overload = overload::drop_oldest}};
  r.admit(start, range(0, 2), {.key = "short"});
  r.admit(start, range(2, 5), {.key = "long"});
  r.admit(start, 5, {.key = "new"});
  CHECK(r.left() == all(errc::dropped, {2}));
  CHECK(r.core.queue_items() == 5);
  CHECK(of(outcome::dropped, r.counters().replies) == 1);
}

TEST_CASE("with drop_oldest a full lane gives way itself, and no second lane with it") {
  rig r{{.max_batch_items = 2,
         .max_queue_items = 5,
         .max_lane_items = 4,
         .overload = overload::drop_oldest}};
  r.admit(start, range(0, 4), {.key = "a"});
  r.admit(start, 4, {.key = "a"});
  CHECK(r.left() == all(errc::dropped, {0}));
  r.admit(start, 5, {.key = "b"});
  r.admit(start, 6, {.key = "a"});
  CHECK(r.left() == all(errc::dropped, {1}));
  CHECK(r.core.queue_items() == 5);
  auto smaller = r.core.opts();
  smaller.max_lane_items = 2;
  r.admit(start, 7, {.key = "b"}); // drops the oldest of a
  CHECK(r.left() == all(errc::dropped, {2}));
  r.core.reconfigure(start, smaller);
  r.admit(start, 8, {.key = "b"}); // b and the queue are full
  CHECK(r.left() == all(errc::dropped, {5}));
  CHECK(r.core.queue_items() == 5);
}

TEST_CASE("nobody is dropped for a newcomer that is refused all the same") {
  rig r{{.max_batch_items = 1,
         .max_queue_items = 2,
         .max_lanes = 1,
         .overload = overload::drop_oldest}};
  r.admit(start, range(0, 2), {.key = "a"});
  CHECK(r.refusal(start, {.key = "b"}) == errc::too_many_lanes);
  CHECK(r.left().empty());
}

TEST_CASE("drop_oldest refuses when everything that waits has run before") {
  rig r{{.max_batch_items = 2,
         .max_queue_items = 2,
         .overload = overload::drop_oldest,
         .on_failure = repeating}};
  r.with_workers(1).admit(start, range(0, 2));
  r.fail(start, r.take(start));
  CHECK(r.refusal(start) == errc::queue_full);
  CHECK(r.refusal(start, {.key = "other"}) == errc::queue_full);
  CHECK(r.core.queue_items() == 2);
  CHECK(r.counters().lanes == 1);
}

TEST_CASE("credit is granted in the order of asking, as room comes up, and keeps that room") {
  rig r{{.max_batch_items = 1, .max_queue_items = 2, .overload = overload::wait_for_credit}};
  r.admit(start, range(0, 2));
  r.core.ask_credit(start, 7, 3);
  r.core.ask_credit(start, 8, 1);
  CHECK_FALSE(r.core.next_grant(start));
  r.with_workers(1, 2).take(start);
  auto first = r.core.next_grant(start);
  REQUIRE(first);
  CHECK(first->ticket == 7);
  CHECK(first->items == 1); // less than it asked for: that is all there is
  CHECK_FALSE(r.core.next_grant(start));
  CHECK(r.refusal(start) == errc::queue_full);
  CHECK(r.refusal(start, {.on_credit = true}) == errc::none);
  CHECK(r.refusal(start, {.on_credit = true}) == errc::queue_full); // used up
  r.take(start);
  auto second = r.core.next_grant(start);
  REQUIRE(second);
  CHECK(second->ticket == 8);
}

TEST_CASE("a lease that ends gives its room to the next one") {
  rig r{{.max_batch_items = 1,
         .max_queue_items = 1,
         .overload = overload::wait_for_credit,
         .credit_lease = 100ms}};
  r.core.ask_credit(start, 1, 1);
  r.core.ask_credit(start, 2, 1);
  REQUIRE(r.core.next_grant(start));
  CHECK(r.core.next_deadline() == start + 100ms);
  r.expire(start + 100ms - 1ns);
  CHECK_FALSE(r.core.next_grant(start + 100ms - 1ns));
  r.expire(start + 100ms);
  auto second = r.core.next_grant(start + 100ms);
  REQUIRE(second);
  CHECK(second->ticket == 2);
  CHECK(r.refusal(start + 100ms) == errc::queue_full);
}

TEST_CASE("who waits for credit is turned away when requests are refused") {
  rig r{{.max_batch_items = 1, .max_queue_items = 1, .overload = overload::wait_for_credit}};
  r.admit(start, 0);
  r.core.ask_credit(start, 5, 1);
  r.core.drain(start, 1s);
  auto none = r.core.next_grant(start);
  REQUIRE(none);
  CHECK(none->ticket == 5);
  CHECK(none->items == 0);
  CHECK_FALSE(r.core.next_grant(start));
}
