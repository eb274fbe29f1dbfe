// SPDX-License-Identifier: BSD-3-Clause
//
// Slots: names that go stale, records that come back as new, and lists that items leave anywhere.

#include "batcher/item_table.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

slot_number take_queued(item_table& table) {
  auto slot = table.take();
  table[slot].place = item_place::queued;
  return slot;
}

// Front to back, and checked to be the same from back to front.
std::vector<slot_number> members(const item_table& table, const slot_list& list) {
  std::vector<slot_number> out;
  for (auto s = list.front; s != no_slot; s = table[s].in_line.next) out.push_back(s);
  std::vector<slot_number> back;
  for (auto s = list.back; s != no_slot; s = table[s].in_line.previous) back.push_back(s);
  std::reverse(back.begin(), back.end());
  CHECK(out == back);
  CHECK(list.is_empty() == out.empty());
  return out;
}

} // namespace

TEST_CASE("slots are numbered without gaps and freed ones are used again") {
  item_table table;
  CHECK(table.items() == 0);
  for (slot_number i = 0; i < 4; ++i) CHECK(take_queued(table) == i);
  table.free(1);
  table.free(3);
  CHECK(table.items() == 2);
  std::vector<slot_number> again{take_queued(table), take_queued(table)};
  std::sort(again.begin(), again.end());
  CHECK(again == std::vector<slot_number>{1, 3});
  CHECK(take_queued(table) == 4);
  CHECK(table.items() == 5);
}

TEST_CASE("a name finds its item, and nobody once that has left") {
  item_table table;
  auto slot = take_queued(table);
  auto name = table.name_of(slot);
  CHECK(name != 0);
  CHECK(table.find(name) == slot);
  table.free(slot);
  CHECK(table.find(name) == no_slot);
  REQUIRE(take_queued(table) == slot);
  CHECK(table.find(name) == no_slot);
  CHECK(table.name_of(slot) != name);
  CHECK(table.find(table.name_of(slot)) == slot);
}

TEST_CASE("an item that is nowhere any more is not found, though its slot is not free yet") {
  item_table table;
  auto slot = take_queued(table);
  auto name = table.name_of(slot);
  table[slot].place = item_place::none;
  CHECK(table.find(name) == no_slot);
  CHECK(table.items() == 1);
}

TEST_CASE("names that were never given find nothing") {
  item_table table;
  CHECK(table.find(0) == no_slot);
  take_queued(table);
  CHECK(table.find(0) == no_slot);
  CHECK(table.find(UINT64_MAX) == no_slot);
  CHECK(table.find(std::uint64_t{1} << 32 | 1) == no_slot);
}

TEST_CASE("after the last generation of a slot its name is still not 0") {
  item_table table;
  auto slot = take_queued(table);
  REQUIRE(slot == 0);
  table[slot].generation = UINT32_MAX;
  table.free(slot);
  REQUIRE(take_queued(table) == slot);
  CHECK(table.name_of(slot) != 0);
}

TEST_CASE("a slot that is used again has a record as new") {
  item_table table;
  auto slot = take_queued(table);
  auto& used = table[slot];
  used.arrival = time_point{1h};
  used.deadline = time_point{3h};
  used.cost = 7;
  used.batch = 9;
  used.group = 5;
  used.priority = 3;
  table.free(slot);
  REQUIRE(table.take() == slot);
  auto& record = table[slot];
  CHECK(record.arrival == time_point{});
  CHECK(record.deadline == time_point::max());
  CHECK(record.cost == 1);
  CHECK(record.batch == 0);
  CHECK(record.group == no_group);
  CHECK(record.priority == 0);
  CHECK(record.place == item_place::none);
}

TEST_CASE("an item leaves a list from the front, the middle and the back") {
  item_table table;
  slot_list list;
  for (int i = 0; i < 5; ++i) table.push_back(list, &item_record::in_line, take_queued(table));
  CHECK(members(table, list) == std::vector<slot_number>{0, 1, 2, 3, 4});
  table.remove(list, &item_record::in_line, 0);
  CHECK(members(table, list) == std::vector<slot_number>{1, 2, 3, 4});
  table.remove(list, &item_record::in_line, 2);
  CHECK(members(table, list) == std::vector<slot_number>{1, 3, 4});
  table.remove(list, &item_record::in_line, 4);
  CHECK(members(table, list) == std::vector<slot_number>{1, 3});
  table.remove(list, &item_record::in_line, 1);
  table.remove(list, &item_record::in_line, 3);
  CHECK(members(table, list).empty());
  table.push_back(list, &item_record::in_line, 2);
  CHECK(members(table, list) == std::vector<slot_number>{2});
}

TEST_CASE("one item takes the place of another anywhere in a list") {
  for (slot_number place = 0; place < 3; ++place) {
    item_table table;
    slot_list list;
    for (int i = 0; i < 3; ++i) table.push_back(list, &item_record::in_line, take_queued(table));
    auto heir = take_queued(table);
    table.replace(list, &item_record::in_line, place, heir);
    std::vector<slot_number> expected{0, 1, 2};
    expected[place] = heir;
    CHECK(members(table, list) == expected);
  }
  item_table table;
  slot_list list;
  table.push_back(list, &item_record::in_line, take_queued(table));
  table.replace(list, &item_record::in_line, 0, take_queued(table));
  CHECK(members(table, list) == std::vector<slot_number>{1});
}

TEST_CASE("the two lists that an item stands in do not know each other") {
  item_table table;
  slot_list line;
  slot_list lane;
  for (int i = 0; i < 3; ++i) {
    auto slot = take_queued(table);
    table.push_back(line, &item_record::in_line, slot);
    table.push_back(lane, &item_record::in_lane, slot);
  }
  table.remove(lane, &item_record::in_lane, 1);
  CHECK(members(table, line) == std::vector<slot_number>{0, 1, 2});
  CHECK(table[0].in_lane.next == 2);
}

// -- places that are shared -----------------------------------------------------------------------

namespace {

struct sharing {
  sharing() {
    for (auto& slot : slots) {
      slot = table.take();
      table[slot].place = item_place::queued;
    }
    for (auto slot : {slots[1], slots[2], slots[3]}) table.follow(slots[0], slot);
  }

  std::vector<slot_number> take_all(slot_number leader) {
    std::vector<slot_number> out;
    for (;;) {
      auto slot = table.take_follower(leader);
      if (slot == no_slot) return out;
      out.push_back(slot);
    }
  }

  item_table table;
  std::array<slot_number, 4> slots;
};

using numbers = std::vector<slot_number>;

} // namespace

TEST_CASE("followers are taken in the order in which they came") {
  sharing s;
  CHECK(s.table.has_followers(s.slots[0]));
  CHECK_FALSE(s.table.has_followers(s.slots[1]));
  CHECK(s.take_all(s.slots[0]) == numbers{s.slots[1], s.slots[2], s.slots[3]});
  CHECK_FALSE(s.table.has_followers(s.slots[0]));
}

TEST_CASE("one that ends its following leaves the others where they are") {
  sharing s;
  s.table.unfollow(s.slots[2]);
  CHECK(s.take_all(s.slots[0]) == numbers{s.slots[1], s.slots[3]});
}

TEST_CASE("the first to come takes over, and the others follow it") {
  sharing s;
  CHECK(s.table.promote(s.slots[0]) == s.slots[1]);
  s.table[s.slots[1]].place = item_place::queued;
  CHECK_FALSE(s.table.has_followers(s.slots[0]));
  CHECK(s.take_all(s.slots[1]) == numbers{s.slots[2], s.slots[3]});
  CHECK(s.table.promote(s.slots[1]) == no_slot);
}
