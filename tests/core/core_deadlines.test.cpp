// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: items that leave before they are answered, because their time is over, they
// are cancelled or their sender has ended, and those that cannot be answered in time at all.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

#include <utility>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

// -- deadlines of items ---------------------------------------------------------------------------

TEST_CASE("a queued item expires at its deadline and not an instant before") {
  rig r{{.max_delay = 1h}};
  r.with_workers(1).admit(start, 0, {.timeout = 20ms});
  r.admit(start, 1);
  CHECK(r.core.next_deadline() == start + 20ms);
  r.expire(start + 20ms - 1ns);
  CHECK(r.left().empty());
  r.expire(start + 20ms);
  CHECK(r.left() == all(errc::expired, {0}));
  CHECK(r.core.next_deadline() == start + 1h);
  CHECK(of(outcome::expired, r.counters().replies) == 1);
}

TEST_CASE("an item that expires in flight tells its batch and its place in it") {
  rig r{{.max_batch_items = 3}};
  r.with_workers(1).admit(start, 0);
  r.admit(start, 1, {.timeout = 20ms});
  r.admit(start, 2);
  auto b = r.take(start);
  r.expire(start + 20ms);
  REQUIRE(r.core.departures().size() == 1);
  CHECK(r.core.departures()[0].outcome == errc::expired);
  CHECK(r.core.departures()[0].batch == b.id);
  CHECK(r.core.departures()[0].position == 1);
  r.core.clear_departures();
  CHECK(r.core.in_flight_items() == 2);
  CHECK(r.complete(start + 30ms, b));
  REQUIRE(r.core.departures().size() == 2);
  CHECK(r.core.departures()[1].position == 2);
  CHECK(r.left() == all(errc::none, {0, 2}));
  auto values = r.counters();
  CHECK(values.wasted_items == 1);
  CHECK(of(outcome::ok, values.replies) == 2);
}

TEST_CASE("an item whose deadline has come is not dispatched, even if nobody called expire") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}};
  r.admit(start, 0, {.timeout = 10ms});
  r.admit(start, 1, {.timeout = 10ms + 1ns});
  r.admit(start, 2);
  r.with_workers(1);
  CHECK(r.take(start + 10ms).numbers == range(1, 3));
  CHECK(r.left() == all(errc::expired, {0}));
}

TEST_CASE("when all of a due batch have expired nothing is dispatched and the worker stays free") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}};
  r.with_workers(1).admit(start, range(0, 2), {.timeout = 5ms});
  CHECK_FALSE(r.next(start + 10ms));
  CHECK(r.left() == all(errc::expired, {0, 1}));
  CHECK(r.core.workers().credit_in_use() == 0);
  CHECK(of(close_reason::size, r.counters().batches) == 0);
}

TEST_CASE("a request can only shorten request_timeout") {
  rig r{{.request_timeout = 50ms}};
  r.admit(start, 0);
  r.admit(start, 1, {.timeout = 20ms});
  r.admit(start, 2, {.timeout = 1h});
  r.expire(start + 20ms);
  CHECK(r.left() == all(errc::expired, {1}));
  r.expire(start + 50ms - 1ns);
  CHECK(r.left().empty());
  r.expire(start + 50ms);
  CHECK(r.left().size() == 2);
}

TEST_CASE("a request that has expired already is refused") {
  rig r{{}};
  CHECK(r.refusal(start, {.timeout = -1ns}) == errc::expired);
  CHECK(r.core.is_idle());
}

TEST_CASE("a timeout beyond the clock's range is none") {
  rig r{{.max_delay = 10ms}};
  r.admit(start, 0, {.timeout = duration::max()});
  CHECK_FALSE(r.core.next_deadline());
  r.expire(start + 100'000h);
  CHECK(r.left().empty());
}

// -- cancellation ---------------------------------------------------------------------------------

TEST_CASE("a queued item can be cancelled, once, and its lane waits for the next one's window") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}};
  auto a = r.with_workers(1).admit(start, 0);
  r.admit(start + 5ms, 1);
  CHECK(r.cancel(start + 6ms, a));
  CHECK(r.left() == all(errc::cancelled, {0}));
  CHECK_FALSE(r.cancel(start + 6ms, a));
  CHECK_FALSE(r.next(start + 10ms));
  CHECK(r.core.next_deadline() == start + 15ms);
}

TEST_CASE("an item cancelled in flight leaves at once and its result is dropped") {
  rig r{{.max_batch_items = 2}};
  auto a = r.with_workers(1).admit(start, 0);
  auto b = r.admit(start, 1);
  auto batch = r.take(start);
  CHECK(r.cancel(start, b));
  CHECK(r.core.departures()[0].batch == batch.id);
  CHECK(r.core.departures()[0].position == 1);
  CHECK(r.cancel(start, a));
  CHECK(r.core.is_idle());
  r.core.clear_departures();
  CHECK(r.complete(start, batch));
  CHECK(r.left().empty());
  CHECK(r.counters().wasted_items == 2);
  CHECK(r.core.workers().credit_in_use() == 0);
}

