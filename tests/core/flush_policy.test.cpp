// SPDX-License-Identifier: BSD-3-Clause
//
// The flush policy: the instant before each condition and the instant itself.

#include "batcher/flush_policy.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};
const options filling{.max_batch_items = 3, .max_delay = 10ms, .when_idle = when_idle::fill};
const options eager{.max_batch_items = 3, .max_delay = 10ms, .when_idle = when_idle::immediate};

queue_view view_of(std::size_t items, time_point oldest = start, time_point filled = start) {
  return {.items = items, .oldest = oldest, .filled = filled};
}

} // namespace

TEST_CASE("an empty queue closes nothing and waits for nothing") {
  for (auto& opts : {filling, eager}) {
    auto d = decide_flush(view_of(0), opts, std::nullopt, start + 1h);
    CHECK_FALSE(d.close);
    CHECK_FALSE(d.next);
  }
}

TEST_CASE("a partial batch leaves at oldest + max_delay and not an instant before") {
  auto before = decide_flush(view_of(2), filling, std::nullopt, start + 10ms - 1ns);
  CHECK_FALSE(before.close);
  CHECK(before.next == start + 10ms);
  auto at = decide_flush(view_of(2), filling, std::nullopt, start + 10ms);
  CHECK(at.close);
  CHECK(at.reason == close_reason::deadline);
  CHECK(at.ready_at == start + 10ms);
}

TEST_CASE("a full batch leaves at once and was ready when its last item came") {
  auto d = decide_flush(view_of(3, start, start + 4ms), filling, std::nullopt, start + 5ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::size);
  CHECK(d.ready_at == start + 4ms);
}

TEST_CASE("a batch that became full after its window was ready at the window's end") {
  auto d = decide_flush(view_of(3, start, start + 15ms), filling, std::nullopt, start + 20ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::size);
  CHECK(d.ready_at == start + 10ms);
}

TEST_CASE("with immediate a lone item is ready when it arrives") {
  auto d = decide_flush(view_of(1), eager, std::nullopt, start);
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
  auto d = decide_flush(view_of(1), filling, start + 3ms, start + 3ms);
  CHECK(d.close);
  CHECK(d.reason == close_reason::drain);
  CHECK(d.ready_at == start + 3ms);
}
