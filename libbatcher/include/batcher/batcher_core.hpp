// SPDX-License-Identifier: BSD-3-Clause
//
// The batcher as a state machine. It owns every item from admission until it hands it back with its
// outcome, queued and in flight alike, so that no item can be forgotten. Whoever drives it (an
// actor, a simulation, a test) reads the clock, makes one call and turns what comes back into
// messages.
//
//     running --drain--> draining --timeout in expire(), or abandon--> closed
//     running --abandon-----------------------------------------------> closed
//
// Invariants, after every call:
//   1. admitted = handed back + queued + in flight; each item is handed back exactly once.
//   2. No batch holds more than `max_batch_items`.
//   3. With credit free no item waits longer than `max_delay` from its arrival, provided the driver
//      calls `next_batch` at `next_deadline`.
//   4. Items leave the queue in the order of their arrival.
//   5. No worker holds more batches than its credit.
//
// Worked trace, fill, max_batch_items 2, max_delay 10 ms, one worker with credit 1:
//     t=0   admit a        next_batch: none     next_deadline: 10
//     t=3   admit b        next_batch: {a, b}   next_deadline: none (nothing queued)
//     t=4   admit c, d, e  next_batch: none     next_deadline: none (no credit)
//     t=20  complete       next_batch: {c, d}   (late binding: the window of c was over at 14)
//
// Thread rule: single-threaded by contract, tied to no thread. No clock, no lock, no I/O.

#pragma once

#include "batcher/batch.hpp"
#include "batcher/batch_queue.hpp"
#include "batcher/errc.hpp"
#include "batcher/flush_policy.hpp"
#include "batcher/in_flight.hpp"
#include "batcher/live_counters.hpp"
#include "batcher/observer.hpp"
#include "batcher/options.hpp"
#include "batcher/time.hpp"
#include "batcher/worker_table.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace batcher {

template <class Item>
class batcher_core {
public:
  /// A batch on its way to a worker. The items stay inside the core: take what the worker needs out
  /// of them and leave what the reply needs. Valid until the batch is settled.
  struct batch {
    batch_id id = 0;
    worker_id worker = 0;
    std::span<Item> items;
  };

  // -- construction -------------------------------------------------------------------------------

  /// Precondition: `validate(opts)` is empty.
  explicit batcher_core(options opts) : opts_{std::move(opts)}, queue_{opts_.max_queue_items} {
    assert(validate(opts_).empty());
    if (opts_.observer) opts_.observer->on_start(opts_.name, opts_.max_batch_items, counters_);
  }

  batcher_core(const batcher_core&) = delete;
  batcher_core& operator=(const batcher_core&) = delete;

  // -- requests -----------------------------------------------------------------------------------

  /// Takes a request in. Returns `none` and owns the item from then on, or leaves the item with the
  /// caller, to be answered with the code returned: `queue_full`, `draining`, or the code that
  /// `abandon` was given. A refused item counts as replied.
  [[nodiscard]] errc admit(time_point now, Item&& item) {
    now = forward(now);
    counters_->on_request();
    auto refused = refusal();
    if (refused == errc::none && !queue_.push(now, std::move(item))) refused = errc::queue_full;
    if (refused == errc::none)
      counters_->on_admitted();
    else
      counters_->on_replied(outcome_of(refused), 1);
    return refused;
  }

  // -- batches ------------------------------------------------------------------------------------

  /// Forms the next batch if one is due and a worker has credit. Call until it returns nothing,
  /// after every other command and at `next_deadline`.
  [[nodiscard]] std::optional<batch> next_batch(time_point now) {
    now = forward(now);
    if (!workers_.has_credit()) return std::nullopt;
    auto decision = decide(now);
    if (!decision.close) return std::nullopt;
    flight<Item> f{.worker = *workers_.assign(),
                   .reason = decision.reason,
                   .ready_at = decision.ready_at,
                   .dispatched_at = now,
                   .items = {},
                   .arrivals = {}};
    queue_.pop(std::min(queue_.items(), opts_.max_batch_items), f.items, f.arrivals);
    counters_->on_dispatched(f.reason, f.items.size());
    auto id = in_flight_.add(std::move(f));
    auto& kept = in_flight_.at(id);
    return batch{id, kept.worker, kept.items};
  }

