// SPDX-License-Identifier: BSD-3-Clause
//
// The rate of arrivals: its mean, how fast it forgets, and what it says of what it has not seen.

#include "batcher/arrival_rate.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

// `items` arrive every 10 ms, from `from` on.
arrival_rate after(int times, int items, time_point from = start, arrival_rate rate = {}) {
  for (int i = 0; i < times; ++i) {
    for (int n = 0; n < items; ++n) rate.count();
    rate.settle(from + i * 10ms, 100ms);
  }
  return rate;
}

} // namespace

TEST_CASE("no rate is known before there is time to go by") {
  arrival_rate rate;
  for (int i = 0; i < 100; ++i) rate.count();
  CHECK(rate.per_second(start) == 0);
  rate.settle(start, 0ns); // no batch's time is known
  CHECK(rate.per_second(start) == 0);
  rate.settle(start, 100ms);
  CHECK(rate.per_second(start) == 0);
}

TEST_CASE("a constant rate is known at once and stays") {
  CHECK(after(2, 5).per_second(start + 10ms) == Approx(500));
  CHECK(after(100, 5).per_second(start + 990ms) == Approx(500));
}

TEST_CASE("what has arrived since the last batch counts, and so does the time") {
  auto rate = after(100, 5);
  auto before = rate.per_second(start + 990ms);
  for (int n = 0; n < 50; ++n) rate.count();
  CHECK(rate.per_second(start + 990ms) == Approx(before + 500).epsilon(0.001));
  rate.settle(start + 990ms, 100ms);
  CHECK(rate.per_second(start + 1'990ms) < 1);
}

TEST_CASE("an arrival counts e times less after the memory") {
  auto rate = after(200, 5);
  auto at = start + 1'990ms;
  CHECK(rate.per_second(at + 100ms) == Approx(rate.per_second(at) / 2.71828).epsilon(0.001));
}

TEST_CASE("a jump is followed within three memories") {
  auto rate = after(30, 50, start + 1s, after(100, 5));
  CHECK(rate.per_second(start + 1'290ms) == Approx(5'000).epsilon(0.1));
}
