// SPDX-License-Identifier: BSD-3-Clause
//
// The scheduler: what becomes of batches that end, and of items that leave before theirs does.

#include "batcher/batch_scheduler.hpp"
#include "batcher/observer.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace batcher {

// -- departure ------------------------------------------------------------------------------------

void batch_scheduler::depart(const departure& left) {
  auto& place = table_[left.slot].place;
  assert(place != item_place::none);
  if (place == item_place::following) --following_items_;
  place = item_place::none;
  departures_.push_back(left);
  if (left.outcome != errc::none) counters_->on_replied(outcome_of(left.outcome), 1);
}

// With all that share their places.
void batch_scheduler::depart_all(const batch_slots& slots, errc outcome) {
  for (auto leader : slots) {
    for (auto slot = leader; slot != no_slot; slot = table_.take_follower(leader)) {
      arrivals_.push_back(table_[slot].arrival);
      depart({.slot = slot, .outcome = outcome});
    }
  }
}

void batch_scheduler::clear_departures() {
  for (auto& left : departures_) table_.free(left.slot);
  departures_.clear();
}

void batch_scheduler::leave_early(time_point now, slot_number slot, errc why) {
  auto& record = table_[slot];
  auto place = record.place;
  departure left{.slot = slot, .outcome = why};
  if (place == item_place::following) {
    table_.unfollow(slot);
    return depart(left);
  }
  left.heir = promote_follower(slot);
  bool is_last = left.heir == no_slot;
  if (place == item_place::queued) {
    if (is_last)
      queue_.remove(now, slot);
    else
      record.lane->replace(slot, left.heir);
  } else if (place == item_place::in_flight) {
    flights_.at(record.batch).slots[record.position] = left.heir;
    if (is_last) {
      left.batch = record.batch;
      left.position = record.position;
      --in_flight_items_;
      counters_->on_returned(1);
    }
    return depart(left);
  } else {
    auto it = retries_.find(record.batch);
    it->second.slots[record.position] = left.heir;
    if (is_last) {
      --retry_items_;
      retry_cost_ -= record.cost;
    }
    if (live_items(it->second.slots) == 0) forget_retry(now, it);
  }
  if (is_last) counters_->on_dequeued(1);
  depart(left);
}

// Gives the place of an item that leaves to the first of those that share it; the others share it
// with that one.
slot_number batch_scheduler::promote_follower(slot_number leader) {
  auto slot = table_.promote(leader);
  if (slot == no_slot) return no_slot;
  --following_items_;
  auto& left = table_[leader];
  auto& heir = table_[slot];
  heir.since = left.since;
  heir.cost = left.cost;
  heir.lane = left.lane;
  heir.place = left.place;
  heir.batch = left.batch;
  heir.position = left.position;
  return slot;
}

// Lets an item that stands in no list leave if nobody wants it any more, or its deadline does not
// lie behind the horizon. Returns it, or the first of those that share its place and are wanted,
// which gets it.
slot_number batch_scheduler::first_wanted(time_point horizon, slot_number slot) {
  while (slot != no_slot) {
    auto why = why_unwanted(horizon, slot);
    if (why == errc::none) break;
    auto heir = promote_follower(slot);
    depart({.slot = slot, .outcome = why, .heir = heir});
    slot = heir;
  }
  return slot;
}

// -- settling -------------------------------------------------------------------------------------

bool batch_scheduler::complete(time_point now, batch_id id, const batch_report& report) {
  now = forward(now);
  auto node = land(now, id);
  if (node.empty()) return false;
  auto& f = node.mapped();
  if (report.results != f.slots.size()) {
    settle_failed(now, f, errc::result_count_mismatch, report.executed);
  } else {
    workers_.succeeded(f.worker);
    f.lane->turnaround.add(now, now - f.dispatched_at);
    learn(now, f);
    counters_->set_batch_time(report.executed);
    deliver(f, report);
    observe(now, f, errc::none, report.failed.size(), report.executed);
  }
  end_flight(now, std::move(node));
  return true;
}

bool batch_scheduler::fail(time_point now, batch_id id, errc why, duration executed) {
  assert(failure_of(why));
  now = forward(now);
  auto node = land(now, id);
  if (node.empty()) return false;
  settle_failed(now, node.mapped(), why, executed);
  end_flight(now, std::move(node));
  return true;
}

// Takes a flight out whose worker has come back; nothing if its items have left before. Its lane
// stays until `end_flight`.
batch_scheduler::flights::node_type batch_scheduler::land(time_point now, batch_id id) {
  auto node = flights_.extract(id);
  if (node.empty()) {
    if (!is_closed()) counters_->on_late_answer();
    return node;
  }
  auto& f = node.mapped();
  workers_.release(f.worker);
  note_return(now, f);
  note_outage(now); // the last one may have retired
  if (f.is_given_up) {
    if (!is_closed()) counters_->on_late_answer();
    end_flight(now, std::move(node));
    return {};
  }
  auto live = live_items(f.slots);
  in_flight_items_ -= live;
  counters_->on_returned(live);
  counters_->on_wasted(f.slots.size() - live);
  return node;
}

void batch_scheduler::note_return(time_point now, flight& f) {
  if (!f.lane->forecast && f.expected_at == time_point::max()) return;
  f.occupied = outlook_.forget(now, f.worker, f.dispatched_at, f.expected_at);
  if (!workers_.contains(f.worker)) outlook_.erase(f.worker);
}

