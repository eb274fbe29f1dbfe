// SPDX-License-Identifier: BSD-3-Clause
//
// One record for every item in the core, wherever it is: which lists it stands in, when it came and
// when it must go. Knows nothing of the item itself and decides nothing.
//
// Records live in slots that are reused; a name (`item_id`) is slot and generation, so that a stale
// name finds nothing. Lists are intrusive and by slot number: taking an item out of the middle is
// O(1), and nothing is allocated per item once the table has grown.

#pragma once

#include "batcher/item.hpp"
#include "batcher/time.hpp"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace batcher {

class lane;
struct tenant;

/// Number of a slot.
using slot_number = std::uint32_t;
inline constexpr slot_number no_slot = UINT32_MAX;

/// Number of a group of items that share a place.
using group_number = std::uint32_t;
inline constexpr group_number no_group = UINT32_MAX;

/// Where an item is.
enum class item_place : std::uint8_t {
  /// Nowhere: the slot is free.
  none,
  /// In its lane.
  queued,
  /// In a batch that failed and waits to run again.
  to_retry,
  /// In a batch that a worker holds.
  in_flight,
  /// Nowhere of its own: it shares the place of an identical item.
  following,
};

/// A doubly linked list of slots.
struct slot_list {
  slot_number front = no_slot;
  slot_number back = no_slot;
  [[nodiscard]] bool is_empty() const noexcept { return front == no_slot; }
};

/// Neighbours in a `slot_list`.
struct slot_links {
  slot_number previous = no_slot;
  slot_number next = no_slot;
};

struct item_record {
  /// When it reached the batcher.
  time_point arrival;
  /// What its window counts from and its lane is ordered by: its arrival, or that of an identical
  /// item whose place it has taken.
  time_point since;
  /// When it expires; `time_point::max()` for never.
  time_point deadline = time_point::max();
  std::size_t cost = 1;
  batcher::lane* lane = nullptr;
  batcher::tenant* tenant = nullptr; // while queued
  /// Among the items of the same tenant and priority, while queued; among those that share a place,
  /// while following.
  slot_links in_line;
  /// Among all items of the lane, oldest first, while queued.
  slot_links in_lane;
  /// While in a batch: which, and where in it.
  std::uint64_t batch = 0;
  std::uint32_t position = 0;
  std::uint32_t generation = 0;
  /// Those that share this item's place, or whose place it shares.
  group_number group = no_group;
  std::uint8_t priority = 0;
  item_place place = item_place::none;
};

/// The records. Slots are numbered from 0 without gaps.
class item_table {
public:
  /// Returns a free slot whose record is as new but for its generation.
  slot_number take();

  /// Frees a slot. Its names become stale.
  void free(slot_number slot);

  [[nodiscard]] item_record& operator[](slot_number slot) { return records_[slot]; }
  [[nodiscard]] const item_record& operator[](slot_number slot) const { return records_[slot]; }

  [[nodiscard]] item_id name_of(slot_number slot) const noexcept {
    return std::uint64_t{records_[slot].generation} << 32 | slot;
  }

  /// Returns the slot of that name, `no_slot` if its item has left.
  [[nodiscard]] slot_number find(item_id id) const noexcept;

  /// Returns how many slots are taken.
  [[nodiscard]] std::size_t items() const noexcept { return taken_; }

  // -- lists --------------------------------------------------------------------------------------

  void push_back(slot_list& list, slot_links item_record::*links, slot_number slot);
  void remove(slot_list& list, slot_links item_record::*links, slot_number slot);
  /// Puts `slot` where `old` is.
  void replace(slot_list& list, slot_links item_record::*links, slot_number old, slot_number slot);

  // -- places that are shared ---------------------------------------------------------------------

  /// Lets `slot` share the place of `leader`, behind those that do already.
  void follow(slot_number leader, slot_number slot);

  [[nodiscard]] bool has_followers(slot_number leader) const noexcept {
    auto& record = records_[leader];
    return record.group != no_group && record.place != item_place::following;
  }

  /// Ends the following of an item.
  void unfollow(slot_number slot);

  /// Ends the following of the first one that shares the place of `leader`, and returns it;
  /// `no_slot` if there is none.
  slot_number take_follower(slot_number leader);

  /// The same, but the others share the place of that one from now on.
  slot_number promote(slot_number leader);

private:
  struct group {
    slot_number leader = no_slot;
    slot_list followers;
  };

  std::vector<item_record> records_;
  slot_number first_free_ = no_slot; // linked by in_line.next
  std::vector<group> groups_;
  std::vector<group_number> free_groups_;
  std::size_t taken_ = 0;
};

// Several times for each item, so they are inline.

inline slot_number item_table::take() {
  ++taken_;
  if (first_free_ == no_slot) {
    records_.emplace_back().generation = 1;
    return static_cast<slot_number>(records_.size() - 1);
  }
  auto slot = first_free_;
  auto& record = records_[slot];
  first_free_ = record.in_line.next;
  auto generation = record.generation;
  record = {};
  record.generation = generation;
  return slot;
}

inline void item_table::free(slot_number slot) {
  auto& record = records_[slot];
  assert(taken_ > 0);
  --taken_;
  record.place = item_place::none;
  if (++record.generation == 0) record.generation = 1; // no name is 0
  record.in_line.next = first_free_;
  first_free_ = slot;
}

inline void item_table::push_back(slot_list& list, slot_links item_record::*links,
                                  slot_number slot) {
  auto& own = records_[slot].*links;
  own = {.previous = list.back, .next = no_slot};
  if (list.back == no_slot)
    list.front = slot;
  else
    (records_[list.back].*links).next = slot;
  list.back = slot;
}

inline void item_table::remove(slot_list& list, slot_links item_record::*links, slot_number slot) {
  auto [previous, next] = records_[slot].*links;
  if (previous == no_slot)
    list.front = next;
  else
    (records_[previous].*links).next = next;
  if (next == no_slot)
    list.back = previous;
  else
    (records_[next].*links).previous = previous;
}

inline slot_number item_table::take_follower(slot_number leader) {
  if (!has_followers(leader)) return no_slot;
  auto first = groups_[records_[leader].group].followers.front;
  unfollow(first);
  return first;
}

} // namespace batcher
