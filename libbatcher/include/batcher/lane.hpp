// SPDX-License-Identifier: BSD-3-Clause
//
// One lane: the queued items of one key, and which of them is next. Knows neither batches nor
// limits.
//
// Order. Tenants take turns by deficit round robin over cost (Shreedhar and Varghese, SIGCOMM
// 1995): with its turn a tenant is credited its weight times the quantum, the largest cost of
// late, and serves while its credit lasts. So, between two tenants that both always have items
// queued, what was served per unit of weight never differs by more than three quanta. Within a
// tenant, the item with the least
//
//     since - priority * head_start
//
// is next, and equal priorities are first in, first out. So an item is overtaken only by items of a
// priority n higher that come less than n * head_start after it: low priorities wait longer, but at
// most 7 * head_start longer than until everything that came before that instant is served.
//
// Trace (head_start 100 ms): a(priority 0) at 0 ms, b(1) at 50, c(1) at 120. Next is b (-50), then
// a (0), then c (20).

#pragma once

#include "batcher/item.hpp"
#include "batcher/item_table.hpp"
#include "batcher/lane_forecast.hpp"
#include "batcher/time.hpp"
#include "batcher/turnaround.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace batcher {

/// The part of the options that concerns the order within a lane.
struct order_rules {
  duration priority_head_start = duration::zero();
  std::map<std::string, std::uint32_t> tenant_weights = {};
};

/// The queued items of one tenant of a lane.
struct tenant {
  std::string name;
  std::uint32_t weight = 1;
  /// What is queued.
  std::size_t items = 0;
  /// Credit left of its turn. Unit: cost.
  std::size_t deficit = 0;
  bool has_turn = false;
  /// By priority; bit p of `occupied` says that list p is not empty.
  std::array<slot_list, priorities> lines = {};
  std::uint8_t occupied = 0;
};

/// Not safe for concurrent use. `rules` and `table` must outlive it; it never moves.
class lane {
public:
  lane(std::string key, item_table& table, const order_rules& rules);
  lane(const lane&) = delete;
  lane& operator=(const lane&) = delete;

  // -- commands -----------------------------------------------------------------------------------

  /// Appends an item whose record says since when, what it costs and its priority; it must be the
  /// latest. O(1) but for the look-up of the tenant's name.
  void push(slot_number slot, std::string_view tenant_name) { push({&slot, 1}, tenant_name); }

  /// The same for several items whose records say the same.
  void push(std::span<const slot_number> slots, std::string_view tenant_name);

  /// Returns the next item. Precondition: not empty. Amortized O(1).
  [[nodiscard]] slot_number peek() {
    assert(!is_empty());
    return turns_.size() == 1 ? front_of(turns_.front()) : peek_in_turn();
  }

  /// Removes the item that `peek` returned just now, and charges its tenant.
  void pop(slot_number slot);

  /// Removes up to `most` items, as `peek` and `pop` would one after the other, and appends them to
  /// `to`; none if they are of several tenants or priorities.
  void take_line(std::size_t most, std::vector<slot_number>& to);

  /// Removes an item without charging anybody. Precondition: it is queued here.
  void remove(slot_number slot);

  /// Puts `slot`, which is not queued and whose record has cost and since of the place, in the
  /// place of `old`. The priority stays that of the place.
  void replace(slot_number old, slot_number slot);

  /// Takes the weights anew from the rules, which have changed.
  void update_weights();

  // -- queries ------------------------------------------------------------------------------------

  [[nodiscard]] const std::string& key() const noexcept { return key_; }
  [[nodiscard]] std::size_t items() const noexcept { return items_; }
  [[nodiscard]] std::size_t cost() const noexcept { return cost_; }
  [[nodiscard]] bool is_empty() const noexcept { return items_ == 0; }

  /// Returns the item that came first. Precondition: not empty.
  [[nodiscard]] slot_number oldest() const noexcept { return ages().front; }

  /// Returns how many items of a tenant are queued.
  [[nodiscard]] std::size_t items_of(std::string_view tenant_name) const;

  /// Returns the item of a tenant that came first, `no_slot` if there is none.
  [[nodiscard]] slot_number oldest_of(std::string_view tenant_name) const;

