// SPDX-License-Identifier: BSD-3-Clause
//
// The scheduler: dispatch, workers, life. How requests come in is in admission.cpp, which of them
// make up a batch in forming.cpp, what becomes of one that ends in settling.cpp.

#include "batcher/batch_scheduler.hpp"

#include "batcher/observer.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace batcher {

namespace {

// Flights that have ended and are kept for others.
constexpr std::size_t most_spare = 64;

supervision supervision_of(const options& opts) {
  return {.restart_delay = opts.restart_delay,
          .max_restart_delay = opts.max_restart_delay,
          .breaker_failures = opts.breaker_failures};
}

std::shared_ptr<shared_room> part_of(const std::shared_ptr<shared_limits>& whole,
                                     shared_room shared_limits::*part) {
  if (!whole) return nullptr;
  return {whole, &(whole.get()->*part)};
}

} // namespace

batch_scheduler::batch_scheduler(options opts, std::uint64_t seed, abandoned_check is_abandoned,
                                 std::shared_ptr<shared_limits> shared)
  : opts_{std::move(opts)}, shared_{std::move(shared)}, queue_room_{part_of(
                                                          shared_, &shared_limits::queue_items)},
    following_room_{part_of(shared_, &shared_limits::following_items)}, is_abandoned_{is_abandoned},
    workers_{supervision_of(opts_), seed}, queue_{opts_, table_, &outlook_,
                                                  opts_.shard_by == shard_by::key
                                                    ? part_of(shared_, &shared_limits::lanes)
                                                    : nullptr} {
  assert(validate(opts_).empty());
  if (opts_.observer) opts_.observer->on_start(opts_.name, opts_.max_batch_items, counters_);
}

// -- batches --------------------------------------------------------------------------------------

std::optional<batch_scheduler::batch> batch_scheduler::next_batch(time_point now) {
  now = forward(now);
  while (!is_closed() && !is_paused_ && workers_.has_credit(now)) {
    if (auto it = next_retry(); it != retries_.end()) {
      auto failed_at = it->second.failed_at;
      auto again = new_flight();
      take_retry(now, it, again.mapped());
      if (!again.mapped().slots.empty()) return latest(dispatch(now, std::move(again), failed_at));
      keep(std::move(again));
      continue;
    }
    auto* due = queue_.next_due(now);
    if (!due) break;
    auto fresh = new_flight();
    take_due(now, *due, fresh.mapped());
    if (fresh.mapped().slots.empty()) {
      keep(std::move(fresh));
      queue_.end_turn(now, *due);
      continue;
    }
    ++due->batches;
    budget_.earn(opts_.on_failure);
    auto& f = dispatch(now, std::move(fresh), std::nullopt);
    queue_.end_turn(now, *due);
    return latest(f);
  }
  if (opts_.workers == 0) note_outage(now); // nobody has come yet
  publish();
  return std::nullopt;
}

// One that has ended, with its memory, if there is any: as it was made but for that.
batch_scheduler::flights::node_type batch_scheduler::new_flight() {
  if (spare_flights_.empty()) {
    flights made;
    return made.extract(made.try_emplace(0).first);
  }
  auto node = std::move(spare_flights_.back());
  spare_flights_.pop_back();
  return node;
}

void batch_scheduler::keep(flights::node_type ended) {
  if (spare_flights_.size() >= most_spare) return;
  auto& f = ended.mapped();
  f.slots.clear();
  f = {.slots = std::move(f.slots)};
  spare_flights_.push_back(std::move(ended));
}

const flight& batch_scheduler::dispatch(time_point now, flights::node_type node,
                                        std::optional<worker_id> avoid) {
  auto& f = node.mapped();
  f.worker = *workers_.assign(now, avoid);
  f.dispatched_at = now;
  if (auto* forecast = f.lane->forecast.get()) {
    auto n = f.slots.size() + f.padding_items;
    forecast->settle(now, n);
    f.expected_at = outlook_.expect(now, f.worker, forecast->service.predict(n));
  }
  auto id = ++last_batch_;
  for (std::uint32_t i = 0; i < f.slots.size(); ++i) {
    auto& record = table_[f.slots[i]];
    record.place = item_place::in_flight;
    record.batch = id;
    record.position = i;
  }
  if (opts_.batch_timeout > duration::zero()) {
    f.timeout_at = now + opts_.batch_timeout;
    flight_deadlines_.add(f.timeout_at, id, flights_.size() + 1,
                          [this](auto at, auto name) { return is_flight_deadline(at, name); });
  }
  in_flight_items_ += f.slots.size();
  counters_->on_dispatched(f.reason, f.slots.size(), f.padding_items);
  rate_.add(now, f.slots.size());
  node.key() = id;
  return flights_.insert(flights_.end(), std::move(node))->second;
}

