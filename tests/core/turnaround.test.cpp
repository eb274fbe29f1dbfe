// SPDX-License-Identifier: BSD-3-Clause
//
// What is expected of a batch: nothing at first, few exceptions, no outliers, no old times.

#include "batcher/turnaround.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

turnaround after(int times, duration took, turnaround t = {}) {
  for (int i = 0; i < times; ++i) t.add(start, took);
  return t;
}

} // namespace

TEST_CASE("nothing is expected before eight batches are known") {
  CHECK(after(7, 10ms).most(start) == 0ns);
  CHECK(after(8, 10ms).most(start) == 10ms);
}

TEST_CASE("one slow batch says nothing, two do") {
  CHECK(after(1, 900ms, after(15, 10ms)).most(start) == 10ms);
  CHECK(after(2, 900ms, after(14, 10ms)).most(start) == 900ms);
}

TEST_CASE("sixteen batches later it is forgotten") {
  CHECK(after(14, 10ms, after(2, 900ms)).most(start) == 900ms);
  CHECK(after(15, 10ms, after(2, 900ms)).most(start) == 10ms);
}

TEST_CASE("ten seconds later, too") {
  auto t = after(16, 900ms);
  CHECK(t.most(start + 10s) == 900ms);
  CHECK(t.most(start + 10s + 1ns) == 0ns);
}