  /// Returns the oldest item of the tenant that holds most by its weight: who gives way when the
  /// lane is full. Precondition: not empty. O(tenants).
  [[nodiscard]] slot_number first_to_drop() const;

  /// Returns since when there have been `items` items or a cost of `cost`, whichever came first, in
  /// the order of arrival. Precondition: there are. O(items).
  [[nodiscard]] time_point filled_since(std::size_t items, std::size_t cost) const noexcept;

  /// Returns the earliest deadline of an item. O(items).
  [[nodiscard]] time_point earliest_deadline() const noexcept;

  // -- for batch_queue ----------------------------------------------------------------------------

  /// Where the lane stands among the others.
  enum class standing : std::uint8_t {
    /// Nothing to do, or as many batches with the workers as it may have.
    none,
    /// Waits for its window to end.
    waiting,
    /// Takes its turn.
    due,
  };

  standing stands = standing::none;
  /// While waiting: until when, and in which place among those that wait as long.
  time_point window_end;
  std::uint64_t wait_number = 0;
  /// Its node of the list of due lanes: here while it is not due, and there while it is.
  std::list<lane*> node = {this};
  std::list<lane*>::iterator due_node = {};
  /// Batches that workers hold.
  std::size_t batches = 0;
  /// Batches that wait to run again.
  std::size_t retries = 0;
  /// How long its batches took of late.
  batcher::turnaround turnaround;
  /// With `when_idle::adaptive` only.
  std::unique_ptr<lane_forecast> forecast;

private:
  using tenants = std::list<tenant>;

  [[nodiscard]] const tenant* find(std::string_view name) const;
  [[nodiscard]] slot_number oldest_of(const tenant& t) const;
  tenants::iterator find_or_add(std::string_view name);
  [[nodiscard]] slot_number peek_in_turn();
  [[nodiscard]] slot_number front_of(const tenant& t) const;
  [[nodiscard]] slot_number first_of_many(const tenant& t) const;

  // The items in the order of their age. While all are of one tenant and one priority, their line
  // is that, too, and no other list is kept.
  [[nodiscard]] bool is_one_line() const noexcept { return !is_mixed_; }
  [[nodiscard]] const slot_list& ages() const noexcept {
    return is_mixed_ || turns_.empty() ? by_age_ : turns_.front().lines[line_];
  }
  void mix();
  void unlink(slot_number slot);
  void drop_empty(tenant& t);

  item_table* table_;
  const order_rules* rules_;
  std::string key_;
  slot_list by_age_;      // while mixed
  std::uint8_t line_ = 0; // the priority of all items, while not
  bool is_mixed_ = false;
  std::size_t items_ = 0;
  std::size_t cost_ = 0;
  std::size_t largest_cost_ = 1; // of late
  // Those with queued items, the one whose turn it is in front, and at most one without: the only
  // tenant of a lane stays, since most lanes have no other.
  tenants turns_;
  std::unordered_map<std::string, tenants::iterator> by_name_; // not used while there is only one
};

// Once for each item, so they are inline.

inline slot_number lane::front_of(const tenant& t) const {
  bool is_one = (t.occupied & (t.occupied - 1)) == 0;
  return is_one ? t.lines[static_cast<std::size_t>(std::countr_zero(t.occupied))].front
                : first_of_many(t);
}

inline void lane::pop(slot_number slot) {
  auto& record = (*table_)[slot];
  auto& payer = *record.tenant;
  if (turns_.size() > 1) payer.deficit -= std::max<std::size_t>(record.cost, 1);
  unlink(slot);
}

inline void lane::unlink(slot_number slot) {
  auto& record = (*table_)[slot];
  auto& payer = *record.tenant;
  auto& line = payer.lines[record.priority];
  table_->remove(line, &item_record::in_line, slot);
  if (line.is_empty()) payer.occupied &= static_cast<std::uint8_t>(~(1u << record.priority));
  if (is_mixed_) table_->remove(by_age_, &item_record::in_lane, slot);
  --payer.items;
  if (--items_ == 0) is_mixed_ = false;
  cost_ -= record.cost;
  record.tenant = nullptr;
  if (payer.occupied == 0) drop_empty(payer);
}

} // namespace batcher