// Of the batch that was dispatched just now.
batch_scheduler::batch batch_scheduler::latest(const flight& f) const {
  return {.id = last_batch_,
          .worker = f.worker,
          .attempt = f.attempt,
          .padding_items = f.padding_items,
          .key = f.lane->key(),
          .slots = f.slots};
}

void batch_scheduler::forget_retry(time_point now, retries::iterator it) {
  auto& l = *it->second.lane;
  retries_.erase(it);
  --l.retries;
  queue_.update(now, l);
}

// -- workers --------------------------------------------------------------------------------------

std::optional<worker_id> batch_scheduler::next_start(time_point now) {
  now = forward(now);
  if (is_closed()) return std::nullopt;
  while (own_workers_.size() < opts_.workers) {
    own_workers_.push_back(next_worker_);
    workers_.add(next_worker_++);
  }
  auto id = workers_.next_start(now);
  if (id && !started_.insert(*id).second) counters_->on_restart();
  return id;
}

void batch_scheduler::worker_up(time_point now, worker_id id, std::size_t credit) {
  forward(now);
  // One that was started and has left for good since: its answer is late.
  if (started_.contains(id) && !workers_.contains(id)) return;
  workers_.up(id, credit);
  if (workers_.is_any_up()) out_since_.reset();
}

void batch_scheduler::worker_leave(time_point now, worker_id id) {
  now = forward(now);
  bool was_up = workers_.is_any_up();
  workers_.retire(id);
  if (!workers_.contains(id)) outlook_.erase(id);
  if (was_up) note_outage(now);
}

// -- life -----------------------------------------------------------------------------------------

void batch_scheduler::expire(time_point now) {
  now = forward(now);
  if (is_closed()) return;
  auto is_item = [this](auto at, auto id) { return is_item_deadline(at, id); };
  auto is_flight = [this](auto at, auto id) { return is_flight_deadline(at, id); };
  while (auto id = item_deadlines_.take_due(now, is_item))
    leave_early(now, table_.find(*id), errc::expired);
  while (auto id = flight_deadlines_.take_due(now, is_flight)) give_up(now, *id);
  credit_.expire(now);
  if (is_out(now)) answer_waiting(errc::no_workers);
  if (draining_since_ && now >= drain_limit_) abandon(now, errc::shut_down);
}

void batch_scheduler::reconfigure(time_point now, options opts) {
  now = forward(now);
  assert(validate(opts).empty());
  auto credit = opts_.worker_credit;
  opts_ = reconfigured(opts_, std::move(opts));
  if (shared_) shared_->update(opts_);
  queue_room_.give_back(queue_items());
  following_room_.give_back(following_items_);
  workers_.configure(supervision_of(opts_));
  bool was_up = workers_.is_any_up();
  // Those that are gone for good are surplus first. Where the dead are replaced, they are as well.
  auto gone = std::stable_partition(own_workers_.begin(), own_workers_.end(),
                                    [this](auto id) { return workers_.contains(id); });
  if (opts_.restart_delay > duration::zero()) own_workers_.erase(gone, own_workers_.end());
  for (; own_workers_.size() > opts_.workers; own_workers_.pop_back())
    workers_.retire(own_workers_.back());
  if (was_up) note_outage(now);
  if (opts_.worker_credit != credit) workers_.set_credit(opts_.worker_credit);
  queue_.update(now, draining_since_);
}

void batch_scheduler::drain(time_point now, duration timeout) {
  now = forward(now);
  if (is_closed()) return;
  auto limit = saturating_add(now, std::max(timeout, duration::zero()));
  drain_limit_ = draining_since_ ? std::min(drain_limit_, limit) : limit;
  is_paused_ = false;
  if (draining_since_) return;
  draining_since_ = now;
  queue_.update(now, draining_since_);
}

void batch_scheduler::abandon(time_point now, errc why) {
  assert(why != errc::none);
  now = forward(now);
  if (is_closed()) return;
  closed_ = why;
  while (!flights_.empty()) {
    auto node = land(now, flights_.begin()->first);
    if (node.empty()) continue;
    auto& f = node.mapped();
    depart_all(f.slots, why);
    observe(now, f, why, 0, duration::zero());
    end_flight(now, std::move(node));
  }
  answer_waiting(why);
  publish();
}