void batch_scheduler::learn(time_point now, const flight& f) {
  auto* forecast = f.lane->forecast.get();
  if (!forecast) return;
  auto n = f.slots.size() + f.padding_items;
  outlook_.learn(f.worker, f.occupied, forecast->service.predict(n));
  forecast->service.add(n, f.occupied);
  forecast->settle(now, n);
}

void batch_scheduler::deliver(const flight& f, const batch_report& report) {
  bool is_observed = opts_.observer != nullptr;
  auto before = departures_.size();
  departures_.reserve(before + f.slots.size());
  if (is_observed) arrivals_.reserve(f.slots.size());
  std::size_t errors = 0;
  std::uint32_t position = 0;
  auto failed = report.failed.begin();
  for (auto leader : f.slots) {
    bool is_error = failed != report.failed.end() && *failed == position;
    if (is_error) ++failed;
    bool is_shared = leader != no_slot && table_.has_followers(leader);
    for (auto slot = leader, next = no_slot; slot != no_slot; slot = next) {
      next = is_shared ? table_.take_follower(leader) : no_slot;
      auto& record = table_[slot];
      if (record.place == item_place::following) --following_items_;
      record.place = item_place::none;
      if (is_observed) arrivals_.push_back(record.arrival);
      departures_.push_back({.slot = slot, .position = position, .shares_result = next != no_slot});
      errors += is_error;
    }
    ++position;
  }
  counters_->on_replied(outcome::ok, departures_.size() - before - errors);
  counters_->on_replied(outcome::item_error, errors);
}

void batch_scheduler::settle_failed(time_point now, flight& f, errc why, duration executed) {
  counters_->on_failure(*failure_of(why));
  workers_.failed(now, f.worker);
  batch_slots left;
  for (auto slot : f.slots)
    if (slot != no_slot) left.push_back(slot);
  auto step = left.empty() || is_closed() ? retry_step::give_up
                                          : next_step(opts_.on_failure, left.size(), f.attempt);
  if (step != retry_step::give_up && !budget_.spend(step)) {
    counters_->on_retry_denied();
    step = retry_step::give_up;
  }
  if (step == retry_step::give_up) {
    depart_all(left, why);
  } else if (step == retry_step::again) {
    requeue(now, f, std::move(left));
  } else {
    counters_->on_bisection();
    auto middle = left.begin() + static_cast<std::ptrdiff_t>(left.size() / 2);
    requeue(now, f, {left.begin(), middle});
    requeue(now, f, {middle, left.end()});
  }
  observe(now, f, why, 0, executed);
}

void batch_scheduler::requeue(time_point now, const flight& f, batch_slots slots) {
  auto id = ++last_batch_;
  auto oldest = time_point::max();
  for (std::uint32_t i = 0; i < slots.size(); ++i) {
    auto& record = table_[slots[i]];
    record.place = item_place::to_retry;
    record.batch = id;
    record.position = i;
    oldest = std::min(oldest, record.since);
  }
  retry_items_ += slots.size();
  retry_cost_ += cost_of(slots);
  counters_->on_requeued(slots.size());
  ++f.lane->retries;
  retries_.emplace(id, retry_batch{.lane = f.lane,
                                   .ready_at = now,
                                   .oldest = oldest,
                                   .attempt = f.attempt + 1,
                                   .failed_at = f.worker,
                                   .slots = std::move(slots)});
}

// The worker keeps the batch, its items do not wait for it any longer.
void batch_scheduler::give_up(time_point now, batch_id id) {
  auto& f = flights_.at(id);
  f.is_given_up = true;
  given_up_.push_back(id);
  auto live = live_items(f.slots);
  in_flight_items_ -= live;
  counters_->on_returned(live);
  counters_->on_wasted(f.slots.size());
  settle_failed(now, f, errc::batch_timeout, duration::zero());
  f.slots.clear();
}

void batch_scheduler::worker_down(time_point now, worker_id id) {
  now = forward(now);
  if (!workers_.contains(id)) return;
  std::vector<batch_id> lost;
  for (auto& [name, f] : flights_)
    if (f.worker == id) lost.push_back(name);
  for (auto name : lost) {
    auto node = flights_.extract(name);
    auto& f = node.mapped();
    note_return(now, f);
    auto live = live_items(f.slots);
    if (!f.is_given_up) {
      in_flight_items_ -= live;
      counters_->on_returned(live);
      settle_failed(now, f, errc::worker_lost, duration::zero());
    }
    end_flight(now, std::move(node));
  }
  workers_.down(now, id);
  outlook_.erase(id);
  note_outage(now);
}

void batch_scheduler::end_flight(time_point now, flights::node_type node) {
  auto& of = *node.mapped().lane;
  keep(std::move(node));
  --of.batches;
  queue_.update(now, of);
}

void batch_scheduler::observe(time_point now, const flight& f, errc outcome,
                              std::size_t item_errors, duration executed) {
  if (opts_.observer)
    opts_.observer->on_batch({.reason = f.reason,
                              .outcome = outcome,
                              .attempt = f.attempt,
                              .items = f.slots.size(),
                              .item_errors = item_errors,
                              .arrivals = arrivals_,
                              .ready_at = f.ready_at,
                              .dispatched_at = f.dispatched_at,
                              .finished_at = now,
                              .executed = executed});
  arrivals_.clear();
}

} // namespace batcher
