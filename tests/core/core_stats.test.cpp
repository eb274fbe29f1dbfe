// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: what it tells of itself, to its observer, in its counters and its stats.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <vector>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

TEST_CASE("the parts of a batch's latency are those of its record") {
  auto seen = std::make_shared<recorder>();
  rig r{{.max_batch_items = 4, .max_delay = 10ms, .observer = seen}};
  r.admit(start, 0);
  r.admit(start + 3ms, 1);
  r.with_workers(1);
  auto b = r.take(start + 12ms);
  CHECK(r.core.complete(start + 20ms, b.id, {.results = 2, .failed = {0}, .executed = 7ms}));
  CHECK(seen->batches == 1);
  CHECK(seen->last.reason == close_reason::deadline);
  CHECK(seen->last.outcome == errc::none);
  CHECK(seen->last.attempt == 1);
  CHECK(seen->last.items == 2);
  CHECK(seen->last.item_errors == 1);
  CHECK(seen->arrivals == std::vector<time_point>{start, start + 3ms});
  CHECK(seen->last.ready_at == start + 10ms);
  CHECK(seen->last.dispatched_at == start + 12ms);
  CHECK(seen->last.finished_at == start + 20ms);
  CHECK(seen->last.executed == 7ms);
  r.admit(start + 20ms, 2);
  r.complete(start + 31ms, r.take(start + 30ms));
  CHECK(seen->arrivals == std::vector<time_point>{start + 20ms});
}

TEST_CASE("each run of a batch has its record, with the arrivals of those that leave with it") {
  auto seen = std::make_shared<recorder>();
  rig r{{.max_batch_items = 2, .on_failure = repeating, .observer = seen}, by_tens()};
  auto early = r.with_workers(1).admit(start, 10);
  r.admit(start + 1ms, 20);
  auto b = r.take(start + 1ms);
  r.admit(start + 2ms, 21);
  r.cancel(start + 3ms, early);
  r.fail(start + 4ms, b);
  CHECK(seen->last.outcome == errc::batch_failed);
  CHECK(seen->last.items == 2);
  CHECK(seen->arrivals.empty());
  CHECK(r.complete(start + 6ms, r.take(start + 5ms)));
  CHECK(seen->batches == 2);
  CHECK(seen->last.reason == close_reason::retry);
  CHECK(seen->last.attempt == 2);
  CHECK(seen->last.ready_at == start + 4ms);
  CHECK(seen->arrivals == std::vector<time_point>{start + 1ms, start + 2ms});
}

TEST_CASE("a batch that is given up has one record, at its timeout") {
  auto seen = std::make_shared<recorder>();
  rig r{{.max_batch_items = 1, .batch_timeout = 50ms, .observer = seen}};
  r.with_workers(1).admit(start, 0);
  auto b = r.take(start);
  r.expire(start + 50ms);
  CHECK(seen->last.outcome == errc::batch_timeout);
  CHECK(seen->last.finished_at == start + 50ms);
  CHECK(seen->arrivals == std::vector<time_point>{start});
  r.complete(start + 60ms, b);
  CHECK(seen->batches == 1);
}

TEST_CASE("the counters tell where every request is") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms, .max_queue_items = 3}};
  r.with_workers(1).admit(start, range(0, 2));
  auto b = r.take(start);
  r.admit(start, range(2, 5));
  CHECK(r.refusal(start) == errc::queue_full);
  auto values = r.counters();
  CHECK(values.requests == 6);
  CHECK(values.queue_items == 3);
  CHECK(values.queue_cost == 3);
  CHECK(values.in_flight_items == 2);
  CHECK(values.replied() == 1);
  CHECK(of(close_reason::size, values.batches) == 1);
  r.complete(start, b, {1});
  r.core.abandon(start, errc::no_workers);
  values = r.counters();
  CHECK(values.queue_items == 0);
  CHECK(values.in_flight_items == 0);
  CHECK(of(outcome::ok, values.replies) == 1);
  CHECK(of(outcome::item_error, values.replies) == 1);
  CHECK(of(outcome::no_workers, values.replies) == 3);
  CHECK(values.replied() == values.requests);
}

TEST_CASE("stats are a picture of the moment") {
  rig r{{.max_batch_items = 2, .max_delay = 1h, .on_failure = repeating}, by_tens()};
  auto calm = r.core.stats(start);
  CHECK(calm.oldest_age == 0ns);
  CHECK_FALSE(calm.is_paused);
  CHECK_FALSE(calm.is_draining);
  r.with_workers(2).admit(start, {10, 20});
  r.admit(start + 1ms, {30, 31});
  auto b = r.take(start + 1ms);
  r.core.pause();
  auto busy = r.core.stats(start + 5ms);
  CHECK(busy.oldest_age == 4ms);
  CHECK(busy.following_items == 1);
  CHECK(busy.in_flight_batches == 1);
  CHECK(busy.is_paused);
  CHECK(busy.counters.queue_items == 1);
  r.fail(start + 6ms, b);
  CHECK(r.core.stats(start + 7ms).oldest_age == 7ms);
  r.core.drain(start + 7ms, 1s);
  CHECK(r.core.stats(start + 7ms).is_draining);
  CHECK_FALSE(r.core.stats(start + 7ms).is_closed);
  r.core.abandon(start + 7ms, errc::shut_down);
  CHECK(r.core.stats(start + 7ms).is_closed);
}

TEST_CASE("retry_after follows the pace of dispatch and what is queued") {
  rig r{{.max_batch_items = 10, .max_delay = 1h}};
  CHECK(r.core.retry_after(start) == 1s);
  r.with_workers(1);
  auto now = start;
  for (; now < start + 5s; now += 100ms) { // 100 items a second
    r.admit(now, range(0, 10));
    r.complete(now, r.take(now));
    r.core.clear_departures();
  }
  r.core.pause();
  r.admit(now, range(0, 50));
  auto hint = r.core.retry_after(now);
  CHECK(hint > 400ms);
  CHECK(hint < 600ms);
  CHECK(r.core.stats(now).retry_after == hint);
}
