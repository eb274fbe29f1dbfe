// SPDX-License-Identifier: BSD-3-Clause
//
// Worker table: credit and who is asked first; starts, back-off and its bounds; retirement.

#include "worker_table_rig.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <vector>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

// -- credit ---------------------------------------------------------------------------------------

TEST_CASE("a worker is assigned as often as it has credit") {
  worker_table table{{}};
  CHECK_FALSE(table.assign(start));
  table.up(7, 2);
  CHECK(table.assign(start) == 7u);
  CHECK(table.assign(start) == 7u);
  CHECK(table.held(7) == 2);
  CHECK(table.credit_in_use() == 2);
  CHECK_FALSE(table.has_credit(start));
  CHECK_FALSE(table.assign(start));
  table.release(7);
  CHECK(table.held(7) == 1);
  CHECK(table.assign(start) == 7u);
}

TEST_CASE("the credit of a worker that dies is gone until it is up again") {
  auto table = with_workers(2, 3);
  auto id = *table.assign(start);
  CHECK(table.free_credit() == 5);
  table.down(start, id);
  CHECK(table.free_credit() == 3);
  CHECK(table.next_start(start + 1min) == id);
  table.up(id, 3);
  CHECK(table.free_credit() == 6);
}

TEST_CASE("the worker with the fewest batches comes first") {
  auto table = with_workers(2, 3);
  auto first = table.assign(start);
  auto second = table.assign(start);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(*first != *second);
  table.release(*first);
  CHECK(table.assign(start) == *first);
}

TEST_CASE("among equals the last to become free comes first") {
  auto table = with_workers(3, 1);
  assign_all(table, start);
  table.release(2);
  table.release(3);
  table.release(1);
  CHECK(assign_all(table, start) == std::vector<worker_id>{1, 3, 2});
}

TEST_CASE("the worker to avoid is asked only if nobody else has credit") {
  auto table = with_workers(2, 1);
  CHECK(table.assign(start, 1u) == 2u);
  CHECK(table.assign(start, 1u) == 1u);
  CHECK_FALSE(table.assign(start, 1u));
  table.release(1);
  table.release(2);
  CHECK(table.assign(start, 2u) == 1u);
}

TEST_CASE("a worker that has left is neither assigned nor released") {
  worker_table table{{}};
  table.up(1, 2);
  table.up(2, 1);
  assign_all(table, start);
  table.down(start, 1);
  table.release(1);
  table.down(start, 99);
  CHECK(table.workers() == 1);
  CHECK(table.held(1) == 0);
  CHECK(table.credit_in_use() == 1);
  CHECK_FALSE(table.has_credit(start));
  table.release(2);
  CHECK(table.assign(start) == 2u);
}

TEST_CASE("a new credit counts for everybody, and what is held beyond it stays") {
  auto table = with_workers(2, 3);
  CHECK(assign_all(table, start).size() == 6);
  table.set_credit(1);
  table.release(1);
  table.release(1);
  CHECK_FALSE(table.has_credit(start));
  table.release(1);
  CHECK(assign_all(table, start) == std::vector<worker_id>{1});
  table.set_credit(4);
  CHECK(assign_all(table, start).size() == 4);
  CHECK(table.held(1) == 4);
  CHECK(table.held(2) == 4);
}

TEST_CASE("a new credit leaves those alone that came with their own") {
  worker_table table{{}};
  table.up(1, 2);
  table.set_credit(5);
  CHECK(assign_all(table, start).size() == 2);
}

// -- starts ---------------------------------------------------------------------------------------

TEST_CASE("an added worker is to be started at once, once") {
  worker_table table{{}};
  CHECK_FALSE(table.next_deadline());
  table.add(4);
  CHECK(table.count(worker_stage::down) == 1);
  CHECK_FALSE(table.is_serviceable());
  REQUIRE(table.next_deadline());
  CHECK(*table.next_deadline() <= start);
  CHECK(table.next_start(start) == 4u);
  CHECK_FALSE(table.next_start(start));
  CHECK(table.count(worker_stage::starting) == 1);
  CHECK(table.is_serviceable());
  CHECK_FALSE(table.is_any_up());
  CHECK_FALSE(table.has_credit(start));
  table.up(4, 1);
  CHECK(table.is_any_up());
  CHECK(table.count(worker_stage::serving) == 1);
  CHECK_FALSE(table.next_deadline());
}

TEST_CASE("every wait lies in the upper half of a bound that doubles up to the longest") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    worker_table table{{.restart_delay = 100ms, .max_restart_delay = 1'000ms}, seed};
    table.add(1);
    auto now = start;
    for (auto bound : {100ms, 200ms, 400ms, 800ms, 1'000ms, 1'000ms}) {
      REQUIRE(table.next_start(now) == 1u);
      table.down(now, 1);
      auto due = table.next_deadline();
      REQUIRE(due);
      CHECK(*due - now >= bound / 2);
      CHECK(*due - now <= bound);
      CHECK_FALSE(table.next_start(*due - 1ns));
      now = *due;
    }
  }
}

