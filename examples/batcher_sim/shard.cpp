// SPDX-License-Identifier: BSD-3-Clause
//
// Drives one core, see shard.hpp.

#include "batcher_sim/shard.hpp"

#include <algorithm>
#include <utility>

namespace sim {

namespace {

using batcher::duration;
using batcher::errc;
using batcher::time_point;

// The start of a run is the epoch of the core's clock.
time_point at(duration now) { return time_point{now}; }

} // namespace

shard::shard(const scenario& what, std::size_t number, const std::vector<std::string>& keys,
             cost_draws& costs, tally& counts, std::shared_ptr<batcher::shared_limits> limits)
  : keys_{&keys}, costs_{&costs}, counts_{&counts}, core_{options_of(what, number),
                                                          what.seed + number,
                                                          {},
                                                          std::move(limits)},
    wire_{what.cost.wire}, waits_for_credit_{what.opts.overload
                                             == batcher::overload::wait_for_credit},
    keeps_batches_{what.keeps_batches}, free_at_(workers_of(what, number)) {
  start_workers(duration::zero());
  for (auto id = core_.opts().workers; id < free_at_.size(); ++id)
    core_.worker_up(at(duration::zero()), id, core_.opts().worker_credit);
  settle(duration::zero()); // so that others see that workers are up
}

void shard::arrive(duration now, const request& r, std::size_t key) {
  if (waits_for_credit_) {
    core_.ask_credit(at(now), r.number, 1);
    askers_.push_back({r, key});
  } else {
    admit(now, r, key, false);
  }
  settle(now);
}

void shard::finish(duration now, const running_batch& batch) {
  auto executed = batch.ends - batch.begins;
  bool is_in_time =
    batch.fails ? core_.fail(at(now), batch.id, errc::batch_failed, executed)
                : core_.complete(at(now), batch.id, {.results = batch.items, .executed = executed});
  counts_->worked(batch.begins, batch.ends);
  if (keeps_batches_ && is_in_time) {
    batch_record record{batch.dispatched, now, batch.items, duration::zero()};
    duration::rep results = 0;
    for (auto& left : core_.departures()) {
      if (left.outcome != errc::none) continue;
      record.mean_latency += now - left.item.arrived;
      ++results;
    }
    if (results > 0) record.mean_latency /= results;
    counts_->finished(record);
  }
  settle(now);
}

void shard::wake(duration now) {
  start_workers(now);
  core_.expire(at(now));
  while (core_.take_given_up()) {
    // Its worker goes on: most functions cannot be stopped.
  }
  settle(now);
}

std::optional<duration> shard::next_deadline() {
  auto next = core_.next_deadline();
  if (!next) return std::nullopt;
  return std::max(duration::zero(), next->time_since_epoch());
}

void shard::start_workers(duration now) {
  while (auto id = core_.next_start(at(now)))
    core_.worker_up(at(now), *id, core_.opts().worker_credit);
}

void shard::admit(duration now, const request& r, std::size_t key, bool on_credit) {
  auto admission = core_.admit(at(now), request{r}, {.key = (*keys_)[key], .on_credit = on_credit});
  if (admission.refused != errc::none) counts_->answered(now, r, admission.refused);
}

void shard::settle(duration now) {
  do {
    dispatch(now);
  } while (waits_for_credit_ && grant(now));
  answer_departed(now);
}

void shard::dispatch(duration now) {
  while (auto batch = core_.next_batch(at(now))) {
    auto& free_at = free_at_[static_cast<std::size_t>(batch->worker)];
    running_batch started{.id = batch->id, .items = batch->items.size(), .dispatched = now};
    started.begins = std::max(now + wire_, free_at);
    started.ends = started.begins + costs_->draw(now, started.items + batch->padding_items);
    started.returns = started.ends + wire_;
    started.fails = costs_->draw_failure();
    free_at = started.ends;
    counts_->dispatched(now, started.items);
    started_.push_back(started);
  }
}

// Lets those in that were granted room. Returns whether there were any.
bool shard::grant(duration now) {
  bool is_any = false;
  while (auto granted = core_.next_grant(at(now))) {
    auto next = askers_.front();
    askers_.pop_front();
    admit(now, next.who, next.key, granted->items > 0);
    is_any = true;
  }
  return is_any;
}

void shard::answer_departed(duration now) {
  auto& departed = core_.departures();
  for (auto& left : departed) counts_->answered(now, left.item, left.outcome);
  core_.clear_departures();
}

} // namespace sim