TEST_CASE("an item cancelled while it waits to run again is not executed again") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}};
  auto a = r.with_workers(1).admit(start, 0);
  auto b = r.admit(start, 1);
  r.fail(start, r.take(start));
  CHECK(r.core.queue_items() == 2);
  CHECK(r.counters().queue_cost == 2);
  CHECK(r.cancel(start, a));
  CHECK(r.core.departures()[0].batch == 0);
  CHECK(r.counters().queue_cost == 1);
  auto again = r.take(start);
  CHECK(again.numbers == range(1, 2));
  r.fail(start, again);
  CHECK(r.cancel(start, b));
  CHECK(r.counters().lanes == 0);
  CHECK(r.counters().queue_cost == 0);
  CHECK_FALSE(r.next(start));
  CHECK(r.left() == all(errc::cancelled, {0, 1}));
}

TEST_CASE("a name whose item has left finds nobody, though its slot is used again") {
  rig r{{}};
  auto old = r.admit(start, 0);
  r.cancel(start, old);
  auto fresh = r.admit(start, 1);
  CHECK(old != fresh);
  CHECK_FALSE(r.cancel(start, old));
  CHECK_FALSE(r.cancel(start, 0));
  CHECK(r.core.queue_items() == 1);
}

// -- senders that have ended ----------------------------------------------------------------------

TEST_CASE("an item whose sender has ended is refused, or leaves instead of being dispatched") {
  watched_rig r{{.max_batch_items = 3}};
  watched_item gone{0};
  *gone.is_gone = true;
  CHECK(r.core.admit(start, std::move(gone)).refused == errc::cancelled);
  r.check_books();
  watched_item leaving{1};
  auto is_gone = leaving.is_gone;
  REQUIRE(r.core.admit(start, std::move(leaving)).refused == errc::none);
  r.admit(start, range(2, 4));
  *is_gone = true;
  r.with_workers(1);
  CHECK(r.take(start).numbers == range(2, 4));
  CHECK(r.left() == all(errc::cancelled, {1}));
  CHECK(of(outcome::cancelled, r.counters().replies) == 2);
}

TEST_CASE("an item whose sender ends while it runs does not run again") {
  watched_rig r{{.max_batch_items = 2, .on_failure = repeating}};
  watched_item leaving{0};
  auto is_gone = leaving.is_gone;
  REQUIRE(r.core.admit(start, std::move(leaving)).refused == errc::none);
  r.with_workers(1).admit(start, 1);
  auto b = r.take(start);
  *is_gone = true;
  r.fail(start, b);
  CHECK(r.take(start).numbers == range(1, 2));
  CHECK(r.left() == all(errc::cancelled, {0}));
}

// -- what cannot be answered in time --------------------------------------------------------------

namespace {

// A batcher that has learned that its batches take 10 ms.
struct experienced_rig : rig {
  experienced_rig() : rig{{.max_batch_items = 2, .max_delay = 1h}} {
    with_workers(1);
    for (int i = 0; i < 200; i += 2) {
      auto now = start + i * 10ms;
      admit(now, range(i, i + 2));
      complete(now + 10ms, take(now));
    }
    left();
  }
};

const auto later = start + 3s;

} // namespace

TEST_CASE("an item that cannot be answered in time takes nobody's place") {
  experienced_rig r;
  r.admit(later, 1'000, {.timeout = 9ms});
  r.admit(later, range(1'001, 1'003), {.timeout = 20ms});
  CHECK(r.take(later).numbers == range(1'001, 1'003));
  CHECK(r.left() == all(errc::expired, {1'000}));
}

TEST_CASE("an item that cannot be answered in time is tried where there is room") {
  experienced_rig r;
  r.admit(later, 1'000, {.timeout = 9ms});
  r.admit(later, 1'001, {.timeout = 20ms});
  CHECK(r.take(later).numbers == range(1'000, 1'002));
}

TEST_CASE("slow keys say nothing of a fast one") {
  rig r{{.max_batch_items = 2, .max_delay = 1h}};
  r.with_workers(1);
  auto now = start;
  auto run = [&](std::string_view key, duration took) {
    r.admit(now, range(0, 2), {.key = key});
    auto b = r.take(now);
    r.complete(now += took, b);
  };
  for (int i = 0; i < 10; ++i) {
    r.admit(now, 0, {.key = "fast"}); // keeps the lane
    run("slow", 200ms);
    r.admit(now, 1, {.key = "fast"});
    auto b = r.take(now);
    r.admit(now, 0, {.key = "slow"});
    r.complete(now += 5ms, b);
    r.admit(now, 1, {.key = "slow"});
    b = r.take(now);
    r.complete(now += 200ms, b);
  }
  CHECK(r.core.turnaround("fast") <= 5ms);
  CHECK(r.core.turnaround("other") == 0s);
}

TEST_CASE("one slow batch does not cost the burst that follows it") {
  rig r{{.max_batch_items = 64, .when_idle = when_idle::immediate, .request_timeout = 1s}};
  r.with_workers(1);
  r.admit(start, 0);
  r.complete(start + 900ms, r.take(start)); // the first one of a cold worker
  auto now = start + 1s;
  r.admit(now, range(1, 1'281));
  for (; r.core.queue_items() + r.core.in_flight_items() > 0; now += 10ms) {
    r.expire(now);
    r.complete(now + 10ms, r.take(now));
  }
  CHECK(of(outcome::ok, r.counters().replies) == 1'281);
}
