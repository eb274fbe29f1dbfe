// SPDX-License-Identifier: BSD-3-Clause
//
// Lanes: which there are, when each becomes due, and whose turn it is.

#include "batcher/batch_queue.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

struct fixture {
  explicit fixture(options o) : opts{std::move(o)} {}

  slot_number push(time_point now, std::string_view key, std::size_t cost = 1) {
    auto* to = queue.lane_of(key);
    REQUIRE(to);
    auto slot = table.take();
    table[slot].arrival = table[slot].since = now;
    table[slot].cost = cost;
    queue.push(now, *to, slot, "");
    return slot;
  }

  slot_number pop(lane& from, std::size_t room = SIZE_MAX) {
    auto slot = queue.peek(from, room);
    if (slot != no_slot) queue.take(from, slot, true);
    return slot;
  }

  // Takes a whole batch out of the lane whose turn it is; it stays with the workers.
  std::string take(time_point now) {
    auto* due = queue.next_due(now);
    if (!due) return "nobody";
    for (std::size_t i = 0; i < opts.max_batch_items; ++i)
      if (pop(*due) == no_slot) break;
    ++due->batches;
    queue.end_turn(now, *due);
    return due->key();
  }

  void give_back(time_point now, std::string_view key) {
    auto* of = queue.lane_of(key);
    --of->batches;
    queue.update(now, *of);
  }

  options opts;
  item_table table;
  batch_queue queue{opts, table};
};

options pairs() { return {.max_batch_items = 2, .max_delay = 10ms, .max_lanes = 3}; }

} // namespace

TEST_CASE("a queue without items has no lane and nothing due") {
  fixture f{pairs()};
  CHECK(f.queue.items() == 0);
  CHECK(f.queue.lanes() == 0);
  CHECK_FALSE(f.queue.longest());
  CHECK_FALSE(f.queue.next_due(start + 1h));
  CHECK_FALSE(f.queue.next_due_at());
  CHECK_FALSE(f.queue.oldest());
}

TEST_CASE("items, cost and age are those of all lanes") {
  fixture f{pairs()};
  auto a = f.push(start, "a", 3);
  f.push(start + 1ms, "b", 5);
  auto c = f.push(start + 2ms, "b", 7);
  CHECK(f.queue.items() == 3);
  CHECK(f.queue.cost() == 15);
  CHECK(f.queue.lanes() == 2);
  CHECK(f.queue.oldest() == start);
  CHECK(f.queue.longest()->key() == "b");
  f.queue.remove(start + 3ms, a);
  f.queue.remove(start + 3ms, c);
  CHECK(f.queue.items() == 1);
  CHECK(f.queue.cost() == 5);
  CHECK(f.queue.oldest() == start + 1ms);
}

TEST_CASE("a lane becomes due when its window ends and not an instant before") {
  fixture f{pairs()};
  f.push(start, "a");
  CHECK(f.queue.next_due_at() == start + 10ms);
  CHECK_FALSE(f.queue.next_due(start + 10ms - 1ns));
  auto* due = f.queue.next_due(start + 10ms);
  REQUIRE(due);
  auto decision = f.queue.decide(*due, start + 12ms);
  CHECK(decision.close);
  CHECK(decision.reason == close_reason::deadline);
  CHECK(decision.ready_at == start + 10ms);
}

TEST_CASE("a lane is due at once when a batch is full, since its last item came") {
  fixture f{pairs()};
  f.push(start, "a");
  f.push(start + 3ms, "a");
  f.push(start + 4ms, "a");
  CHECK(f.queue.next_due_at() == time_point::min());
  auto* due = f.queue.next_due(start + 4ms);
  REQUIRE(due);
  auto decision = f.queue.decide(*due, start + 4ms);
  CHECK(decision.reason == close_reason::size);
  CHECK(decision.ready_at == start + 3ms);
}

TEST_CASE("a lane is due at once when its cost is enough") {
  auto opts = pairs();
  opts.max_batch_items = 64;
  opts.max_batch_cost = 10;
  fixture f{opts};
  f.push(start, "a", 6);
  CHECK_FALSE(f.queue.next_due(start));
  f.push(start, "a", 6);
  auto* due = f.queue.next_due(start);
  REQUIRE(due);
  CHECK(f.queue.decide(*due, start).reason == close_reason::cost);
  CHECK(f.pop(*due, 6) != no_slot);
  CHECK(f.pop(*due, 5) == no_slot); // stays, in front
  CHECK(f.queue.items() == 1);
  f.queue.end_turn(start, *due);
  CHECK_FALSE(f.queue.next_due(start));
  CHECK(f.queue.next_due_at() == start + 10ms);
}

TEST_CASE("a lane that loses its oldest item waits for the window of the next") {
  fixture f{pairs()};
  auto a = f.push(start, "a");
  auto b = f.push(start + 4ms, "a");
  REQUIRE(f.queue.next_due(start + 4ms));
  f.queue.remove(start + 5ms, a);
  CHECK_FALSE(f.queue.next_due(start + 5ms));
  CHECK(f.queue.next_due_at() == start + 14ms);
  f.queue.remove(start + 6ms, b);
  CHECK_FALSE(f.queue.next_due_at());
}

