// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: when a batch closes, at its size or its window, and what happens while no
// worker is free. The general case is in batcher_core_properties.test.cpp.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

TEST_CASE("ten requests inside the window make one batch of ten, in order") {
  rig r{{.max_batch_items = 64, .max_delay = 10ms}};
  r.with_workers(1);
  for (int i = 0; i < 10; ++i) r.admit(start + i * 1ms, i);
  CHECK_FALSE(r.next(start + 10ms - 1ns));
  CHECK(r.core.next_deadline() == start + 10ms);
  auto b = r.take(start + 10ms);
  CHECK(b.numbers == range(0, 10));
  CHECK(b.attempt == 1);
  CHECK(b.padding_items == 0);
  CHECK_FALSE(r.core.next_deadline());
  CHECK(of(close_reason::deadline, r.counters().batches) == 1);
}

TEST_CASE("25 requests with a cap of 10 make batches of 10, 10 and 5") {
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(1, 8).admit(start, range(0, 25));
  CHECK(r.take_all(start) == batches{range(0, 10), range(10, 20)});
  CHECK(r.take_all(start + 10ms) == batches{range(20, 25)});
  CHECK(of(close_reason::size, r.counters().batches) == 2);
}

TEST_CASE("what is left at the cap waits for the next batch together with newcomers") {
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(1, 8).admit(start, range(0, 12));
  CHECK(r.take_all(start) == batches{range(0, 10)});
  r.admit(start + 4ms, range(12, 15));
  CHECK(r.take(start + 10ms).numbers == range(10, 15));
}

TEST_CASE("the first item never waits longer than the window, whenever the others come") {
  rig r{{.max_batch_items = 64, .max_delay = 10ms}};
  r.with_workers(1).admit(start, 0);
  r.admit(start + 9ms, 1);
  CHECK(r.core.next_deadline() == start + 10ms);
  CHECK(r.next(start + 10ms));
}

TEST_CASE("with immediate an idle worker never waits and a busy one gathers a batch") {
  rig r{{.max_batch_items = 8, .max_delay = 1h, .when_idle = when_idle::immediate}};
  r.with_workers(1).admit(start, 0);
  auto first = r.take(start);
  CHECK(first.numbers == range(0, 1));
  r.admit(start, range(1, 4));
  CHECK_FALSE(r.next(start));
  r.complete(start + 1ms, first);
  CHECK(r.take(start + 1ms).numbers == range(1, 4));
  CHECK(of(close_reason::idle, r.counters().batches) == 2);
}

TEST_CASE("batches overlap as far as workers allow") {
  auto workers = GENERATE(1u, 2u, 3u, 1'000u);
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(workers).admit(start, range(0, 50));
  CHECK(r.take_all(start).size() == std::min(workers, 5u));
}

TEST_CASE("a batch whose window is over keeps growing until a worker is free") {
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(1).admit(start, range(0, 10));
  auto running = r.take(start);
  r.admit(start + 1ms, range(10, 12));
  CHECK_FALSE(r.next(start + 50ms));
  CHECK_FALSE(r.core.next_deadline());
  r.admit(start + 60ms, range(12, 15));
  CHECK(r.complete(start + 70ms, running));
  CHECK(r.core.next_deadline() == start + 70ms);
  CHECK(r.take(start + 70ms).numbers == range(10, 15));
}

TEST_CASE("preferred_batch_items close a batch while a worker is free, later it grows to the cap") {
  rig r{{.max_batch_items = 8, .preferred_batch_items = 3, .max_delay = 1h}};
  r.with_workers(1).admit(start, range(0, 2));
  CHECK_FALSE(r.next(start));
  r.admit(start, 2);
  auto first = r.take(start);
  CHECK(first.numbers == range(0, 3));
  r.admit(start, range(3, 13));
  r.complete(start + 1ms, first);
  CHECK(r.take(start + 1ms).numbers == range(3, 11));
}

TEST_CASE("a clock that runs backwards is held at the latest instant seen") {
  rig r{{.max_delay = 10ms}};
  r.with_workers(1).admit(start + 5ms, 0);
  r.admit(start, 1);
  CHECK_FALSE(r.next(start + 14ms));
  CHECK_FALSE(r.next(start));
  CHECK(r.next(start + 15ms));
}
