// SPDX-License-Identifier: BSD-3-Clause
//
// Credit that is granted in the order of asking and ends by itself.

#include "batcher/credit_line.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

} // namespace

TEST_CASE("without somebody who asks, or without room, nothing is granted") {
  credit_line line;
  CHECK_FALSE(line.has_waiting());
  CHECK_FALSE(line.next_grant(10, start));
  line.ask(7, 1);
  CHECK(line.has_waiting());
  CHECK_FALSE(line.next_grant(0, start));
  CHECK(line.has_waiting());
  CHECK(line.held() == 0);
  CHECK_FALSE(line.next_deadline());
}

TEST_CASE("who asked first is granted first, as much as there is room for") {
  credit_line line;
  line.ask(1, 3);
  line.ask(2, 4);
  line.ask(3, 1);
  auto first = line.next_grant(5, start);
  REQUIRE(first);
  CHECK(first->ticket == 1);
  CHECK(first->items == 3);
  auto second = line.next_grant(2, start);
  REQUIRE(second);
  CHECK(second->ticket == 2);
  CHECK(second->items == 2);
  CHECK(line.held() == 5);
  auto third = line.next_grant(1, start);
  REQUIRE(third);
  CHECK(third->ticket == 3);
  CHECK_FALSE(line.has_waiting());
}

TEST_CASE("credit is used up item by item and the lease goes with the last") {
  credit_line line;
  CHECK_FALSE(line.use());
  line.ask(1, 2);
  REQUIRE(line.next_grant(9, start + 1s));
  CHECK(line.use());
  CHECK(line.held() == 1);
  CHECK(line.next_deadline() == start + 1s);
  CHECK(line.use());
  CHECK(line.held() == 0);
  CHECK_FALSE(line.next_deadline());
  CHECK_FALSE(line.use());
}

TEST_CASE("the oldest lease is used up first") {
  credit_line line;
  line.ask(1, 1);
  line.ask(2, 1);
  REQUIRE(line.next_grant(9, start + 1s));
  REQUIRE(line.next_grant(8, start + 2s));
  CHECK(line.use());
  CHECK(line.next_deadline() == start + 2s);
}

TEST_CASE("a lease gives back at its end what was not used, and not an instant before") {
  credit_line line;
  line.ask(1, 3);
  line.ask(2, 5);
  REQUIRE(line.next_grant(9, start + 1s));
  REQUIRE(line.next_grant(6, start + 2s));
  CHECK(line.use());
  line.expire(start + 1s - 1ns);
  CHECK(line.held() == 7);
  line.expire(start + 1s);
  CHECK(line.held() == 5);
  CHECK(line.next_deadline() == start + 2s);
  line.expire(start + 1h);
  CHECK(line.held() == 0);
  CHECK_FALSE(line.use());
}

TEST_CASE("those who wait can be turned away in their order, without a grant") {
  credit_line line;
  line.ask(4, 1);
  line.ask(2, 1);
  CHECK(line.turn_away() == 4u);
  CHECK(line.turn_away() == 2u);
  CHECK_FALSE(line.turn_away());
  CHECK(line.held() == 0);
}

TEST_CASE("a grant that is taken back goes to the one who waits next") {
  credit_line line;
  line.ask(1, 5);
  line.ask(2, 5);
  CHECK(line.next_grant(3, time_point{1h})->items == 3);
  line.revoke();
  CHECK(line.held() == 0);
  auto second = line.next_grant(3, time_point{1h});
  REQUIRE(second);
  CHECK(second->ticket == 2);
  CHECK(second->items == 3);
}