TEST_CASE("due lanes take turns, a batch each") {
  fixture f{pairs()};
  for (int i = 0; i < 6; ++i) f.push(start, "a");
  for (int i = 0; i < 2; ++i) f.push(start, "b");
  for (int i = 0; i < 4; ++i) f.push(start, "c");
  std::string turns;
  for (int i = 0; i < 7; ++i) turns += f.take(start) + " ";
  CHECK(turns == "a b c a c a nobody ");
}

TEST_CASE("lanes whose windows end take their turns in that order") {
  fixture f{pairs()};
  f.push(start + 2ms, "b");
  f.push(start + 1ms, "c");
  f.push(start, "a");
  CHECK(f.take(start + 12ms) == "a");
  CHECK(f.take(start + 12ms) == "c");
  CHECK(f.take(start + 12ms) == "b");
}

TEST_CASE("lanes whose windows end together take their turns in the order of their first items") {
  auto opts = pairs();
  opts.max_lanes = 100;
  fixture f{opts};
  for (int i = 0; i < 100; ++i) f.push(start, std::to_string(i * 37 % 100));
  for (int i = 0; i < 100; ++i) CHECK(f.take(start + 10ms) == std::to_string(i * 37 % 100));
}

TEST_CASE("with max_lane_batches a lane waits for its own and lets the others go") {
  auto opts = pairs();
  opts.max_lane_batches = 1;
  fixture f{opts};
  for (int i = 0; i < 4; ++i) f.push(start, "a");
  f.push(start, "b");
  f.push(start, "b");
  CHECK(f.take(start) == "a");
  CHECK(f.take(start) == "b");
  CHECK(f.take(start) == "nobody");
  CHECK_FALSE(f.queue.next_due_at());
  f.give_back(start + 5ms, "a");
  CHECK(f.take(start + 5ms) == "a");
}

TEST_CASE("one lane more than max_lanes is refused until one is idle") {
  fixture f{pairs()};
  auto a = f.push(start, "a");
  f.push(start, "b");
  f.push(start, "c");
  CHECK_FALSE(f.queue.lane_of("d"));
  CHECK(f.queue.lane_of("b"));
  f.queue.remove(start, a);
  CHECK(f.queue.lanes() == 2);
  CHECK(f.queue.lane_of("d"));
}

TEST_CASE("a lane that went can come again at once") {
  fixture f{pairs()};
  f.push(start, "b");
  f.queue.remove(start, f.push(start, "a"));
  CHECK(f.queue.lanes() == 1);
  f.push(start, "a");
  CHECK(f.queue.lanes() == 2);
}

TEST_CASE("a lane stays while workers hold a batch of it, or one waits to run again") {
  auto opts = pairs();
  opts.max_lanes = 2;
  fixture f{opts};
  f.push(start, "a");
  f.push(start, "a");
  f.push(start, "b");
  CHECK(f.take(start) == "a");
  CHECK(f.queue.lanes() == 2);
  auto* a = f.queue.lane_of("a");
  ++a->retries;
  f.give_back(start, "a");
  CHECK(f.queue.lanes() == 2);
  CHECK_FALSE(f.queue.lane_of("c"));
  --a->retries;
  f.queue.update(start, *a);
  CHECK(f.queue.lanes() == 1);
  CHECK(f.queue.lane_of("c"));
}

TEST_CASE("an only lane that is idle does not count and makes place for any other") {
  auto opts = pairs();
  opts.max_lanes = 1;
  fixture f{opts};
  f.queue.remove(start, f.push(start, "a"));
  CHECK(f.queue.lanes() == 0);
  f.push(start, "b");
  CHECK(f.queue.lanes() == 1);
  CHECK_FALSE(f.queue.lane_of("a"));
}

TEST_CASE("a drain makes every lane with items due") {
  fixture f{pairs()};
  f.push(start, "a");
  f.push(start, "b");
  CHECK_FALSE(f.queue.next_due(start + 1ms));
  f.queue.update(start + 1ms, start + 1ms);
  auto* due = f.queue.next_due(start + 1ms);
  REQUIRE(due);
  CHECK(f.queue.decide(*due, start + 1ms).reason == close_reason::drain);
  CHECK(f.take(start + 1ms) != f.take(start + 1ms));
  CHECK(f.take(start + 1ms) == "nobody");
}

TEST_CASE("new options give every lane its place anew") {
  fixture f{pairs()};
  f.push(start, "a");
  f.push(start, "b");
  f.push(start, "b");
  f.opts.max_batch_items = 3;
  f.opts.max_delay = 30ms;
  f.queue.update(start, std::nullopt);
  CHECK(f.queue.next_due_at() == start + 30ms);
  CHECK_FALSE(f.queue.next_due(start + 30ms - 1ns));
  f.opts.max_batch_items = 1;
  f.queue.update(start, std::nullopt);
  CHECK(f.queue.next_due(start));
}
