// SPDX-License-Identifier: BSD-3-Clause
//
// The order within a lane: first in, first out; priorities and their bound; tenants by weight.

#include "batcher/lane.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

struct fixture {
  explicit fixture(order_rules r = {.priority_head_start = 100ms, .tenant_weights = {}})
    : rules{std::move(r)} {}

  slot_number push(time_point since, std::uint8_t priority = 0, std::string_view tenant = "",
                   std::size_t cost = 1) {
    auto slot = table.take();
    table[slot].arrival = table[slot].since = since;
    table[slot].priority = priority;
    table[slot].cost = cost;
    queue.push(slot, tenant);
    return slot;
  }

  slot_number pop() {
    auto slot = queue.peek();
    CHECK(queue.peek() == slot); // asking changes nothing
    queue.pop(slot);
    return slot;
  }

  std::vector<slot_number> pop_all() {
    std::vector<slot_number> out;
    while (!queue.is_empty()) out.push_back(pop());
    return out;
  }

  order_rules rules;
  item_table table;
  lane queue{"key", table, rules};
};

using slots = std::vector<slot_number>;

} // namespace

TEST_CASE("items of one tenant and priority leave in the order in which they came") {
  fixture f;
  CHECK(f.queue.is_empty());
  CHECK(f.queue.key() == "key");
  slots pushed;
  for (int i = 0; i < 5; ++i) pushed.push_back(f.push(start + i * 1ms));
  CHECK(f.queue.items() == 5);
  CHECK(f.queue.oldest() == pushed[0]);
  CHECK(f.pop_all() == pushed);
  CHECK(f.queue.is_empty());
}

TEST_CASE("the lane's cost is the sum of those queued") {
  fixture f;
  auto a = f.push(start, 0, "", 3);
  f.push(start, 0, "", 5);
  CHECK(f.queue.cost() == 8);
  f.queue.remove(a);
  CHECK(f.queue.cost() == 5);
  f.pop();
  CHECK(f.queue.cost() == 0);
}

TEST_CASE("the worked trace of the header: b, a, c") {
  fixture f;
  auto a = f.push(start, 0);
  auto b = f.push(start + 50ms, 1);
  auto c = f.push(start + 120ms, 1);
  CHECK(f.pop_all() == slots{b, a, c});
}

TEST_CASE("a priority overtakes up to an instant before its head start and not at it") {
  auto steps = GENERATE(1, 2, 7);
  auto head_start = steps * 100ms;
  auto priority = static_cast<std::uint8_t>(steps);
  {
    fixture f;
    auto low = f.push(start);
    auto high = f.push(start + head_start - 1ns, priority);
    CHECK(f.pop_all() == slots{high, low});
  }
  fixture f;
  auto low = f.push(start);
  auto high = f.push(start + head_start, priority);
  CHECK(f.pop_all() == slots{low, high});
}

TEST_CASE("without a head start priorities have no effect, even at the same instant") {
  fixture f{{.priority_head_start = 0ns, .tenant_weights = {}}};
  slots pushed;
  for (auto p : std::array<std::uint8_t, 5>{3, 0, 7, 0, 1}) pushed.push_back(f.push(start, p));
  CHECK(f.pop_all() == pushed);
}

TEST_CASE("an item in the middle can be taken out, also the one that is next") {
  fixture f;
  auto a = f.push(start);
  auto b = f.push(start, 2);
  auto c = f.push(start);
  f.queue.remove(b);
  CHECK(f.queue.items() == 2);
  CHECK(f.queue.peek() == a);
  f.queue.remove(a);
  CHECK(f.queue.oldest() == c);
  CHECK(f.pop_all() == slots{c});
}

TEST_CASE("an item that takes another's place has its turn and its priority") {
  fixture f;
  f.push(start);
  auto b = f.push(start + 1ms, 3, "t", 4);
  auto c = f.push(start + 2ms, 3, "t");
  f.push(start + 3ms);
  auto heir = f.table.take();
  f.table[heir].since = f.table[b].since;
  f.table[heir].cost = f.table[b].cost;
  f.table[heir].place = item_place::queued;
  f.table[heir].lane = &f.queue;
  f.queue.replace(b, heir);
  CHECK(f.queue.items() == 4);
  CHECK(f.table[heir].priority == 3);
  auto order = f.pop_all();
  CHECK(std::find(order.begin(), order.end(), b) == order.end());
  CHECK(std::find(order.begin(), order.end(), heir) < std::find(order.begin(), order.end(), c));
  CHECK(f.queue.is_empty());
  CHECK(f.queue.cost() == 0);
}

TEST_CASE("tenants share by weight while they compete") {
  fixture f{{.priority_head_start = 0ns, .tenant_weights = {{"gold", 3}}}};
  std::map<slot_number, std::string> owner;
  for (int i = 0; i < 40; ++i) {
    owner[f.push(start, 0, "gold")] = "gold";
    owner[f.push(start, 0, "plain")] = "plain";
  }
  std::map<std::string, int> served;
  for (int i = 0; i < 40; ++i) ++served[owner[f.pop()]];
  CHECK(served["gold"] == 30);
  CHECK(served["plain"] == 10);
}

