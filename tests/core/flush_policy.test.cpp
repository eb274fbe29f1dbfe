// SPDX-License-Identifier: BSD-3-Clause
//
// The flush policy: the instant before each condition and the instant itself, and how many items a
// batch takes.

#include "batcher/flush_policy.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

options filling() {
  return {.max_batch_items = 3, .max_delay = 10ms, .when_idle = when_idle::fill};
}

options eager() {
  return {.max_batch_items = 3, .max_delay = 10ms, .when_idle = when_idle::immediate};
}

options adaptive() {
  return {.max_batch_items = 3, .max_delay = 10ms, .when_idle = when_idle::adaptive};
}

options weighed() { return {.max_batch_items = 64, .max_batch_cost = 100, .max_delay = 10ms}; }

lane_view view_of(std::size_t items, time_point oldest = start, time_point filled = start) {
  return {.items = items, .cost = items, .oldest = oldest, .filled = filled};
}

} // namespace

TEST_CASE("an empty queue closes nothing and waits for nothing") {
  for (auto& opts : {filling(), eager()}) {
    auto d = decide_flush(view_of(0), opts, std::nullopt, start + 1h);
    CHECK_FALSE(d.close);
    CHECK_FALSE(d.next);
    CHECK_FALSE(decide_flush(view_of(0), opts, start, start + 1h).close);
  }
}

TEST_CASE("a partial batch leaves at oldest + max_delay and not an instant before") {
  auto before = decide_flush(view_of(2), filling(), std::nullopt, start + 10ms - 1ns);
  CHECK_FALSE(before.close);
  CHECK(before.next == start + 10ms);
  auto at = decide_flush(view_of(2), filling(), std::nullopt, start + 10ms);
  CHECK(at.close);
  CHECK(at.reason == close_reason::deadline);
  CHECK(at.ready_at == start + 10ms);
}

TEST_CASE("a full batch leaves at once and was ready when its last item came") {
  auto d = decide_flush(view_of(3, start, start + 4ms), filling(), std::nullopt, start + 5ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::size);
  CHECK(d.ready_at == start + 4ms);
}

TEST_CASE("a batch that became full after its window was ready at the window's end") {
  auto d = decide_flush(view_of(3, start, start + 15ms), filling(), std::nullopt, start + 20ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::size);
  CHECK(d.ready_at == start + 10ms);
}

TEST_CASE("with immediate a lone item is ready when it arrives") {
  auto d = decide_flush(view_of(1), eager(), std::nullopt, start);
  CHECK(d.close);
  CHECK(d.reason == close_reason::idle);
  CHECK(d.ready_at == start);
}

TEST_CASE("adaptive closes when there are enough items, and not one before") {
  auto opts = adaptive();
  auto view = view_of(1);
  view.window = {.enough_items = 2, .until = start + 5ms};
  auto before = decide_flush(view, opts, std::nullopt, start + 1ms);
  CHECK_FALSE(before.close);
  CHECK(before.next == start + 5ms);
  view.items = 2;
  auto d = decide_flush(view, opts, std::nullopt, start + 1ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::idle);
  CHECK(d.ready_at == start + 1ms);
}

TEST_CASE("adaptive closes at its own instant, and not one before") {
  auto view = view_of(1);
  view.window = {.enough_items = 2, .until = start + 5ms};
  CHECK_FALSE(decide_flush(view, adaptive(), std::nullopt, start + 5ms - 1ns).close);
  auto d = decide_flush(view, adaptive(), std::nullopt, start + 5ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::idle);
  CHECK(d.ready_at == start + 5ms);
}

TEST_CASE("adaptive never waits beyond max_delay") {
  auto view = view_of(1);
  view.window = {.enough_items = 2, .until = start + 1h};
  auto before = decide_flush(view, adaptive(), std::nullopt, start + 10ms - 1ns);
  CHECK_FALSE(before.close);
  CHECK(before.next == start + 10ms);
  auto d = decide_flush(view, adaptive(), std::nullopt, start + 10ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::deadline);
}

TEST_CASE("adaptive that knows nothing does not wait") {
  auto d = decide_flush(view_of(1), adaptive(), std::nullopt, start + 1ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::idle);
  CHECK(d.ready_at == start);
}

TEST_CASE("a window of zero never waits") {
  options opts{.max_delay = 0ns};
  auto d = decide_flush(view_of(1), opts, std::nullopt, start);
  CHECK(d.close);
  CHECK(d.reason == close_reason::deadline);
}