void batch_scheduler::answer_waiting(errc why) {
  while (!retries_.empty()) {
    auto it = retries_.begin();
    auto live = live_items(it->second.slots);
    retry_items_ -= live;
    retry_cost_ -= cost_of(it->second.slots);
    counters_->on_dequeued(live);
    depart_all(it->second.slots, why);
    forget_retry(last_now_, it);
  }
  while (auto* from = queue_.any()) {
    for (auto left = from->items(); left > 0; --left) { // it may go with the last
      auto slot = from->oldest();
      queue_.remove(last_now_, slot);
      counters_->on_dequeued(1);
      depart_all({slot}, why);
    }
  }
  arrivals_.clear();
}

// -- queries --------------------------------------------------------------------------------------

// No optional, and so for all that is asked once for each batch: g++ returns one through memory, and
// whoever reads it stalls.
time_point batch_scheduler::deadline() {
  if (is_closed()) return time_point::max();
  auto next = time_point::max();
  auto consider = [&](std::optional<time_point> at) {
    next = std::min(next, at.value_or(time_point::max()));
  };
  if (!is_paused_ && workers_.has_credit(last_now_)) consider(queue_.next_due_at());
  consider(item_deadlines_.earliest([this](auto at, auto id) { return is_item_deadline(at, id); }));
  consider(
    flight_deadlines_.earliest([this](auto at, auto id) { return is_flight_deadline(at, id); }));
  consider(workers_.next_deadline(!is_idle()));
  consider(credit_.next_deadline());
  if (draining_since_ && !is_idle()) consider(drain_limit_);
  bool is_waited_for = queue_items() > 0 || credit_.has_waiting();
  if (out_since_ && !workers_.is_serviceable() && is_waited_for)
    consider(is_deserted() ? *out_since_ : *out_since_ + opts_.max_outage);
  return std::max(next, last_now_);
}

errc batch_scheduler::refusal() const noexcept {
  if (is_closed()) return closed_;
  if (draining_since_) return errc::draining;
  return is_out(last_now_) ? errc::no_workers : errc::none;
}

duration batch_scheduler::retry_after(time_point now) const noexcept {
  return rate_.time_for(std::max(now, last_now_), queue_items());
}

duration batch_scheduler::turnaround(std::string_view key) const {
  auto* of = queue_.find(key);
  return of ? of->turnaround.most(last_now_) : duration::zero();
}

batcher_stats batch_scheduler::stats(time_point now) {
  now = forward(now);
  publish();
  batcher_stats out;
  out.counters = counters_->read();
  if (auto oldest = queue_.oldest()) out.oldest_age = now - *oldest;
  for (auto& [id, again] : retries_) out.oldest_age = std::max(out.oldest_age, now - again.oldest);
  out.retry_after = retry_after(now);
  out.following_items = following_items_;
  out.in_flight_batches = flights_.size();
  out.is_paused = is_paused_;
  out.is_draining = draining_since_.has_value();
  out.is_closed = is_closed();
  return out;
}

bool batch_scheduler::is_out(time_point now) const noexcept {
  if (!out_since_ || workers_.is_serviceable()) return false;
  return is_deserted() || now >= *out_since_ + opts_.max_outage;
}

// To be called when a worker may have been the last that was up.
void batch_scheduler::note_outage(time_point now) noexcept {
  if (!workers_.is_any_up() && !out_since_) out_since_ = now;
}

std::size_t batch_scheduler::cost_of(const batch_slots& slots) const noexcept {
  std::size_t cost = 0;
  for (auto slot : slots)
    if (slot != no_slot) cost += table_[slot].cost;
  return cost;
}

void batch_scheduler::publish() noexcept {
  queue_room_.settle(queue_items());
  following_room_.settle(following_items_);
  counters_->set_queue_cost(queue_.cost() + retry_cost_);
  counters_->set_lanes(queue_.lanes());
  for (auto stage : all_worker_stages) counters_->set_workers(stage, workers_.count(stage));
}

bool batch_scheduler::is_item_deadline(time_point at, std::uint64_t id) const noexcept {
  auto slot = table_.find(id);
  return slot != no_slot && table_[slot].deadline == at;
}

bool batch_scheduler::is_flight_deadline(time_point at, std::uint64_t id) const noexcept {
  auto it = flights_.find(id);
  return it != flights_.end() && !it->second.is_given_up && it->second.timeout_at == at;
}

} // namespace batcher
