// SPDX-License-Identifier: BSD-3-Clause
//
// The estimate of a batch's time, from its first sample to drifts and outliers.

#include "batcher/turnaround.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

turnaround after(int times, duration sample, turnaround t = {}) {
  for (int i = 0; i < times; ++i) t.add(sample);
  return t;
}

} // namespace

TEST_CASE("nothing is expected before the first batch") { CHECK(turnaround{}.most() == 0ns); }

TEST_CASE("the first batch may have been a fast one") { CHECK(after(1, 10ms).most() == 30ms); }

TEST_CASE("batches that all take the same time are expected to take it again") {
  auto most = after(100, 10ms).most();
  CHECK(most >= 10ms);
  CHECK(most < 10ms + 1us);
}

TEST_CASE("a drift is followed in a few dozen batches") {
  auto most = after(60, 50ms, after(100, 10ms)).most();
  CHECK(most > 49ms);
  CHECK(most < 52ms);
}

TEST_CASE("times that vary are exceeded by few") {
  turnaround t;
  for (int i = 0; i < 200; ++i) t.add(i % 2 == 0 ? 8ms : 12ms);
  CHECK(t.most() > 12ms);
  CHECK(t.most() < 22ms);
}