TEST_CASE("a drain waits for no window") {
  auto d = decide_flush(view_of(1), filling(), start + 3ms, start + 3ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::drain);
  CHECK(d.ready_at == start + 3ms);
}

TEST_CASE(
  "a batch whose window was over before the drain was ready then, but leaves for the drain") {
  auto d = decide_flush(view_of(1), filling(), start + 30ms, start + 40ms);
  CHECK(d.reason == close_reason::drain);
  CHECK(d.ready_at == start + 10ms);
}

TEST_CASE("what comes back during a drain is ready when it came") {
  auto d = decide_flush(view_of(1, start + 5ms), filling(), start, start + 6ms);
  CHECK(d.ready_at == start + 5ms);
}

TEST_CASE("the cost closes a batch at its limit and not one below") {
  auto opts = weighed();
  lane_view view{.items = 2, .cost = 99, .oldest = start, .filled = start + 1ms};
  CHECK_FALSE(is_full(view, opts));
  CHECK_FALSE(decide_flush(view, opts, std::nullopt, start + 2ms).close);
  view.cost = 100;
  CHECK(is_full(view, opts));
  auto d = decide_flush(view, opts, std::nullopt, start + 2ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::cost);
  CHECK(d.ready_at == start + 1ms);
}

TEST_CASE("of several reasons the most telling one is named") {
  auto opts = weighed();
  opts.max_batch_items = 3;
  lane_view view{.items = 3, .cost = 100, .oldest = start, .filled = start};
  CHECK(decide_flush(view, opts, start, start + 1h).reason == close_reason::size);
  view.items = 2;
  CHECK(decide_flush(view, opts, start, start + 1h).reason == close_reason::cost);
  view.cost = 2;
  CHECK(decide_flush(view, opts, start, start + 1h).reason == close_reason::drain);
  CHECK(decide_flush(view, opts, std::nullopt, start + 1h).reason == close_reason::deadline);
}

TEST_CASE("without a limit no cost closes a batch") {
  lane_view view{.items = 1, .cost = SIZE_MAX - 1, .oldest = start, .filled = start};
  CHECK_FALSE(is_full(view, filling()));
  CHECK_FALSE(decide_flush(view, filling(), std::nullopt, start).close);
}

TEST_CASE("preferred_batch_items close a batch, max_batch_items bound it") {
  options opts{.max_batch_items = 10, .preferred_batch_items = 4};
  CHECK(trigger_items(opts) == 4);
  CHECK_FALSE(decide_flush(view_of(3), opts, std::nullopt, start).close);
  CHECK(decide_flush(view_of(4), opts, std::nullopt, start).reason == close_reason::size);
  CHECK(batch_limit(7, opts) == 7);
  CHECK(batch_limit(11, opts) == 10);
  opts.preferred_batch_items = 0;
  CHECK(trigger_items(opts) == 10);
}

TEST_CASE("without allowed sizes a batch takes all there is and lacks nothing") {
  options opts{.max_batch_items = 8};
  CHECK(batch_limit(5, opts) == 5);
  CHECK(batch_limit(9, opts) == 8);
  CHECK(padding_of(5, opts) == 0);
}

TEST_CASE("rounded down a batch takes the largest allowed size that can be filled") {
  options opts{.max_batch_items = 8, .allowed_batch_items = {2, 4, 8}};
  opts.size_rounding = size_rounding::down;
  CHECK(batch_limit(9, opts) == 8);
  CHECK(batch_limit(8, opts) == 8);
  CHECK(batch_limit(7, opts) == 4);
  CHECK(batch_limit(4, opts) == 4);
  CHECK(batch_limit(3, opts) == 2);
  CHECK(batch_limit(1, opts) == 1); // below the smallest: padded
  CHECK(padding_of(1, opts) == 1);
  CHECK(padding_of(4, opts) == 0);
}

TEST_CASE("padded a batch takes all and lacks what is missing to the next allowed size") {
  options opts{.max_batch_items = 8, .allowed_batch_items = {2, 4, 8}};
  opts.size_rounding = size_rounding::pad;
  CHECK(batch_limit(9, opts) == 8);
  CHECK(batch_limit(5, opts) == 5);
  CHECK(padding_of(5, opts) == 3);
  CHECK(padding_of(8, opts) == 0);
  CHECK(padding_of(1, opts) == 1);
}
