// SPDX-License-Identifier: BSD-3-Clause
//
// The rate of dispatch: from the first batch on, with a changing pace, and after a pause.

#include "batcher/drain_rate.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

// 100 items every 10 ms: 10,000 a second.
time_point run(drain_rate& rate, time_point from, duration length, std::size_t items = 100) {
  auto now = from;
  for (; now < from + length; now += 10ms) rate.add(now, items);
  return now;
}

bool is_about(duration d, duration expected) {
  return d > expected * 9 / 10 && d < expected * 11 / 10;
}

} // namespace

TEST_CASE("before anything is dispatched the answer is a second") {
  drain_rate rate;
  CHECK(rate.time_for(start, 1) == 1s);
  CHECK(rate.time_for(start, 1'000'000) == 1s);
}

TEST_CASE("at a constant pace items take their number divided by the rate") {
  for (auto length : {100ms, 1'000ms, 10'000ms}) {
    drain_rate rate;
    auto now = run(rate, start, length);
    CHECK(is_about(rate.time_for(now, 10'000), 1s));
    CHECK(is_about(rate.time_for(now, 500), 50ms));
  }
}

TEST_CASE("small batches close together count as much as large ones far apart") {
  drain_rate rate;
  auto now = start;
  for (; now < start + 2s; now += 10us) rate.add(now, 1);
  CHECK(is_about(rate.time_for(now, 100'000), 1s));
}

TEST_CASE("a new pace is known after a few seconds") {
  drain_rate rate;
  auto now = run(rate, start, 10s);
  now = run(rate, now, 5s, 10);
  CHECK(is_about(rate.time_for(now, 1'000), 1s));
}

TEST_CASE("the answer is never under a millisecond and never over a minute") {
  drain_rate rate;
  auto now = run(rate, start, 5s);
  CHECK(rate.time_for(now, 0) == 1ms);
  CHECK(rate.time_for(now, 1) == 1ms);
  CHECK(rate.time_for(now, 1'000'000'000) == 1min);
  CHECK(rate.time_for(now, SIZE_MAX) == 1min);
}

TEST_CASE("the longer nothing is dispatched the longer it takes, until nothing is known") {
  drain_rate rate;
  auto now = run(rate, start, 5s);
  auto at_once = rate.time_for(now, 1'000);
  auto later = rate.time_for(now + 1s, 1'000);
  CHECK(later > 2 * at_once);
  CHECK(later < 3 * at_once);
  CHECK(rate.time_for(now + 1min, 1'000) == 1s);
}

TEST_CASE("the first batch of all is an answer at once") {
  drain_rate rate;
  rate.add(start, 64);
  CHECK(rate.time_for(start, 64) == 1ms);
  CHECK(rate.time_for(start + 10ms, 64) > 9ms);
  CHECK(rate.time_for(start + 10ms, 64) < 11ms);
}

TEST_CASE("after a long pause the pace is that of the newcomers alone") {
  drain_rate rate;
  run(rate, start, 5s);
  auto end = run(rate, start + 1h, 100ms);
  CHECK(is_about(rate.time_for(end, 10'000), 1s));
}
