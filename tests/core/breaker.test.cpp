// SPDX-License-Identifier: BSD-3-Clause
//
// Worker table: workers that fail in a row are put aside, and tried again.

#include "worker_table_rig.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

TEST_CASE("too many failures in a row put a worker aside, and one fewer does not") {
  auto table = with_workers(2, 1, {.breaker_failures = 3});
  fail(table, start, 1, 2);
  CHECK(table.count(worker_stage::aside) == 0);
  table.succeeded(1);
  fail(table, start, 1, 2);
  CHECK(table.count(worker_stage::aside) == 0);
  fail(table, start, 1, 1);
  CHECK(table.count(worker_stage::aside) == 1);
  CHECK(table.is_any_up());
  CHECK(assign_all(table, start) == std::vector<worker_id>{2});
}

TEST_CASE("the last worker that serves is never put aside, nor is any without a breaker") {
  auto table = with_workers(2, 1, {.breaker_failures = 1});
  fail(table, start, 1, 1);
  fail(table, start, 2, 10);
  CHECK(table.count(worker_stage::serving) == 1);
  CHECK(table.assign(start) == 2u);
  auto tolerant = with_workers(2, 1, {.breaker_failures = 0});
  fail(tolerant, start, 1, 1'000);
  CHECK(tolerant.count(worker_stage::serving) == 2);
}

TEST_CASE("after its wait a worker is tried with a single batch, and is back if that goes well") {
  auto table = with_workers(2, 3, {.restart_delay = 100ms, .breaker_failures = 1});
  fail(table, start, 1, 1);
  auto due = table.next_deadline();
  REQUIRE(due);
  CHECK(*due >= start + 50ms);
  CHECK(*due <= start + 100ms);
  assign_all(table, start);
  CHECK_FALSE(table.has_credit(*due - 1ns));
  CHECK(table.has_credit(*due));
  CHECK(assign_all(table, *due) == std::vector<worker_id>{1});
  CHECK(table.count(worker_stage::probation) == 1);
  table.succeeded(1);
  table.release(1);
  CHECK(table.count(worker_stage::serving) == 2);
  CHECK(assign_all(table, *due).size() == 3);
}

TEST_CASE("a worker that fails its trial waits twice as long") {
  auto table =
    with_workers(2, 1, {.restart_delay = 100ms, .max_restart_delay = 1s, .breaker_failures = 5});
  fail(table, start, 1, 5);
  auto now = *table.next_deadline();
  CHECK(table.assign(now, 2u) == 1u);
  fail(table, now, 1, 1);
  table.release(1);
  auto due = table.next_deadline();
  REQUIRE(due);
  CHECK(*due - now >= 100ms);
  CHECK(*due - now <= 200ms);
}

TEST_CASE("a worker aside is not tried while it holds batches, whatever comes of them") {
  auto table = with_workers(2, 2, {.breaker_failures = 1});
  assign_all(table, start);
  fail(table, start, 1, 1);
  CHECK_FALSE(table.next_deadline());
  table.release(1);
  table.succeeded(1);
  CHECK(table.count(worker_stage::aside) == 1);
  CHECK_FALSE(table.has_credit(start + 1h));
  table.release(1);
  CHECK(table.next_deadline());
  CHECK(table.has_credit(start + 1h));
}

TEST_CASE("when nobody serves, those aside are tried at once") {
  auto table = with_workers(2, 1, {.restart_delay = 10s, .breaker_failures = 1});
  fail(table, start, 1, 1);
  table.down(start, 2);
  CHECK(table.next_deadline() <= start);
  CHECK(table.has_credit(start));
  CHECK(table.assign(start) == 1u);
  CHECK(table.count(worker_stage::probation) == 1);
  fail(table, start, 1, 1); // the last one stays
  table.release(1);
  CHECK(table.assign(start) == 1u);
}

TEST_CASE("without restarts those aside wait from 100 ms") {
  auto table = with_workers(2, 1, {.restart_delay = 0ms, .breaker_failures = 1});
  fail(table, start, 1, 1);
  auto due = table.next_deadline();
  REQUIRE(due);
  CHECK(*due >= start + 50ms);
  CHECK(*due <= start + 100ms);
}

TEST_CASE("new rules count from now on, waits that were drawn stay") {
  auto table = with_workers(2, 1, {.restart_delay = 100ms, .breaker_failures = 5});
  table.down(start, 1);
  auto drawn = table.next_deadline();
  table.configure({.restart_delay = 0ms, .breaker_failures = 1});
  CHECK(table.next_deadline() == drawn);
  REQUIRE(table.next_start(*drawn) == 1u);
  table.up(1, 1);
  fail(table, *drawn, 1, 1);
  CHECK(table.count(worker_stage::aside) == 1);
}
