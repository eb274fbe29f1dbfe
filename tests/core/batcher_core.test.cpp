// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: what the origin of this library promises, what it gets wrong, and the
// corners of each command. The general case is in batcher_core_properties.test.cpp.

#include "batcher/batcher_core.hpp"

#include <catch2/catch.hpp>

#include <numeric>
#include <string>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

// Movable only, as the core promises to manage.
struct item {
  explicit item(int value) : number{std::make_unique<int>(value)} {}
  std::unique_ptr<int> number;
};

using core_type = batcher_core<item>;

struct recorder : observer {
  void on_batch(const batch_record& r) noexcept override {
    last = r;
    arrivals.assign(r.arrivals.begin(), r.arrivals.end());
    ++batches;
  }
  batch_record last;
  std::vector<time_point> arrivals;
  int batches = 0;
};

void admit(core_type& core, time_point now, int from, int to) {
  for (int i = from; i < to; ++i) REQUIRE(core.admit(now, item{i}) == errc::none);
}

std::vector<int> numbers(std::span<const item> items) {
  std::vector<int> out;
  for (auto& x : items) out.push_back(*x.number);
  return out;
}

std::vector<int> range(int from, int to) {
  std::vector<int> out(static_cast<std::size_t>(to - from));
  std::iota(out.begin(), out.end(), from);
  return out;
}

std::vector<std::size_t> sizes(core_type& core, time_point now) {
  std::vector<std::size_t> out;
  while (auto b = core.next_batch(now)) out.push_back(b->items.size());
  return out;
}

} // namespace

// -- the origin's behaviours ----------------------------------------------------------------------

TEST_CASE("ten requests inside the window make one batch of ten, in order") {
  core_type core{{.max_batch_items = 64, .max_delay = 10ms}};
  core.worker_up(1, 1);
  for (int i = 0; i < 10; ++i) admit(core, start + i * 1ms, i, i + 1);
  CHECK_FALSE(core.next_batch(start + 10ms - 1ns));
  CHECK(core.next_deadline() == start + 10ms);
  auto b = core.next_batch(start + 10ms);
  REQUIRE(b);
  CHECK(numbers(b->items) == range(0, 10));
  CHECK_FALSE(core.next_deadline());
}

TEST_CASE("25 requests with a cap of 10 make batches of 10, 10 and 5") {
  core_type core{{.max_batch_items = 10, .max_delay = 10ms}};
  core.worker_up(1, 8);
  admit(core, start, 0, 25);
  CHECK(sizes(core, start) == std::vector<std::size_t>{10, 10});
  CHECK(sizes(core, start + 10ms) == std::vector<std::size_t>{5});
}

TEST_CASE("what is left at the cap waits for the next batch together with newcomers") {
  core_type core{{.max_batch_items = 10, .max_delay = 10ms}};
  core.worker_up(1, 8);
  admit(core, start, 0, 12);
  CHECK(sizes(core, start) == std::vector<std::size_t>{10});
  admit(core, start + 4ms, 12, 15);
  auto b = core.next_batch(start + 10ms);
  REQUIRE(b);
  CHECK(numbers(b->items) == range(10, 15));
}

