// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: what comes of a batch, and when a failed one runs again, whole or in halves.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

// -- outcomes of batches --------------------------------------------------------------------------

TEST_CASE("an error of one item is that item's alone") {
  rig r{{.max_batch_items = 3}};
  r.with_workers(1).admit(start, range(0, 3));
  CHECK(r.complete(start, r.take(start), {1}));
  CHECK(r.left() == all(errc::none, {0, 1, 2}));
  auto values = r.counters();
  CHECK(of(outcome::ok, values.replies) == 2);
  CHECK(of(outcome::item_error, values.replies) == 1);
}

TEST_CASE("one result too few or too many is the worker's defect, for the whole batch") {
  auto results = GENERATE(0u, 2u, 4u);
  rig r{{.max_batch_items = 3}};
  r.with_workers(1).admit(start, range(0, 3));
  auto b = r.take(start);
  CHECK(r.core.complete(start, b.id, {.results = results}));
  CHECK(r.left() == all(errc::result_count_mismatch, range(0, 3)));
  auto values = r.counters();
  CHECK(of(outcome::result_count_mismatch, values.replies) == 3);
  CHECK(of(failure::result_count_mismatch, values.failures) == 1);
}

TEST_CASE("a batch is settled once") {
  rig r{{.max_batch_items = 1}};
  r.with_workers(1).admit(start, 0);
  auto b = r.take(start);
  CHECK(r.complete(start, b));
  CHECK_FALSE(r.complete(start, b));
  CHECK_FALSE(r.fail(start, b));
  CHECK(r.left().size() == 1);
}

TEST_CASE("with never a failed batch is answered with the failure and does not run again") {
  rig r{{.max_batch_items = 2}};
  r.with_workers(2).admit(start, range(0, 2));
  CHECK(r.fail(start, r.take(start)));
  CHECK(r.left() == all(errc::batch_failed, {0, 1}));
  CHECK_FALSE(r.next(start + 1h));
  CHECK(of(failure::batch_failed, r.counters().failures) == 1);
}

// -- retries --------------------------------------------------------------------------------------

TEST_CASE("an idempotent batch runs again, elsewhere and before fresh ones, up to max_attempts") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms, .on_failure = repeating}};
  r.with_workers(2).admit(start, range(0, 2));
  auto first = r.take(start);
  r.admit(start, range(2, 4));
  r.fail(start, first);
  CHECK(r.core.queue_items() == 4);
  auto second = r.take(start);
  CHECK(second.numbers == range(0, 2));
  CHECK(second.attempt == 2);
  CHECK(second.worker != first.worker);
  r.fail(start, second);
  auto third = r.take(start);
  CHECK(third.attempt == 3);
  CHECK(third.worker != second.worker);
  r.fail(start, third);
  CHECK(r.left() == all(errc::batch_failed, {0, 1}));
  CHECK(r.take(start).numbers == range(2, 4));
  auto values = r.counters();
  CHECK(of(close_reason::retry, values.batches) == 2);
  CHECK(of(failure::batch_failed, values.failures) == 3);
}

TEST_CASE("of several batches that run again the one with the oldest item is first") {
  rig r{{.max_batch_items = 1, .on_failure = repeating}};
  r.with_workers(2).admit(start, 0);
  r.admit(start + 1ms, 1);
  auto a = r.take(start + 1ms);
  auto b = r.take(start + 1ms);
  r.fail(start + 2ms, b);
  r.fail(start + 3ms, a);
  CHECK(r.take(start + 3ms).numbers == range(0, 1));
  CHECK(r.take(start + 3ms).numbers == range(1, 2));
}

TEST_CASE("a batch that runs again counts for max_lane_batches") {
  rig r{{.max_batch_items = 1, .max_lane_batches = 1, .on_failure = repeating}};
  r.with_workers(2).admit(start, range(0, 2));
  r.fail(start, r.take(start));
  auto again = r.take(start);
  CHECK(again.numbers == range(0, 1));
  CHECK_FALSE(r.next(start));
  r.complete(start, again);
  CHECK(r.take(start).numbers == range(1, 2));
}

TEST_CASE("of two halves only one runs where max_lane_batches is 1") {
  rig r{{.max_batch_items = 2, .max_lane_batches = 1, .on_failure = halving}};
  r.with_workers(2).admit(start, range(0, 2));
  r.fail(start, r.take(start));
  auto first = r.take(start);
  CHECK(first.numbers == range(0, 1));
  CHECK_FALSE(r.next(start));
  r.complete(start, first);
  CHECK(r.take(start).numbers == range(1, 2));
}

TEST_CASE("one poison item among 256 costs 1 + 2 * 8 calls and 255 succeed") {
  auto poison = GENERATE(0, 100, 255);
  rig r{{.max_batch_items = 256, .on_failure = halving}};
  r.with_workers(1).admit(start, range(0, 256));
  int calls = 0;
  for (; auto b = r.next(start); ++calls) {
    bool fails = std::count(b->numbers.begin(), b->numbers.end(), poison) > 0;
    CHECK((fails ? r.fail(start, *b) : r.complete(start, *b)));
  }
  CHECK(calls == 17);
  auto left = r.left();
  CHECK(left.size() == 256);
  CHECK(std::count(left.begin(), left.end(), std::pair{poison, errc::batch_failed}) == 1);
  auto values = r.counters();
  CHECK(of(outcome::ok, values.replies) == 255);
  CHECK(of(outcome::batch_failed, values.replies) == 1);
  CHECK(values.bisections == 8);
}

TEST_CASE("an item that fails alone from the start runs max_attempts times") {
  rig r{{.max_batch_items = 1, .on_failure = halving}};
  r.with_workers(1).admit(start, 0);
  std::size_t calls = 0;
  while (auto b = r.next(start)) {
    CHECK(b->attempt == ++calls);
    r.fail(start, *b);
  }
  CHECK(calls == 3);
}

TEST_CASE("with its budget used up a failed batch is given up at once") {
  rig r{{.max_batch_items = 1, .on_failure = retry::idempotent{.bisect = false, .budget = 0.5}}};
  r.with_workers(1);
  auto run = [&] { // a batch that never succeeds; returns how often it was tried
    r.admit(start, 0);
    int calls = 0;
    for (; auto b = r.next(start); ++calls) r.fail(start, *b);
    return calls;
  };
  // The first one earns nothing, the bucket is full: 32 - 2, and each later one earns 0.5 of its 2.
  for (int i = 0; i < 21; ++i) CHECK(run() == 3);
  CHECK(r.counters().retries_denied == 0);
  CHECK(run() == 1);
  CHECK(r.counters().retries_denied == 1);
  CHECK(run() == 2);
}

TEST_CASE("an item can expire while it waits to run again") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}};
  r.with_workers(1).admit(start, 0, {.timeout = 20ms});
  r.admit(start, 1);
  r.fail(start + 10ms, r.take(start));
  CHECK(r.core.next_deadline() == start + 20ms);
  CHECK(r.take(start + 20ms).numbers == range(1, 2));
  CHECK(r.left() == all(errc::expired, {0}));
}

TEST_CASE("a batch of which everything has expired does not run again, and its lane goes") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}};
  r.with_workers(1).admit(start, range(0, 2), {.timeout = 20ms});
  r.fail(start + 10ms, r.take(start));
  CHECK_FALSE(r.next(start + 20ms));
  CHECK(r.left() == all(errc::expired, {0, 1}));
  CHECK(r.counters().lanes == 0);
  CHECK(of(close_reason::retry, r.counters().batches) == 0);
}