  /// Settles a batch whose function returned. Its items come back with `none`, or with
  /// `result_count_mismatch` if there is not one result per item. No items come back for a batch
  /// that was settled before: the answer is late and there is nobody to give it to.
  [[nodiscard]] settled<Item> complete(time_point now, batch_id id, const batch_report& report) {
    auto outcome = [&](const flight<Item>& f) {
      return report.results == f.items.size() ? errc::none : errc::result_count_mismatch;
    };
    return settle(forward(now), id, outcome, report);
  }

  /// Settles a batch without results. `why` is what its items are answered with: `batch_failed` if
  /// the function threw, `worker_lost` if the batch never reached it. Unknown batches as in
  /// `complete`.
  [[nodiscard]] settled<Item> fail(time_point now, batch_id id, errc why,
                                   duration executed = duration::zero()) {
    assert(why != errc::none);
    return settle(forward(now), id, [why](const flight<Item>&) { return why; }, {0, 0, executed});
  }

  // -- workers ------------------------------------------------------------------------------------

  /// Adds a worker that takes up to `credit` batches at once. Preconditions: `id` is new; credit >=
  /// 1.
  void worker_up(worker_id id, std::size_t credit) { workers_.join(id, credit); }

  /// Removes a worker. Every batch that it held comes back with `worker_lost`. Unknown ids:
  /// nothing.
  [[nodiscard]] std::vector<settled<Item>> worker_down(time_point now, worker_id id) {
    now = forward(now);
    workers_.leave(id);
    std::vector<settled<Item>> out;
    for (auto lost : in_flight_.of_worker(id)) out.push_back(fail(now, lost, errc::worker_lost));
    return out;
  }

  // -- life ---------------------------------------------------------------------------------------

  /// Refuses new requests from now on, dispatches what is queued without waiting for windows, and
  /// lets `expire` answer what is left at `now + timeout`. A second call can only shorten the
  /// timeout.
  void drain(time_point now, duration timeout) {
    now = forward(now);
    if (is_closed()) return;
    auto limit = timeout < time_point::max() - now ? now + std::max(timeout, duration::zero())
                                                   : time_point::max();
    drain_limit_ = draining_since_ ? std::min(drain_limit_, limit) : limit;
    if (!draining_since_) draining_since_ = now;
  }

  /// Hands back what has run out of time: at the drain's timeout everything left, with `shut_down`.
  [[nodiscard]] std::vector<settled<Item>> expire(time_point now) {
    now = forward(now);
    if (!draining_since_ || is_closed() || now < drain_limit_) return {};
    return abandon(now, errc::shut_down);
  }

  /// Closes the batcher at once: every item, in flight or queued, comes back with `why`, and so
  /// will every later request. Only the first call counts.
  [[nodiscard]] std::vector<settled<Item>> abandon(time_point now, errc why) {
    assert(why != errc::none);
    now = forward(now);
    std::vector<settled<Item>> out;
    if (is_closed()) return out;
    closed_ = why;
    while (!in_flight_.is_empty()) out.push_back(fail(now, in_flight_.oldest(), why));
    if (!queue_.is_empty()) out.push_back(empty_queue(why));
    return out;
  }

  // -- queries ------------------------------------------------------------------------------------

  /// Returns when to call `expire` and `next_batch` again if nothing else happens before.
  [[nodiscard]] std::optional<time_point> next_deadline() const {
    std::optional<time_point> next;
    if (is_closed()) return next;
    if (workers_.has_credit()) next = decide(last_now_).next;
    if (draining_since_ && !is_idle() && drain_limit_ != time_point::max())
      next = next ? std::min(*next, drain_limit_) : drain_limit_;
    return next;
  }

