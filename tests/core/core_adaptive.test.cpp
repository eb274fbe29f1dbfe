// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: adaptive timing. When it waits, for what, and that neither `max_delay` nor an
// item's deadline is missed for it.

#include "core_rig.hpp"

#include <catch2/catch.hpp>

#include <utility>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

namespace {

constexpr duration batch_time = 10ms;

options adaptive(duration max_delay = 1h) {
  return {.max_batch_items = 64, .max_delay = max_delay, .when_idle = when_idle::adaptive};
}

// One that has learned that batches take 10 ms and that an item arrives every millisecond. All its
// workers are idle since `now`.
struct trained_rig : rig {
  explicit trained_rig(options opts, std::size_t workers = 2, coalescing<item> same = {})
    : rig{std::move(opts), std::move(same)} {
    with_workers(workers);
    train();
  }

  void train() {
    std::optional<dispatched> out;
    for (int i = 0; i < 100; ++i) {
      for (int n = 0; n < 10; ++n) admit(now += 1ms, 10 * (10 * i + n));
      if (out) complete(now, *out);
      out = take(now);
    }
    complete(now += batch_time, *out);
    core.clear_departures();
  }

  // A batch is with one of the workers since `now`.
  dispatched send_one() {
    admit(now, 1);
    return take(now);
  }

  time_point now = start;
};

} // namespace

TEST_CASE("before anything is known adaptive does not wait") {
  rig r{adaptive()};
  r.with_workers(2).admit(start, 0);
  CHECK(r.take(start).numbers == range(0, 1));
  r.admit(start + 1ms, 1);
  CHECK(r.take(start + 1ms).numbers == range(1, 2));
  CHECK(of(close_reason::idle, r.counters().batches) == 2);
}

TEST_CASE("a worker with nobody beside it never waits") {
  trained_rig r{adaptive(), 1};
  for (int i = 0; i < 5; ++i) {
    auto b = r.send_one();
    CHECK(b.numbers == range(1, 2));
    r.complete(r.now += batch_time, b);
  }
}