TEST_CASE("batches overlap as far as workers allow") {
  auto workers = GENERATE(1u, 2u, 3u, 1'000u);
  core_type core{{.max_batch_items = 10, .max_delay = 10ms}};
  for (worker_id id = 0; id < workers; ++id) core.worker_up(id, 1);
  admit(core, start, 0, 50);
  CHECK(sizes(core, start).size() == std::min(workers, 5u));
}

TEST_CASE("a full queue refuses by name and hurts nobody else") {
  core_type core{{.max_batch_items = 2, .max_delay = 10ms, .max_queue_items = 2}};
  admit(core, start, 0, 2);
  item third{2};
  CHECK(core.admit(start, std::move(third)) == errc::queue_full);
  REQUIRE(third.number);
  core.worker_up(1, 1);
  auto b = core.next_batch(start);
  REQUIRE(b);
  CHECK(numbers(b->items) == range(0, 2));
  CHECK(core.admit(start, std::move(third)) == errc::none);
}

TEST_CASE("after a stop a request is refused") {
  core_type core{{}};
  CHECK(core.abandon(start, errc::shut_down).empty());
  CHECK(core.admit(start, item{1}) == errc::shut_down);
}

// -- the origin's defects -------------------------------------------------------------------------

TEST_CASE("the first item never waits longer than the window, whenever the others come") {
  core_type core{{.max_batch_items = 64, .max_delay = 10ms}};
  core.worker_up(1, 1);
  admit(core, start, 0, 1);
  admit(core, start + 9ms, 1, 2);
  CHECK(core.next_deadline() == start + 10ms);
  CHECK(core.next_batch(start + 10ms));
}

TEST_CASE("a forced stop hands back every item, queued and in flight, once") {
  core_type core{{.max_batch_items = 10, .max_delay = 10ms}};
  core.worker_up(1, 1);
  admit(core, start, 0, 25);
  auto b = core.next_batch(start);
  REQUIRE(b);
  auto left = core.abandon(start, errc::shut_down);
  std::vector<int> all;
  for (auto& group : left) {
    CHECK(group.outcome == errc::shut_down);
    for (auto n : numbers(group.items)) all.push_back(n);
  }
  CHECK(all == range(0, 25));
  CHECK(core.complete(start, b->id, {.results = 10}).items.empty());
  CHECK(core.abandon(start, errc::shut_down).empty());
  CHECK(core.is_idle());
}

TEST_CASE("a drain is not over while a batch still runs") {
  core_type core{{.max_batch_items = 10, .max_delay = 10ms}};
  core.worker_up(1, 1);
  admit(core, start, 0, 3);
  core.drain(start, 1s);
  auto b = core.next_batch(start);
  REQUIRE(b);
  CHECK(core.queue_items() == 0);
  CHECK_FALSE(core.is_idle());
  CHECK(core.complete(start + 500ms, b->id, {.results = 3}).items.size() == 3);
  CHECK(core.is_idle());
}

// -- commands -------------------------------------------------------------------------------------

TEST_CASE("a batch whose window is over keeps growing until a worker is free") {
  core_type core{{.max_batch_items = 10, .max_delay = 10ms}};
  core.worker_up(1, 1);
  admit(core, start, 0, 10);
  auto running = core.next_batch(start);
  REQUIRE(running);
  admit(core, start + 1ms, 10, 12);
  CHECK_FALSE(core.next_batch(start + 50ms));
  CHECK_FALSE(core.next_deadline());
  admit(core, start + 60ms, 12, 15);
  CHECK(core.complete(start + 70ms, running->id, {.results = 10}).outcome == errc::none);
  auto late = core.next_batch(start + 70ms);
  REQUIRE(late);
  CHECK(numbers(late->items) == range(10, 15));
}

TEST_CASE("one result too few or too many is the worker's defect, for the whole batch") {
  auto results = GENERATE(0u, 2u, 4u);
  core_type core{{.max_batch_items = 3}};
  core.worker_up(1, 1);
  admit(core, start, 0, 3);
  auto b = core.next_batch(start);
  REQUIRE(b);
  auto back = core.complete(start, b->id, {.results = results, .item_errors = results});
  CHECK(back.outcome == errc::result_count_mismatch);
  CHECK(numbers(back.items) == range(0, 3));
  auto values = core.counters()->read();
  CHECK(values.replies[static_cast<std::size_t>(outcome::result_count_mismatch)] == 3);
  CHECK(values.replied() == 3);
}

TEST_CASE("a lost worker's batches come back and the others go on") {
  core_type core{{.max_batch_items = 2, .max_delay = 10ms}};
  core.worker_up(1, 2);
  core.worker_up(2, 1);
  admit(core, start, 0, 6);
  std::vector<int> of_first;
  std::optional<core_type::batch> of_second;
  while (auto b = core.next_batch(start)) {
    if (b->worker == 2)
      of_second = b;
    else
      for (auto n : numbers(b->items)) of_first.push_back(n);
  }
  REQUIRE(of_second);
  std::vector<int> lost;
  for (auto& group : core.worker_down(start, 1)) {
    CHECK(group.outcome == errc::worker_lost);
    for (auto n : numbers(group.items)) lost.push_back(n);
  }
  CHECK(lost == of_first);
  CHECK(core.complete(start, of_second->id, {.results = 2}).outcome == errc::none);
  CHECK(core.worker_down(start, 1).empty());
}

TEST_CASE("a drain refuses newcomers, waits for no window and answers the rest at its timeout") {
  core_type core{{.max_batch_items = 2, .max_delay = 1s}};
  core.worker_up(1, 1);
  admit(core, start, 0, 1);
  CHECK_FALSE(core.next_batch(start));
  core.drain(start, 100ms);
  CHECK(core.admit(start, item{9}) == errc::draining);
  REQUIRE(core.next_batch(start));
  CHECK(core.next_deadline() == start + 100ms);
  CHECK(core.expire(start + 100ms - 1ns).empty());
  auto left = core.expire(start + 100ms);
  REQUIRE(left.size() == 1);
  CHECK(left[0].outcome == errc::shut_down);
  CHECK(core.is_idle());
  CHECK_FALSE(core.next_deadline());
}

TEST_CASE("a second drain shortens the timeout and never lengthens it") {
  core_type core{{.max_delay = 1s}};
  admit(core, start, 0, 1);
  core.drain(start, 100ms);
  core.drain(start, 1h);
  CHECK(core.next_deadline() == start + 100ms);
  core.drain(start, 50ms);
  CHECK(core.next_deadline() == start + 50ms);
}

TEST_CASE("a drain without a limit never expires") {
  core_type core{{}};
  admit(core, start, 0, 1);
  core.drain(start, duration::max());
  CHECK_FALSE(core.next_deadline());
  CHECK(core.expire(start + 100'000h).empty());
}

TEST_CASE("a clock that runs backwards is held at the latest instant seen") {
  core_type core{{.max_delay = 10ms}};
  core.worker_up(1, 1);
  admit(core, start + 5ms, 0, 1);
  admit(core, start, 1, 2);
  CHECK_FALSE(core.next_batch(start + 14ms));
  CHECK_FALSE(core.next_batch(start));
  CHECK(core.next_batch(start + 15ms));
}

TEST_CASE("the parts of a batch's latency are those of its record") {
  auto seen = std::make_shared<recorder>();
  core_type core{{.max_batch_items = 4, .max_delay = 10ms, .observer = seen}};
  admit(core, start, 0, 1);
  admit(core, start + 3ms, 1, 2);
  core.worker_up(1, 1);
  auto b = core.next_batch(start + 12ms);
  REQUIRE(b);
  static_cast<void>(
    core.complete(start + 20ms, b->id, {.results = 2, .item_errors = 1, .executed = 7ms}));
  CHECK(seen->batches == 1);
  CHECK(seen->last.reason == close_reason::deadline);
  CHECK(seen->last.outcome == errc::none);
  CHECK(seen->last.item_errors == 1);
  CHECK(seen->arrivals == std::vector<time_point>{start, start + 3ms});
  CHECK(seen->last.ready_at == start + 10ms);
  CHECK(seen->last.dispatched_at == start + 12ms);
  CHECK(seen->last.finished_at == start + 20ms);
  CHECK(seen->last.executed == 7ms);
}

TEST_CASE("the counters tell where every request is") {
  core_type core{{.max_batch_items = 2, .max_delay = 10ms, .max_queue_items = 3}};
  core.worker_up(1, 1);
  admit(core, start, 0, 2);
  auto b = core.next_batch(start);
  REQUIRE(b);
  admit(core, start, 2, 5);
  CHECK(core.admit(start, item{9}) == errc::queue_full);
  auto values = core.counters()->read();
  CHECK(values.requests == 6);
  CHECK(values.queue_items == 3);
  CHECK(values.in_flight_items == 2);
  CHECK(values.replied() == 1);
  CHECK(values.batches[static_cast<std::size_t>(close_reason::size)] == 1);
  static_cast<void>(core.complete(start, b->id, {.results = 2, .item_errors = 1}));
  static_cast<void>(core.abandon(start, errc::no_workers));
  values = core.counters()->read();
  CHECK(values.queue_items == 0);
  CHECK(values.in_flight_items == 0);
  CHECK(values.replies[static_cast<std::size_t>(outcome::ok)] == 1);
  CHECK(values.replies[static_cast<std::size_t>(outcome::item_error)] == 1);
  CHECK(values.replies[static_cast<std::size_t>(outcome::no_workers)] == 3);
  CHECK(values.replied() == values.requests);
}