  /// Returns what a request would be refused with before the queue is looked at, `none` if nothing.
  [[nodiscard]] errc refusal() const noexcept {
    if (is_closed()) return closed_;
    return draining_since_ ? errc::draining : errc::none;
  }

  /// Returns whether nothing is queued and nothing in flight.
  [[nodiscard]] bool is_idle() const noexcept { return queue_.is_empty() && in_flight_.is_empty(); }

  /// Returns whether every request is refused for good.
  [[nodiscard]] bool is_closed() const noexcept { return closed_ != errc::none; }

  /// Returns whether a drain has nothing left to wait for; true as well once the batcher is closed.
  [[nodiscard]] bool is_drained() const noexcept {
    return is_closed() || (draining_since_ && is_idle());
  }

  [[nodiscard]] std::size_t queue_items() const noexcept { return queue_.items(); }
  [[nodiscard]] std::size_t in_flight_items() const noexcept { return in_flight_.items(); }
  [[nodiscard]] const worker_table& workers() const noexcept { return workers_; }
  [[nodiscard]] const options& opts() const noexcept { return opts_; }

  /// Returns the counters, which may be read from any thread and outlive the core.
  [[nodiscard]] std::shared_ptr<const live_counters> counters() const noexcept { return counters_; }

private:
  // A clock that runs backwards is held at the latest instant seen.
  time_point forward(time_point now) { return last_now_ = std::max(last_now_, now); }

  flush_decision decide(time_point now) const {
    queue_view view;
    view.items = queue_.items();
    if (view.items > 0) view.oldest = queue_.arrival(0);
    if (view.items >= opts_.max_batch_items)
      view.filled = queue_.arrival(opts_.max_batch_items - 1);
    return decide_flush(view, opts_, draining_since_, now);
  }

  template <class OutcomeOf>
  settled<Item> settle(time_point now, batch_id id, OutcomeOf outcome_for,
                       const batch_report& report) {
    auto taken = in_flight_.take(id);
    if (!taken) return {};
    auto& f = *taken;
    workers_.release(f.worker);
    auto outcome = outcome_for(f);
    auto item_errors = outcome == errc::none ? report.item_errors : 0;
    count_replies(outcome, f.items.size(), item_errors);
    if (opts_.observer)
      opts_.observer->on_batch({.reason = f.reason,
                                .outcome = outcome,
                                .item_errors = item_errors,
                                .arrivals = f.arrivals,
                                .ready_at = f.ready_at,
                                .dispatched_at = f.dispatched_at,
                                .finished_at = now,
                                .executed = report.executed});
    return {outcome, std::move(f.items)};
  }

  void count_replies(errc outcome, std::size_t items, std::size_t item_errors) {
    counters_->on_returned(items);
    if (outcome != errc::none) {
      counters_->on_replied(outcome_of(outcome), items);
      return;
    }
    counters_->on_replied(batcher::outcome::ok, items - item_errors);
    counters_->on_replied(batcher::outcome::item_error, item_errors);
  }

  settled<Item> empty_queue(errc why) {
    settled<Item> out{why, {}};
    std::vector<time_point> arrivals;
    queue_.pop(queue_.items(), out.items, arrivals);
    counters_->on_dequeued(out.items.size());
    counters_->on_replied(outcome_of(why), out.items.size());
    return out;
  }

  options opts_;
  batch_queue<Item> queue_;
  worker_table workers_;
  in_flight<Item> in_flight_;
  time_point last_now_;
  std::optional<time_point> draining_since_;
  time_point drain_limit_;
  errc closed_ = errc::none;
  std::shared_ptr<live_counters> counters_ = std::make_shared<live_counters>();
};

} // namespace batcher
