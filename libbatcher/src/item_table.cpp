// SPDX-License-Identifier: BSD-3-Clause
//
// Slots and the lists that run through them.

#include "batcher/item_table.hpp"

#include <cassert>
#include <utility>

namespace batcher {

slot_number item_table::find(item_id id) const noexcept {
  auto slot = static_cast<slot_number>(id);
  if (slot >= records_.size()) return no_slot;
  auto& record = records_[slot];
  bool is_current = record.generation == id >> 32 && record.place != item_place::none;
  return is_current ? slot : no_slot;
}

void item_table::replace(slot_list& list, slot_links item_record::*links, slot_number old,
                         slot_number slot) {
  auto [previous, next] = records_[slot].*links = records_[old].*links;
  if (previous == no_slot)
    list.front = slot;
  else
    (records_[previous].*links).next = slot;
  if (next == no_slot)
    list.back = slot;
  else
    (records_[next].*links).previous = slot;
}

void item_table::follow(slot_number leader, slot_number slot) {
  auto& number = records_[leader].group;
  if (number == no_group) {
    if (free_groups_.empty()) {
      free_groups_.push_back(static_cast<group_number>(groups_.size()));
      groups_.emplace_back();
    }
    number = free_groups_.back();
    free_groups_.pop_back();
    groups_[number] = {.leader = leader, .followers = {}};
  }
  records_[slot].group = number;
  records_[slot].place = item_place::following;
  push_back(groups_[number].followers, &item_record::in_line, slot);
}

void item_table::unfollow(slot_number slot) {
  auto number = std::exchange(records_[slot].group, no_group);
  auto& [leader, followers] = groups_[number];
  remove(followers, &item_record::in_line, slot);
  if (!followers.is_empty()) return;
  records_[leader].group = no_group;
  free_groups_.push_back(number);
}

slot_number item_table::promote(slot_number leader) {
  auto number = records_[leader].group;
  auto heir = take_follower(leader);
  if (heir == no_slot || !has_followers(leader)) return heir;
  groups_[number].leader = heir;
  records_[heir].group = std::exchange(records_[leader].group, no_group);
  return heir;
}

} // namespace batcher