TEST_CASE("shares are counted in cost, not in items") {
  fixture f{{.priority_head_start = 0ns, .tenant_weights = {}}};
  std::map<slot_number, std::string> owner;
  for (int i = 0; i < 20; ++i) owner[f.push(start, 0, "large", 10)] = "large";
  for (int i = 0; i < 200; ++i) owner[f.push(start, 0, "small", 1)] = "small";
  std::map<std::string, std::size_t> cost;
  for (int i = 0; i < 110; ++i) {
    auto slot = f.pop();
    cost[owner[slot]] += f.table[slot].cost;
    // The bound of the header: three quanta, the largest cost being 10.
    CHECK(cost["large"] <= cost["small"] + 30);
    CHECK(cost["small"] <= cost["large"] + 30);
  }
  CHECK(cost["large"] == 100);
  CHECK(cost["small"] == 100);
}

TEST_CASE("a tenant that comes late owes nothing and is owed nothing") {
  fixture f{{.priority_head_start = 0ns, .tenant_weights = {}}};
  for (int i = 0; i < 20; ++i) f.push(start, 0, "first");
  for (int i = 0; i < 10; ++i) f.pop(); // alone: nobody counts
  std::map<slot_number, bool> is_late;
  for (int i = 0; i < 10; ++i) is_late[f.push(start, 0, "late")] = true;
  int late = 0;
  for (int i = 0; i < 10; ++i) late += is_late.contains(f.pop()) ? 1 : 0;
  CHECK(late == 5);
}

TEST_CASE("items that cost nothing do not keep the turn of their tenant for ever") {
  fixture f{{.priority_head_start = 0ns, .tenant_weights = {}}};
  for (int i = 0; i < 10; ++i) f.push(start, 0, "free", 0);
  auto paid = f.push(start, 0, "paid", 1);
  auto order = f.pop_all();
  CHECK(std::find(order.begin(), order.end(), paid) - order.begin() <= 3);
}

TEST_CASE("a priority has its effect within its tenant only") {
  fixture f;
  auto a = f.push(start, 0, "a");
  auto b = f.push(start, 7, "b");
  CHECK(f.pop_all() == slots{a, b});
}

TEST_CASE("tenants that come and go in every order keep the rest in place") {
  fixture f{{.priority_head_start = 0ns, .tenant_weights = {}}};
  for (int round = 0; round < 3; ++round) {
    auto a = f.push(start, 0, "a");
    auto b = f.push(start, 0, "b");
    auto c = f.push(start, 0, "c");
    f.queue.remove(b);
    auto again = f.push(start, 0, "b");
    CHECK(f.pop_all() == slots{a, c, again});
    auto alone = f.push(start, 0, "d");
    CHECK(f.pop_all() == slots{alone});
  }
}

TEST_CASE("new weights count from the next turn on") {
  fixture f{{.priority_head_start = 0ns, .tenant_weights = {}}};
  std::map<slot_number, std::string> owner;
  for (int i = 0; i < 50; ++i) {
    owner[f.push(start, 0, "a")] = "a";
    owner[f.push(start, 0, "b")] = "b";
  }
  for (int i = 0; i < 10; ++i) f.pop();
  f.rules.tenant_weights = {{"b", 4}};
  f.queue.update_weights();
  std::map<std::string, int> served;
  for (int i = 0; i < 50; ++i) ++served[owner[f.pop()]];
  CHECK(served["a"] == 10);
  CHECK(served["b"] == 40);
}

TEST_CASE("a lane tells since when it has been full, by items or by cost") {
  fixture f;
  for (int i = 0; i < 5; ++i) f.push(start + i * 1ms, 0, "", 2);
  auto unlimited = SIZE_MAX;
  CHECK(f.queue.filled_since(1, unlimited) == start);
  CHECK(f.queue.filled_since(3, unlimited) == start + 2ms);
  CHECK(f.queue.filled_since(5, unlimited) == start + 4ms);
  CHECK(f.queue.filled_since(unlimited, 7) == start + 3ms);
  CHECK(f.queue.filled_since(unlimited, 8) == start + 3ms);
  CHECK(f.queue.filled_since(2, 8) == start + 1ms);
}

TEST_CASE("a tenant's items are counted, and its oldest found, over its priorities") {
  fixture f;
  CHECK(f.queue.items_of("a") == 0);
  CHECK(f.queue.oldest_of("a") == no_slot);
  auto first = f.push(start, 3, "a");
  f.push(start + 1ms, 0, "b");
  auto second = f.push(start + 2ms, 0, "a");
  CHECK(f.queue.items_of("a") == 2);
  CHECK(f.queue.items_of("b") == 1);
  CHECK(f.queue.oldest_of("a") == first);
  f.queue.remove(first);
  CHECK(f.queue.oldest_of("a") == second);
  CHECK(f.queue.items_of("a") == 1);
}

TEST_CASE("costs beyond what a credit can hold still get their turn") {
  fixture f{{.priority_head_start = 0ns, .tenant_weights = {{"a", 2}, {"b", 2}}}};
  constexpr auto huge = std::size_t{1} << 63;
  slots pushed{f.push(start, 0, "a", huge), f.push(start, 0, "b", huge)};
  CHECK(f.pop_all() == pushed);
}
