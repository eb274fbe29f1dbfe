// SPDX-License-Identifier: BSD-3-Clause
//
// The rule of adaptive timing, by the numbers of its derivation.

#include "batcher/adaptive_window.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

// 1 item per ms; the oldest came at `start`.
adaptive_window window(const std::vector<time_point>& returns, std::size_t free_credit = 1,
                       time_point now = start) {
  return window_of(
    {.returns = returns, .free_credit = free_credit, .arrivals_per_second = 1'000, .oldest = start},
    now);
}

bool is_shut(const adaptive_window& w) { return w.enough_items == 0 && w.until <= start; }

} // namespace

TEST_CASE("while nothing is in flight nothing waits") { CHECK(is_shut(window({}))); }

TEST_CASE("the last free worker waits for half the time until the other is back") {
  auto w = window({start + 9ms});
  CHECK(w.enough_items == 9);
  CHECK(w.until == start + 4'500us);
}

TEST_CASE("several free workers share the time until a busy one is back") {
  auto w = window({start + 9ms}, 3);
  CHECK(w.enough_items == 3);
  CHECK(w.until == start + 2'250us);
}

TEST_CASE("the return that leaves the longest gap decides") {
  // 2 / 1, 9 / 2 and 9 / 3: the second.
  auto w = window({start + 2ms, start + 9ms, start + 9ms});
  CHECK(w.enough_items == 5); // 4.5, rounded up
  CHECK(w.until == start + 3ms);
}

TEST_CASE("workers that are back evenly apart are kept so") {
  auto w = window({start + 2ms, start + 4ms, start + 6ms});
  CHECK(w.enough_items == 2);
  CHECK(w.until == start + 1'500us);
}

TEST_CASE("those overdue open no gap") {
  CHECK(window({start - 1ms, start}).enough_items == 0);
  CHECK(window({start - 1ms, start + 6ms}).enough_items == 3);
}

TEST_CASE("the gap shrinks while time goes by, the instant stays") {
  auto w = window({start + 9ms}, 1, start + 4ms);
  CHECK(w.enough_items == 5);
  CHECK(w.until == start + 4'500us);
}

TEST_CASE("a lone item of a slow stream leaves at once") {
  auto returns = std::vector{start + 9ms};
  auto w = window_of({.returns = returns, .arrivals_per_second = 111, .oldest = start}, start);
  CHECK(w.enough_items == 1);
}

TEST_CASE("where items fill the workers' time nothing waits") {
  auto returns = std::vector{start + 9ms};
  timing_facts facts{
    .returns = returns, .arrivals_per_second = 1e3, .oldest = start, .slack = 0.25};
  CHECK_FALSE(is_shut(window_of(facts, start)));
  facts.slack = 0.249;
  CHECK(is_shut(window_of(facts, start)));
}

TEST_CASE("of very many returns some stand for all") {
  std::vector<time_point> returns;
  for (int i = 1; i <= 1'000; ++i) returns.push_back(start + i * 1ms);
  auto w = window(returns);
  CHECK(w.enough_items == 1);
  CHECK(w.until <= start + 1ms);
  CHECK(w.until >= start + 900us);
}

TEST_CASE("a rate beyond all measure is enough for nobody") {
  auto returns = std::vector{start + 9ms};
  auto w = window_of({.returns = returns, .arrivals_per_second = 1e300, .oldest = start}, start);
  CHECK(w.enough_items == SIZE_MAX);
}

TEST_CASE("a deadline cuts the window short, and none does not") {
  adaptive_window w{.enough_items = 9, .until = start + 9ms};
  CHECK(in_time(w, start + 12ms, 5ms).until == start + 7ms);
  CHECK(in_time(w, start + 12ms, 5ms).enough_items == 9);
  CHECK(in_time(w, start + 12ms, 1ms).until == start + 9ms);
  CHECK(in_time(w, time_point::max(), 5ms).until == start + 9ms);
}
