// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: identical items share one place and one result, wherever the first of them
// is, and part when one of them leaves.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

TEST_CASE("identical items share one place and each gets its departure with the one result") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}, by_tens()};
  r.with_workers(1).admit(start, {10, 20});
  r.admit(start, {11, 12, 21});
  CHECK(r.core.queue_items() == 2);
  CHECK(r.core.following_items() == 3);
  auto b = r.take(start);
  CHECK(b.numbers == std::vector{10, 20});
  CHECK(r.complete(start, b, {1}));
  auto& out = r.core.departures();
  REQUIRE(out.size() == 5);
  std::array<std::uint32_t, 5> positions{0, 0, 0, 1, 1};
  std::array<bool, 5> shares{true, true, false, true, false};
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(out[i].outcome == errc::none);
    CHECK(out[i].position == positions[i]);
    CHECK(out[i].shares_result == shares[i]);
    CHECK(*out[i].item.number / 10 == static_cast<int>(positions[i]) + 1);
  }
  auto values = r.counters();
  CHECK(values.coalesced == 3);
  CHECK(of(outcome::ok, values.replies) == 3);
  CHECK(of(outcome::item_error, values.replies) == 2);
}

TEST_CASE("items of different keys, or that only hash the same, do not share a place") {
  auto same = by_tens();
  same.hash = [](const item&) { return std::size_t{0}; };
  rig r{{}, same};
  r.admit(start, 10, {.key = "a"});
  r.admit(start, 11, {.key = "b"});
  r.admit(start, 20, {.key = "a"});
  CHECK(r.core.following_items() == 0);
  r.admit(start, 21, {.key = "a"});
  CHECK(r.core.following_items() == 1);
}

TEST_CASE("an item can share the place of one in flight, but not of one that has left") {
  rig r{{.max_batch_items = 1}, by_tens()};
  r.with_workers(1).admit(start, 10);
  auto b = r.take(start);
  r.admit(start, 11);
  CHECK(r.core.following_items() == 1);
  CHECK(r.complete(start, b));
  CHECK(r.left() == all(errc::none, {10, 11}));
  r.admit(start, 12);
  CHECK(r.core.following_items() == 0);
  CHECK(r.take(start).numbers == std::vector{12});
}

TEST_CASE("when the one in front expires in the queue another takes its place in time") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}, by_tens()};
  r.with_workers(1).admit(start, 10, {.timeout = 5ms});
  r.admit(start + 1ms, 11);
  r.admit(start + 2ms, 12);
  r.expire(start + 5ms);
  CHECK(r.left() == all(errc::expired, {10}));
  CHECK(r.core.queue_items() == 1);
  CHECK(r.core.following_items() == 1);
  CHECK(r.core.stats(start + 5ms).oldest_age == 5ms);
  r.admit(start + 6ms, 13); // finds the heir
  CHECK(r.core.following_items() == 2);
  CHECK(r.core.next_deadline() == start + 10ms);
  auto b = r.take(start + 10ms);
  REQUIRE(b.numbers.size() == 1);
  CHECK(b.numbers[0] != 10);
  CHECK(r.complete(start + 10ms, b));
  auto left = r.left();
  std::sort(left.begin(), left.end());
  CHECK(left == all(errc::none, {11, 12, 13}));
}

TEST_CASE("when the one in front expires in flight the others still get the result") {
  rig r{{.max_batch_items = 1}, by_tens()};
  r.with_workers(1).admit(start, 10, {.timeout = 5ms});
  auto b = r.take(start);
  r.admit(start, 11, {.timeout = 7ms});
  r.expire(start + 5ms);
  REQUIRE(r.core.departures().size() == 1);
  CHECK(r.core.departures()[0].batch == 0); // the worker must go on
  CHECK(r.left() == all(errc::expired, {10}));
  CHECK(r.core.in_flight_items() == 1);
  r.admit(start + 6ms, 12);
  r.expire(start + 7ms);
  CHECK(r.left() == all(errc::expired, {11}));
  CHECK(r.complete(start + 8ms, b));
  CHECK(r.left() == all(errc::none, {12}));
  CHECK(r.counters().wasted_items == 0);
}

