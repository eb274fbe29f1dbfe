// SPDX-License-Identifier: BSD-3-Clause
//
// The scheduler: which items leave together.

#include "batcher/batch_scheduler.hpp"

#include <algorithm>
#include <limits>

namespace batcher {

void batch_scheduler::take_due(time_point now, lane& due, flight& f) {
  auto decision = queue_.decide(due, now);
  f.lane = &due;
  f.reason = decision.reason;
  f.ready_at = decision.ready_at;
  auto limit = batch_limit(due.items(), opts_);
  // Only where more wait than a batch takes can one take another one's place.
  auto behind = due.items() > limit ? saturating_add(now, due.turnaround.most(now)) : now;
  // The first one always fits: it may have come before the limit was lowered.
  auto room = std::numeric_limits<std::size_t>::max();
  f.slots.reserve(limit);
  if (trigger_cost(opts_) == room) take_line(now, behind, due, limit, f.slots);
  while (f.slots.size() < limit) {
    auto slot = queue_.peek(due, room);
    if (slot == no_slot) {
      if (!due.is_empty() && f.reason == close_reason::size) f.reason = close_reason::cost;
      break;
    }
    auto cost = table_[slot].cost;
    // One that would not be answered in time takes nobody else's place. Without this an overload in
    // which everybody has a deadline ends with all workers busy for nobody.
    bool are_others_enough = due.items() > limit - f.slots.size();
    auto horizon = are_others_enough ? behind : now;
    bool is_wanted = why_unwanted(horizon, slot) == errc::none;
    queue_.take(due, slot, is_wanted || table_.has_followers(slot));
    if (!is_wanted) slot = first_wanted(horizon, slot);
    if (slot == no_slot) {
      counters_->on_dequeued(1);
      continue;
    }
    if (f.slots.empty()) room = trigger_cost(opts_);
    room -= std::min(room, cost);
    f.slots.push_back(slot);
  }
  f.padding_items = padding_of(f.slots.size(), opts_);
}

// The loop in `take_due` at less cost, for items whose order nothing but their arrival decides.
void batch_scheduler::take_line(time_point now, time_point behind, lane& due, std::size_t limit,
                                batch_slots& to) {
  for (std::size_t kept = 0; kept < limit;) {
    queue_.take_line(due, limit - kept, to);
    if (to.size() == kept) return;
    auto waiting = due.items() + to.size() - kept;
    for (auto i = kept; i < to.size(); ++i, --waiting) {
      auto slot = to[i];
      auto horizon = waiting > limit - kept ? behind : now;
      if (why_unwanted(horizon, slot) != errc::none) slot = first_wanted(horizon, slot);
      if (slot == no_slot)
        counters_->on_dequeued(1);
      else
        to[kept++] = slot;
    }
    to.resize(kept);
  }
}

batch_scheduler::retries::iterator batch_scheduler::next_retry() noexcept {
  auto best = retries_.end();
  for (auto it = retries_.begin(); it != retries_.end(); ++it) {
    if (queue_.is_blocked(*it->second.lane)) continue;
    if (best == retries_.end() || it->second.oldest < best->second.oldest) best = it;
  }
  return best;
}

// Without slots: nobody wants its items any more, and the lane may be gone.
void batch_scheduler::take_retry(time_point now, retries::iterator it, flight& f) {
  auto& again = it->second;
  f.lane = again.lane;
  f.reason = close_reason::retry;
  f.ready_at = again.ready_at;
  f.attempt = again.attempt;
  retry_cost_ -= cost_of(again.slots);
  for (auto slot : again.slots) {
    if (slot == no_slot) continue;
    --retry_items_;
    slot = first_wanted(now, slot);
    if (slot == no_slot)
      counters_->on_dequeued(1);
    else
      f.slots.push_back(slot);
  }
  f.padding_items = padding_of(f.slots.size(), opts_);
  if (!f.slots.empty()) ++f.lane->batches;
  forget_retry(now, it);
}

} // namespace batcher