TEST_CASE("waits are drawn anew each time, and the same for the same seed") {
  auto waits = [](std::uint64_t seed) {
    std::vector<duration> out;
    worker_table table{{.restart_delay = 1s, .max_restart_delay = 1s}, seed};
    table.add(1);
    auto now = start;
    for (int i = 0; i < 10; ++i) {
      static_cast<void>(table.next_start(now));
      table.down(now, 1);
      out.push_back(*table.next_deadline() - now);
      now += out.back();
    }
    return out;
  };
  auto some = waits(1);
  CHECK(std::set<duration>(some.begin(), some.end()).size() == 10);
  CHECK(waits(1) == some);
  CHECK(waits(2) != some);
}

TEST_CASE("being up does not end the failures in a row, a batch that succeeds does") {
  auto table = with_workers(1, 1, {.restart_delay = 100ms, .max_restart_delay = 10s});
  auto now = start;
  auto die = [&] {
    table.down(now, 1);
    auto wait = *table.next_deadline() - now;
    now += wait;
    REQUIRE(table.next_start(now) == 1u);
    table.up(1, 1);
    return wait;
  };
  CHECK(die() <= 100ms);
  CHECK(die() >= 100ms);
  CHECK(die() >= 200ms);
  table.succeeded(1);
  CHECK(die() <= 100ms);
}

TEST_CASE("while workers are not wanted only their first starts and restarts are waited for") {
  auto table = with_workers(3, 1, {.restart_delay = 100ms, .breaker_failures = 1});
  fail(table, start, 2, 1);
  CHECK(table.next_deadline());
  CHECK_FALSE(table.next_deadline(false)); // a trial needs work
  table.down(start, 1);
  auto due = table.next_deadline(false);
  REQUIRE(due);
  CHECK(*due <= start + 100ms);
  REQUIRE(table.next_start(*due) == 1u);
  table.down(*due, 1);
  CHECK(table.next_deadline());
  CHECK_FALSE(table.next_deadline(false));
  table.add(4);
  CHECK(table.next_deadline(false) <= start);
}

TEST_CASE("without a restart delay, or if it came by itself, a dead worker is gone for good") {
  auto table = with_workers(1, 1, {.restart_delay = 0ms});
  table.down(start, 1);
  CHECK(table.workers() == 0);
  CHECK_FALSE(table.next_deadline());
  worker_table guests{{}};
  guests.up(9, 1);
  guests.down(start, 9);
  CHECK_FALSE(guests.contains(9));
  CHECK_FALSE(guests.next_start(start + 1h));
}

TEST_CASE("what a dead worker held is forgotten, and a late answer does not wake it") {
  auto table = with_workers(1, 2);
  assign_all(table, start);
  table.down(start, 1);
  CHECK(table.credit_in_use() == 0);
  table.release(1);
  table.up(1, 2);
  CHECK_FALSE(table.is_any_up());
  auto due = *table.next_deadline();
  REQUIRE(table.next_start(due) == 1u);
  table.up(1, 2);
  CHECK(assign_all(table, due).size() == 2);
}

// -- retirement -----------------------------------------------------------------------------------

TEST_CASE("a worker that retires gets nothing new and leaves with its last batch") {
  auto table = with_workers(2, 2, {.breaker_failures = 1});
  assign_all(table, start);
  table.retire(1);
  CHECK(table.count(worker_stage::retiring) == 1);
  table.release(1);
  CHECK_FALSE(table.has_credit(start));
  CHECK_FALSE(table.take_retired());
  fail(table, start, 1, 1);
  table.release(1);
  CHECK(table.take_retired() == 1u);
  CHECK_FALSE(table.take_retired());
  CHECK(table.workers() == 1);
}

TEST_CASE("a worker without batches retires at once, whatever it does") {
  worker_table table{{}};
  table.add(1);
  table.retire(1);
  CHECK(table.take_retired() == 1u);
  CHECK_FALSE(table.next_start(start));
  table.add(2);
  REQUIRE(table.next_start(start) == 2u);
  table.retire(2);
  CHECK(table.take_retired() == 2u);
  table.retire(3);
  CHECK_FALSE(table.take_retired());
  CHECK(table.workers() == 0);
}

TEST_CASE("a retiring worker that dies is gone and is not started again") {
  auto table = with_workers(1, 1);
  assign_all(table, start);
  table.retire(1);
  table.down(start, 1);
  CHECK(table.workers() == 0);
  CHECK(table.credit_in_use() == 0);
  CHECK_FALSE(table.next_deadline());
}