TEST_CASE("the last of those that share a place in flight tells the batch") {
  rig r{{.max_batch_items = 2}, by_tens()};
  r.with_workers(1).admit(start, 0);
  auto first = r.admit(start, 10);
  auto second = r.admit(start, 11);
  auto b = r.take(start);
  r.cancel(start, first);
  r.cancel(start, second);
  REQUIRE(r.core.departures().size() == 2);
  CHECK(r.core.departures()[0].batch == 0);
  CHECK(r.core.departures()[1].batch == b.id);
  CHECK(r.core.departures()[1].position == 1);
  CHECK(r.core.in_flight_items() == 1);
}

TEST_CASE("one that follows can be cancelled, from any place behind the leader") {
  auto cancelled = GENERATE(1u, 2u, 3u);
  rig r{{.max_batch_items = 1}, by_tens()};
  std::vector<item_id> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(r.admit(start, 10 + i));
  CHECK(r.cancel(start, ids[cancelled]));
  CHECK(r.left() == all(errc::cancelled, {10 + static_cast<int>(cancelled)}));
  CHECK(r.core.following_items() == 2);
  CHECK(r.core.queue_items() == 1);
  CHECK(r.cancel(start, ids[0])); // the rest move up
  CHECK(r.core.following_items() == 1);
  for (auto id : ids) r.cancel(start, id);
  CHECK(r.left().size() == 3);
  CHECK(r.core.is_idle());
}

TEST_CASE("those that share a place run again with it, and one takes over there as well") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}, by_tens()};
  auto leader = r.with_workers(1).admit(start, 10);
  r.admit(start, {11, 20});
  r.fail(start, r.take(start));
  r.cancel(start, leader);
  CHECK(r.left() == all(errc::cancelled, {10}));
  auto again = r.take(start);
  CHECK(again.numbers == std::vector{11, 20});
  CHECK(r.complete(start, again));
  CHECK(r.left() == all(errc::none, {11, 20}));
}

TEST_CASE("a failure is that of all who share the place") {
  rig r{{.max_batch_items = 1}, by_tens()};
  r.with_workers(1).admit(start, {10, 11});
  r.fail(start, r.take(start));
  CHECK(r.left() == all(errc::batch_failed, {10, 11}));
  CHECK(of(outcome::batch_failed, r.counters().replies) == 2);
}

TEST_CASE("at dispatch the place goes to one who still wants the result") {
  rig r{{.max_batch_items = 1}, by_tens()};
  r.admit(start, {10, 11}, {.timeout = 1ms});
  r.admit(start, 12);
  r.with_workers(1);
  CHECK(r.take(start + 1ms).numbers == std::vector{12});
  CHECK(r.left() == all(errc::expired, {10, 11}));
  r.admit(start + 1ms, 13);
  CHECK(r.core.following_items() == 1);
}

TEST_CASE("no more may follow than may be queued, and a drop takes all who share the place") {
  rig r{{.max_batch_items = 1, .max_queue_items = 2, .overload = overload::drop_oldest}, by_tens()};
  r.admit(start, {10, 11, 12});
  CHECK(r.core.admit(start, item{13}).refused == errc::queue_full);
  r.check_books();
  r.admit(start, {20, 30});
  auto left = r.left();
  std::sort(left.begin(), left.end());
  CHECK(left == all(errc::dropped, {10, 11, 12}));
  CHECK(r.core.following_items() == 0);
  r.admit(start, 14); // nobody there to follow: it drops 20
  CHECK(r.left() == all(errc::dropped, {20}));
}

TEST_CASE("a request that follows gives back the room that was granted for it") {
  rig r{{.max_batch_items = 1, .max_queue_items = 2, .overload = overload::wait_for_credit},
        by_tens()};
  r.admit(start, 10);
  r.core.ask_credit(start, 1, 1);
  REQUIRE(r.core.next_grant(start));
  CHECK(r.core.admit(start, item{20}).refused == errc::queue_full);
  r.admit(start, 11, {.on_credit = true});
  CHECK(r.core.admit(start, item{20}).refused == errc::none);
}