TEST_CASE("an item waits for half the time until the busy worker is back") {
  trained_rig r{adaptive()};
  r.send_one();
  auto came = r.now + 1ms;
  r.admit(came, 2);
  CHECK_FALSE(r.next(came));
  auto until = *r.core.next_deadline();
  CHECK(until - came > 4'300us);
  CHECK(until - came < 4'700us);
  r.admit(came + 2ms, 3);
  CHECK_FALSE(r.next(until - 1ns));
  CHECK(r.take(until).numbers == range(2, 4));
  CHECK(of(close_reason::idle, r.counters().batches) > 0);
}

TEST_CASE("as many items as arrive in the gap do not wait for its end") {
  trained_rig r{adaptive()};
  r.send_one();
  auto came = r.now + 1ms;
  r.admit(came, range(2, 6));
  CHECK_FALSE(r.next(came));
  r.admit(came, range(6, 14));
  CHECK(r.take(came).numbers == range(2, 14));
}

TEST_CASE("a worker that comes back ends the wait for it") {
  trained_rig r{adaptive()};
  auto b = r.send_one();
  r.admit(r.now + 1ms, 2);
  REQUIRE_FALSE(r.next(r.now + 1ms));
  r.complete(r.now + 2ms, b);
  CHECK(r.take(r.now + 2ms).numbers == range(2, 3));
}

TEST_CASE("a worker that joins shortens the wait of all that wait") {
  trained_rig r{adaptive()};
  r.send_one();
  auto came = r.now + 1ms;
  r.admit(came, 2);
  REQUIRE_FALSE(r.next(came));
  r.core.worker_up(came, 3, 1);
  REQUIRE_FALSE(r.next(came));
  auto until = *r.core.next_deadline();
  CHECK(until - came > 2'900us);
  CHECK(until - came < 3'100us);
}

TEST_CASE("a worker that dies is not waited for") {
  trained_rig r{adaptive()};
  auto b = r.send_one();
  r.admit(r.now + 1ms, 2);
  REQUIRE_FALSE(r.next(r.now + 1ms));
  r.down(r.now + 2ms, b.worker);
  CHECK(r.take(r.now + 2ms).numbers == range(2, 3));
}

TEST_CASE("how slow a worker was is forgotten with it") {
  auto wait_beside_one_that_comes_again_as = [](worker_id name) {
    trained_rig r{adaptive()};
    for (int i = 0; i < 30; ++i) {
      r.admit(r.now, range(0, 128));
      auto slow = r.take(r.now);
      auto fast = r.take(r.now);
      if (slow.worker != 1) std::swap(slow, fast);
      r.complete(r.now + 10ms, fast);
      r.complete(r.now += 30ms, slow);
    }
    r.down(r.now, 1);
    r.core.worker_up(r.now, name, 1);
    CHECK(r.send_one().worker == name);
    r.admit(r.now + 1ms, 2);
    CHECK_FALSE(r.next(r.now + 1ms));
    return *r.core.next_deadline() - r.now;
  };
  CHECK(wait_beside_one_that_comes_again_as(1) == wait_beside_one_that_comes_again_as(7));
}

TEST_CASE("adaptive waits until max_delay at most and not an instant less if it pays") {
  trained_rig r{adaptive(2ms)};
  r.send_one();
  auto came = r.now + 1ms;
  r.admit(came, 2);
  CHECK_FALSE(r.next(came + 2ms - 1ns));
  CHECK(r.core.next_deadline() == came + 2ms);
  auto deadlines = of(close_reason::deadline, r.counters().batches);
  CHECK(r.take(came + 2ms).numbers == range(2, 3));
  CHECK(of(close_reason::deadline, r.counters().batches) == deadlines + 1);
}

TEST_CASE("adaptive leaves an item's deadline the time that a batch takes") {
  trained_rig r{adaptive()};
  r.send_one();
  auto came = r.now + 1ms;
  r.admit(came, 2);
  r.admit(came, 3, {.timeout = 13ms});
  auto until = *r.core.next_deadline();
  CHECK(until <= came + 13ms - batch_time);
  CHECK(until > came + 13ms - batch_time - 100us);
  CHECK_FALSE(r.next(until - 1ns));
  CHECK(r.take(until).numbers == range(2, 4));
}

TEST_CASE("an item that is late already does not wait at all") {
  trained_rig r{adaptive()};
  r.send_one();
  r.admit(r.now + 1ms, 2, {.timeout = batch_time / 2});
  CHECK(r.take(r.now + 1ms).numbers == range(2, 3));
}

TEST_CASE("once the item with a deadline is gone its batch waits again") {
  trained_rig r{adaptive()};
  r.send_one();
  auto came = r.now + 1ms;
  r.admit(came, 2);
  auto without = [&] {
    CHECK_FALSE(r.next(came));
    return *r.core.next_deadline();
  };
  auto before = without();
  auto id = r.admit(came, 3, {.timeout = 13ms});
  CHECK(without() < before);
  r.cancel(came, id);
  CHECK(without() == before);
}

TEST_CASE("the deadline of one that shares another's place counts as well") {
  trained_rig r{adaptive(), 2, by_tens()};
  r.send_one();
  auto came = r.now + 1ms;
  r.admit(came, 20);
  r.admit(came, 21, {.timeout = 13ms});
  CHECK_FALSE(r.next(came));
  CHECK(*r.core.next_deadline() <= came + 13ms - batch_time);
}

TEST_CASE("adaptive may be chosen, and left, while batches are out") {
  trained_rig r{adaptive()};
  auto b = r.send_one();
  r.admit(r.now + 1ms, 2);
  REQUIRE_FALSE(r.next(r.now + 1ms));
  r.core.reconfigure(r.now + 1ms, {.max_batch_items = 64, .max_delay = 3ms});
  CHECK(r.core.next_deadline() == r.now + 4ms);
  r.complete(r.now + 2ms, b);
  r.core.reconfigure(r.now + 2ms, adaptive());
  CHECK(r.take(r.now + 2ms).numbers == range(2, 3)); // all is forgotten
}

TEST_CASE("adaptive learns from when it is chosen") {
  trained_rig r{{.max_batch_items = 64, .max_delay = 0ms}};
  r.core.reconfigure(r.now, adaptive());
  auto first = r.send_one();
  r.admit(r.now, 2);
  auto second = r.take(r.now); // it knows nothing yet
  r.complete(r.now + 10ms, first);
  r.complete(r.now += 10ms, second);
  r.train();
  r.send_one();
  r.admit(r.now + 1ms, 2);
  CHECK_FALSE(r.next(r.now + 1ms));
}
