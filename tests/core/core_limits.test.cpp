// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: what a batch may hold, by the cost of its items and by the sizes that are
// allowed. How many items may wait is in core_lanes and core_overload.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

// -- cost -----------------------------------------------------------------------------------------

TEST_CASE("an item that would overflow the cost waits in front for the next batch") {
  rig r{{.max_batch_items = 8, .max_batch_cost = 10, .max_delay = 10ms}};
  r.with_workers(1, 8).admit(start, 0, {.cost = 4});
  r.admit(start, 1, {.cost = 3});
  CHECK_FALSE(r.next(start));
  r.admit(start, 2, {.cost = 5});
  r.admit(start, 3, {.cost = 1});
  CHECK(r.take(start).numbers == range(0, 2));
  CHECK_FALSE(r.next(start));
  CHECK(r.counters().queue_cost == 6);
  CHECK(r.take(start + 10ms).numbers == range(2, 4));
  auto values = r.counters();
  CHECK(of(close_reason::cost, values.batches) == 1);
  CHECK(of(close_reason::deadline, values.batches) == 1);
  CHECK(values.queue_cost == 0);
}

TEST_CASE("enough items whose cost does not fit leave for the cost, not for their number") {
  rig r{{.max_batch_items = 3, .max_batch_cost = 10}};
  r.admit(start, range(0, 3), {.cost = 6});
  r.with_workers(1);
  CHECK(r.take(start).numbers == range(0, 1));
  auto values = r.counters();
  CHECK(of(close_reason::cost, values.batches) == 1);
  CHECK(of(close_reason::size, values.batches) == 0);
}

TEST_CASE("an item that alone costs too much is refused, one that just fits is not") {
  rig r{{.max_batch_cost = 10}};
  CHECK(r.refusal(start, {.cost = 11}) == errc::too_costly);
  CHECK(r.refusal(start, {.cost = 10}) == errc::none);
  CHECK(of(outcome::too_costly, r.counters().replies) == 1);
}

// -- allowed sizes --------------------------------------------------------------------------------

TEST_CASE("rounded down a batch has an allowed size and the rest waits") {
  rig r{{.max_batch_items = 8, .allowed_batch_items = {2, 4, 8}, .max_delay = 10ms}};
  r.with_workers(1, 8).admit(start, range(0, 6));
  r.admit(start + 5ms, 6);
  auto b = r.take(start + 10ms);
  CHECK(b.numbers == range(0, 4));
  CHECK(b.padding_items == 0);
  CHECK(r.take(start + 10ms).numbers == range(4, 6));
  CHECK_FALSE(r.next(start + 15ms - 1ns));
  auto last = r.take(start + 15ms);
  CHECK(last.numbers == range(6, 7));
  CHECK(last.padding_items == 1);
  CHECK(r.counters().padding_items == 1);
}

TEST_CASE("padded a batch takes everything and says what it lacks") {
  rig r{{.max_batch_items = 8,
         .allowed_batch_items = {2, 8},
         .size_rounding = size_rounding::pad,
         .max_delay = 10ms}};
  r.with_workers(1).admit(start, range(0, 3));
  auto b = r.take(start + 10ms);
  CHECK(b.numbers == range(0, 3));
  CHECK(b.padding_items == 5);
  CHECK(r.counters().padding_items == 5);
}
