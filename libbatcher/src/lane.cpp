// SPDX-License-Identifier: BSD-3-Clause
//
// The order within a lane.

#include "batcher/lane.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>
#include <utility>

namespace batcher {

namespace {

std::uint32_t weight_of(const order_rules& rules, const std::string& name) {
  auto it = rules.tenant_weights.find(name);
  return it == rules.tenant_weights.end() ? 1 : it->second;
}

// At least 1, or a tenant whose items cost nothing would keep its turn for ever.
std::size_t price_of(const item_record& record) noexcept {
  return std::max<std::size_t>(record.cost, 1);
}

// What a tenant may spend in its next turn. Held at the largest number, since a cost may be any: a
// credit that wraps around would never suffice.
std::size_t credited(const tenant& t, std::size_t quantum) noexcept {
  constexpr auto most = std::numeric_limits<std::size_t>::max();
  return quantum > (most - t.deficit) / t.weight ? most : t.deficit + t.weight * quantum;
}

} // namespace

lane::lane(std::string key, item_table& table, const order_rules& rules)
  : table_{&table}, rules_{&rules}, key_{std::move(key)} {}

void lane::push(std::span<const slot_number> slots, std::string_view tenant_name) {
  auto& payer = *find_or_add(tenant_name);
  auto& first = (*table_)[slots.front()];
  bool has_priorities = rules_->priority_head_start > duration::zero();
  auto priority = has_priorities ? first.priority : std::uint8_t{0};
  if (is_empty()) {
    line_ = priority;
    largest_cost_ = 1;
  } else if (!is_mixed_ && (priority != line_ || turns_.size() > 1)) {
    mix();
  }
  auto& line = payer.lines[priority];
  for (auto slot : slots) {
    auto& record = (*table_)[slot];
    record.lane = this;
    record.tenant = &payer;
    record.place = item_place::queued;
    record.priority = priority;
    table_->push_back(line, &item_record::in_line, slot);
    if (is_mixed_) table_->push_back(by_age_, &item_record::in_lane, slot);
    // Halved in about eleven items without one so large, so that a single one does not make turns
    // long for ever.
    largest_cost_ = std::max(price_of(record), largest_cost_ - largest_cost_ / 16);
  }
  payer.occupied |= static_cast<std::uint8_t>(1u << priority);
  payer.items += slots.size();
  items_ += slots.size();
  cost_ += slots.size() * first.cost;
}

// Precondition: all items are in the line of one tenant and priority.
void lane::mix() {
  is_mixed_ = true;
  by_age_ = {};
  for (auto& t : turns_)
    for (auto slot = t.lines[line_].front; slot != no_slot; slot = (*table_)[slot].in_line.next)
      table_->push_back(by_age_, &item_record::in_lane, slot);
}

slot_number lane::peek_in_turn() {
  for (;;) {
    auto& t = turns_.front();
    if (t.occupied != 0) {
      auto slot = front_of(t);
      auto quantum = std::max(largest_cost_, price_of((*table_)[slot]));
      if (!t.has_turn) t.deficit = credited(t, quantum);
      t.has_turn = true;
      if (price_of((*table_)[slot]) <= t.deficit) return slot;
    }
    t.has_turn = false;
    turns_.splice(turns_.end(), turns_, turns_.begin());
  }
}

void lane::take_line(std::size_t most, std::vector<slot_number>& to) {
  if (!is_one_line() || turns_.size() != 1 || is_empty()) return;
  auto& payer = turns_.front();
  auto& line = payer.lines[line_];
  auto taken = std::min(most, items_);
  auto slot = line.front;
  for (auto left = taken; left > 0; --left) {
    auto& record = (*table_)[slot];
    record.tenant = nullptr;
    cost_ -= record.cost;
    to.push_back(slot);
    slot = record.in_line.next;
  }
  items_ -= taken;
  payer.items -= taken;
  line.front = slot;
  if (slot != no_slot) {
    (*table_)[slot].in_line.previous = no_slot;
    return;
  }
  line.back = no_slot;
  payer.occupied = 0;
  drop_empty(payer);
}

void lane::remove(slot_number slot) { unlink(slot); }

void lane::replace(slot_number old, slot_number slot) {
  auto& left = (*table_)[old];
  auto& record = (*table_)[slot];
  record.tenant = std::exchange(left.tenant, nullptr);
  record.priority = left.priority;
  table_->replace(record.tenant->lines[record.priority], &item_record::in_line, old, slot);
  if (is_mixed_) table_->replace(by_age_, &item_record::in_lane, old, slot);
}

void lane::update_weights() {
  for (auto& t : turns_) t.weight = weight_of(*rules_, t.name);
}

time_point lane::filled_since(std::size_t items, std::size_t cost) const noexcept {
  if (items == items_ && cost == std::numeric_limits<std::size_t>::max())
    return (*table_)[ages().back].since;
  auto links = is_mixed_ ? &item_record::in_lane : &item_record::in_line;
  std::size_t sum = 0;
  for (auto slot = ages().front;; slot = ((*table_)[slot].*links).next) {
    auto& record = (*table_)[slot];
    sum += record.cost;
    auto is_last = (record.*links).next == no_slot;
    if (--items == 0 || sum >= cost || is_last) return record.since;
  }
}

time_point lane::earliest_deadline() const noexcept {
  auto earliest = time_point::max();
  auto links = is_mixed_ ? &item_record::in_lane : &item_record::in_line;
  for (auto slot = ages().front; slot != no_slot; slot = ((*table_)[slot].*links).next)
    earliest = std::min(earliest, (*table_)[slot].deadline);
  return earliest;
}

std::size_t lane::items_of(std::string_view tenant_name) const {
  auto* t = find(tenant_name);
  return t ? t->items : 0;
}

slot_number lane::oldest_of(std::string_view tenant_name) const {
  auto* t = find(tenant_name);
  return t ? oldest_of(*t) : no_slot;
}

slot_number lane::oldest_of(const tenant& t) const {
  auto oldest = no_slot;
  for (unsigned left = t.occupied; left != 0; left &= left - 1) {
    auto slot = t.lines[static_cast<std::size_t>(std::countr_zero(left))].front;
    bool is_older = oldest == no_slot || (*table_)[slot].since < (*table_)[oldest].since;
    if (is_older) oldest = slot;
  }
  return oldest;
}

slot_number lane::first_to_drop() const {
  if (turns_.size() == 1) return oldest();
  auto is_lighter = [](const tenant& x, const tenant& y) {
    return x.items * y.weight < y.items * x.weight;
  };
  return oldest_of(*std::max_element(turns_.begin(), turns_.end(), is_lighter));
}

const tenant* lane::find(std::string_view name) const {
  if (!turns_.empty() && turns_.front().name == name) return &turns_.front();
  if (turns_.size() <= 1) return nullptr;
  auto it = by_name_.find(std::string{name});
  return it == by_name_.end() ? nullptr : &*it->second;
}

lane::tenants::iterator lane::find_or_add(std::string_view name) {
  if (!turns_.empty() && is_same(turns_.front().name, name)) return turns_.begin();
  if (turns_.size() == 1 && turns_.front().occupied == 0) {
    turns_.clear(); // it stayed only because it was the last
    by_name_.clear();
  }
  if (turns_.size() == 1 && by_name_.empty()) by_name_.emplace(turns_.front().name, turns_.begin());
  std::string text{name};
  if (auto it = by_name_.find(text); it != by_name_.end()) return it->second;
  auto added =
    turns_.insert(turns_.end(), tenant{.name = text, .weight = weight_of(*rules_, text)});
  if (turns_.size() > 1) by_name_.emplace(std::move(text), added);
  return added;
}

slot_number lane::first_of_many(const tenant& t) const {
  auto best = no_slot;
  auto best_time = time_point::max();
  for (unsigned left = t.occupied; left != 0; left &= left - 1) {
    auto priority = std::countr_zero(left);
    auto slot = t.lines[static_cast<std::size_t>(priority)].front;
    auto virtual_time = (*table_)[slot].since - priority * rules_->priority_head_start;
    // Of two at the same time the lower priority came first, and it is looked at first.
    if (best != no_slot && virtual_time >= best_time) continue;
    best = slot;
    best_time = virtual_time;
  }
  return best;
}

void lane::drop_empty(tenant& t) {
  t.deficit = 0;
  t.has_turn = false;
  if (turns_.size() == 1) return;
  auto it = by_name_.find(t.name);
  assert(it != by_name_.end());
  turns_.erase(it->second);
  by_name_.erase(it);
  if (turns_.size() > 1) return;
  // The last one needs no turns.
  turns_.front().deficit = 0;
  turns_.front().has_turn = false;
}

} // namespace batcher
