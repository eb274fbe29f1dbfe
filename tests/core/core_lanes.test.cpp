// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: keys have lanes of their own, tenants and priorities share one. What one of
// them may take from the others, and in which order they have their turn.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <vector>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

// -- lanes ----------------------------------------------------------------------------------------

TEST_CASE("items of different keys never share a batch") {
  rig r{{.max_batch_items = 4, .max_delay = 10ms}};
  r.with_workers(1, 8);
  for (int i = 0; i < 4; ++i) r.admit(start, i, {.key = i % 2 == 0 ? "even" : "odd"});
  CHECK_FALSE(r.next(start));
  auto first = r.take(start + 10ms);
  CHECK(first.key == "even");
  CHECK(first.numbers == std::vector{0, 2});
  CHECK(r.take(start + 10ms).numbers == std::vector{1, 3});
}

TEST_CASE("a lane that is never empty lets every other lane have its turn") {
  rig r{{.max_batch_items = 2}};
  r.admit(start, range(0, 8), {.key = "busy"});
  r.admit(start, range(8, 10), {.key = "calm"});
  r.with_workers(1, 3);
  CHECK(r.take_all(start) == batches{range(0, 2), range(8, 10), range(2, 4)});
}

TEST_CASE("one lane more than max_lanes is refused, until one is idle and goes by itself") {
  rig r{{.max_batch_items = 1, .max_lanes = 2}};
  r.with_workers(1).admit(start, 0, {.key = "a"});
  r.admit(start, 1, {.key = "b"});
  CHECK(r.refusal(start, {.key = "c"}) == errc::too_many_lanes);
  CHECK(r.refusal(start, {.key = "b"}) == errc::none);
  auto b = r.take(start);
  CHECK(b.key == "a");
  CHECK(r.refusal(start, {.key = "c"}) == errc::too_many_lanes); // a still runs
  r.complete(start, b);
  CHECK(r.counters().lanes == 1);
  CHECK(r.refusal(start, {.key = "c"}) == errc::none);
  CHECK(of(outcome::too_many_lanes, r.counters().replies) == 2);
}

TEST_CASE("a run of requests that finds no room leaves no lane behind") {
  rig r{{.max_batch_items = 2, .max_queue_items = 2, .max_lanes = 2}};
  auto run = [&](std::size_t items, const char* key) {
    return r.core.admit_run(start, {.key = key}, items,
                            [](std::size_t i) { return item{static_cast<int>(i)}; });
  };
  CHECK(run(0, "empty") == 0);
  r.admit(start, range(0, 2), {.key = "a"});
  CHECK(run(1, "b") == 0);
  r.with_workers(1);
  CHECK(r.take(start).key == "a");
  CHECK(r.counters().lanes == 1);
  CHECK(r.refusal(start, {.key = "c"}) == errc::none);
}

TEST_CASE("max_lane_items keeps one key from filling the queue") {
  rig r{{.max_batch_items = 2, .max_queue_items = 10, .max_lane_items = 2}};
  r.admit(start, range(0, 2), {.key = "a"});
  CHECK(r.refusal(start, {.key = "a"}) == errc::queue_full);
  CHECK(r.refusal(start, {.key = "b"}) == errc::none);
}

TEST_CASE("max_tenant_items keeps one tenant from filling its lane") {
  rig r{{.max_batch_items = 2, .max_queue_items = 10, .max_tenant_items = 2}};
  r.admit(start, range(0, 2), {.tenant = "noisy"});
  CHECK(r.refusal(start, {.tenant = "noisy"}) == errc::queue_full);
  CHECK(r.refusal(start, {.tenant = "polite"}) == errc::none);
  CHECK(r.refusal(start, {.key = "other", .tenant = "noisy"}) == errc::none);
}

TEST_CASE("with drop_oldest a full tenant gives way itself") {
  rig r{{.max_batch_items = 2,
         .max_queue_items = 10,
         .max_tenant_items = 2,
         .overload = overload::drop_oldest}};
  r.admit(start, range(0, 2), {.tenant = "polite"});
  r.admit(start, range(2, 4), {.tenant = "noisy"});
  r.admit(start, 4, {.tenant = "noisy"});
  CHECK(r.left() == all(errc::dropped, {2}));
}

TEST_CASE("with drop_oldest the tenant that holds most by its weight gives way") {
  rig r{{.max_batch_items = 4,
         .max_queue_items = 6,
         .overload = overload::drop_oldest,
         .tenant_weights = {{"heavy", 3}}}};
  r.admit(start, 0, {.tenant = "polite"});
  r.admit(start, range(1, 4), {.tenant = "heavy"}); // 1 by its weight
  r.admit(start, range(4, 6), {.tenant = "noisy"});
  r.admit(start, 6, {.tenant = "polite"});
  CHECK(r.left() == all(errc::dropped, {4}));
}

TEST_CASE("max_lane_batches leaves workers for the other keys") {
  rig r{{.max_batch_items = 1, .max_lane_batches = 2, .worker_credit = 1}};
  r.with_workers(4).admit(start, range(0, 4), {.key = "slow"});
  auto first = r.take(start);
  r.take(start);
  CHECK_FALSE(r.next(start));
  r.admit(start, 4, {.key = "fast"});
  CHECK(r.take(start).key == "fast");
  r.complete(start, first);
  CHECK(r.take(start).numbers == range(2, 3));
  CHECK_FALSE(r.next(start));
}

// -- priorities and tenants -----------------------------------------------------------------------

TEST_CASE("a higher priority overtakes until its head start is over, and not at that instant") {
  rig r{{.max_batch_items = 3, .priority_head_start = 100ms}};
  r.admit(start, 0);
  r.admit(start + 100ms - 1ns, 1, {.priority = 1});
  r.admit(start + 100ms, 2, {.priority = 1});
  r.with_workers(1);
  CHECK(r.take(start + 100ms).numbers == std::vector{1, 0, 2});
}

TEST_CASE("priorities that keep coming hold up a low one for their head start and no longer") {
  rig r{{.max_batch_items = 1, .priority_head_start = 10ms}};
  r.with_workers(1).admit(start, -1);
  for (int i = 0;; ++i) {
    auto now = start + i * 1ms;
    r.admit(now, i, {.priority = 3});
    auto b = r.take(now);
    r.complete(now, b);
    if (b.numbers != std::vector{-1}) continue;
    CHECK(i == 30);
    break;
  }
}

TEST_CASE("a priority beyond the last is the caller's bug") {
  rig r{{}};
  CHECK(r.refusal(start, {.priority = 8}) == errc::invalid_request);
  CHECK(r.refusal(start, {.priority = 7}) == errc::none);
}

TEST_CASE("tenants share a lane by weight, whoever came first") {
  rig r{{.max_batch_items = 8, .tenant_weights = {{"gold", 3}}}};
  r.admit(start, range(0, 20), {.tenant = "plain"});
  r.admit(start, range(20, 40), {.tenant = "gold"});
  r.with_workers(1);
  auto b = r.take(start);
  auto gold = std::count_if(b.numbers.begin(), b.numbers.end(), [](int n) { return n >= 20; });
  CHECK(gold == 6);
}
