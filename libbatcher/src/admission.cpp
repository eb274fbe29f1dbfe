// SPDX-License-Identifier: BSD-3-Clause
//
// The scheduler: who is admitted, who gives way, who waits for room.

#include "batcher/batch_scheduler.hpp"

#include <algorithm>

namespace batcher {

namespace {

// The shorter of two limits of which zero means none.
duration shorter(duration a, duration b) noexcept {
  if (a == duration::zero()) return b;
  return b == duration::zero() ? a : std::min(a, b);
}

} // namespace

batch_scheduler::admission batch_scheduler::admit(time_point now, const placement& where,
                                                  slot_number leader) {
  now = forward(now);
  counters_->on_request();
  lane* to = nullptr;
  auto loser = no_slot;
  auto refused = check(where);
  if (refused == errc::none && leader == no_slot) refused = find_room(where, to, loser);
  if (refused == errc::none && leader != no_slot) refused = find_room_to_follow();
  if (refused != errc::none) {
    counters_->on_replied(outcome_of(refused), 1);
    return {.refused = refused};
  }
  auto slot = table_.take();
  enter(now, where, slot);
  if (leader == no_slot) {
    queue_.push(now, *to, slot, where.tenant);
    counters_->on_admitted();
  } else {
    follow(leader, slot, where.on_credit);
  }
  set_deadline(now, where, slot, leader);
  auto id = table_.name_of(slot);
  if (loser != no_slot) drop(now, loser);
  return {errc::none, slot, id};
}

std::span<const slot_number> batch_scheduler::admit_run(time_point now, const placement& where,
                                                        std::size_t items) {
  now = forward(now);
  run_.clear();
  if (items == 0 || check(where) != errc::none || where.on_credit) return run_;
  // Without room there is nothing to make a lane for: only one that had items goes by itself.
  if (is_queue_full()) return run_;
  auto* to = queue_.lane_of(where.key);
  if (!to) return run_;
  items = std::min(items, plain_room(where, *to, items));
  if (items == 0) return run_;
  while (run_.size() < items) enter(now, where, run_.emplace_back(table_.take()));
  queue_.push(now, *to, run_, where.tenant);
  if (has_deadline(where))
    for (auto slot : run_) set_deadline(now, where, slot, no_slot);
  counters_->on_request(items);
  counters_->on_admitted(items);
  return run_;
}

bool batch_scheduler::is_queue_full() noexcept {
  auto taken = queue_items() + credit_.held();
  return taken >= queue_room_.reach(taken + 1, opts_.max_queue_items);
}

// How many of so many items may come before a batch is full or somebody has to give way. Where one
// is full already, no worker has been free for it.
std::size_t batch_scheduler::plain_room(const placement& where, const lane& in, std::size_t items) {
  auto left = [](std::size_t limit, std::size_t taken) { return limit - std::min(limit, taken); };
  auto taken = queue_items() + credit_.held();
  auto room = left(queue_room_.reach(taken + items, opts_.max_queue_items), taken);
  if (opts_.max_lane_items != 0) room = std::min(room, left(opts_.max_lane_items, in.items()));
  if (opts_.max_tenant_items != 0)
    room = std::min(room, left(opts_.max_tenant_items, in.items_of(where.tenant)));
  auto until_full = left(trigger_items(opts_), queue_items());
  return until_full > 0 ? std::min(room, until_full) : room;
}

// Fills in the record of a newcomer.
void batch_scheduler::enter(time_point now, const placement& where, slot_number slot) {
  auto& record = table_[slot];
  record.arrival = record.since = now;
  record.cost = where.cost;
  record.priority = where.priority;
}

// Of a newcomer that has its place, or shares that of `leader`.
void batch_scheduler::set_deadline(time_point now, const placement& where, slot_number slot,
                                   slot_number leader) {
  if (!has_deadline(where)) return;
  auto timeout = shorter(opts_.request_timeout, where.timeout);
  auto deadline = table_[slot].deadline = saturating_add(now, timeout);
  item_deadlines_.add(deadline, table_.name_of(slot), table_.items(),
                      [this](auto at, auto name) { return is_item_deadline(at, name); });
  auto& place = table_[leader == no_slot ? slot : leader];
  if (place.place == item_place::queued) queue_.note_deadline(now, *place.lane, deadline);
}

errc batch_scheduler::refuse(time_point now, errc why) {
  forward(now);
  counters_->on_request();
  counters_->on_replied(outcome_of(why), 1);
  return why;
}

errc batch_scheduler::check(const placement& where) const noexcept {
  if (auto refused = refusal(); refused != errc::none) return refused;
  if (where.priority >= priorities) return errc::invalid_request;
  if (where.timeout < duration::zero()) return errc::expired;
  return where.cost > trigger_cost(opts_) ? errc::too_costly : errc::none;
}

// Which lane the item joins, and which item leaves for it. That happens only once the newcomer is
// in, so that a lane that is due and full neither vanishes nor loses its turn.
errc batch_scheduler::find_room(const placement& where, lane*& to, slot_number& loser) {
  bool drops = opts_.overload == overload::drop_oldest;
  bool has_credit = where.on_credit && credit_.held() > 0;
  bool is_full = !has_credit && is_queue_full();
  auto* longest = is_full && drops ? queue_.longest() : nullptr;
  if (is_full && !longest) return errc::queue_full;
  to = queue_.lane_of(where.key);
  if (!to) return errc::too_many_lanes;
  bool is_lane_full = opts_.max_lane_items != 0 && to->items() >= opts_.max_lane_items;
  bool is_tenant_full =
    opts_.max_tenant_items != 0 && to->items_of(where.tenant) >= opts_.max_tenant_items;
  if ((is_lane_full || is_tenant_full) && !drops) return errc::queue_full;
  // The narrowest limit chooses; its item makes room in the wider ones, too.
  if (is_tenant_full)
    loser = to->oldest_of(where.tenant);
  else if (is_lane_full)
    loser = to->first_to_drop();
  else if (longest)
    loser = longest->first_to_drop();
  if (has_credit) static_cast<void>(credit_.use());
  return errc::none;
}

errc batch_scheduler::find_room_to_follow() noexcept {
  auto most = following_room_.reach(following_items_ + 1, opts_.max_queue_items);
  return following_items_ < most ? errc::none : errc::queue_full;
}

void batch_scheduler::drop(time_point now, slot_number loser) {
  queue_.remove(now, loser);
  counters_->on_dequeued(1);
  for (auto slot = loser; slot != no_slot; slot = table_.take_follower(loser))
    depart({.slot = slot, .outcome = errc::dropped});
}

// Needs no room, so what was granted for it is free again.
void batch_scheduler::follow(slot_number leader, slot_number slot, bool on_credit) {
  table_.follow(leader, slot);
  ++following_items_;
  if (on_credit) static_cast<void>(credit_.use());
  counters_->on_coalesced();
}

bool batch_scheduler::cancel(time_point now, item_id id) {
  now = forward(now);
  auto slot = table_.find(id);
  if (slot == no_slot) return false;
  leave_early(now, slot, errc::cancelled);
  return true;
}

void batch_scheduler::ask_credit(time_point now, std::uint64_t ticket, std::size_t items) {
  forward(now);
  credit_.ask(ticket, std::max<std::size_t>(items, 1));
}

std::optional<credit_line::grant> batch_scheduler::next_grant(time_point now) {
  now = forward(now);
  if (refusal() != errc::none) {
    auto ticket = credit_.turn_away();
    if (!ticket) return std::nullopt;
    return credit_line::grant{*ticket, 0};
  }
  auto taken = queue_items() + credit_.held();
  auto room = opts_.max_queue_items - std::min(taken, opts_.max_queue_items);
  return credit_.next_grant(room, saturating_add(now, opts_.credit_lease));
}

} // namespace batcher
