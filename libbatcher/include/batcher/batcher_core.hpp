// SPDX-License-Identifier: BSD-3-Clause
//
// The batcher as a state machine. It owns every item from admission until it hands it back with its
// outcome, queued and in flight alike, so that no item can be forgotten. Whoever drives it (an
// actor, a simulation, a test) reads the clock, makes one call and turns what has departed into
// messages. The rules themselves are in `batch_scheduler`, which knows no items.
//
//     running --drain--> draining --timeout in expire(), or abandon--> closed
//     running --abandon-----------------------------------------------> closed
//
// Invariants, after every call:
//   1. requests = replied + queued + in flight + following; each item departs exactly once.
//   2. No batch holds more than `max_batch_items` or `max_batch_cost`, or items of two keys.
//   3. With credit free, not paused and the lane below `max_lane_batches`, no item waits longer
//      than `max_delay`, provided the driver calls `next_batch` at `next_deadline`.
//   4. Within one lane, tenant and priority items leave the queue in the order of their arrival. A
//      batch that runs again goes before all fresh ones, the oldest first, unless its lane has as
//      many as `max_lane_batches` with the workers.
//   5. A lane takes turns with the other due ones, a tenant gets its share by weight, and a
//      priority is overtaken within its bound (lane.hpp): none of them starves.
//   6. No worker holds more batches than its credit.
//   7. No item is dispatched whose deadline has come or whose sender has ended, or, while others
//      could fill its batch, whose deadline comes before a batch of its lane is sure to be back.
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
#include "batcher/batch_scheduler.hpp"
#include "batcher/errc.hpp"
#include "batcher/item.hpp"
#include "batcher/item_seats.hpp"
#include "batcher/options.hpp"
#include "batcher/sharding.hpp"
#include "batcher/time.hpp"
#include "batcher/worker_table.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher {

/// How identical items are found, if they are to share a place. Both empty: never.
template <class Item>
struct coalescing {
  std::function<std::size_t(const Item&)> hash = {};
  /// Must hold only for items whose results are the same.
  std::function<bool(const Item&, const Item&)> equal = {};
};

/// `Item` is movable without exceptions. If it has a member `bool is_abandoned() const`, items for
/// which that holds are not executed but depart with `errc::cancelled`.
template <class Item>
class batcher_core {
public:
  /// An item that has left the core, and why. It stays where it is until `clear_departures`: move
  /// out of it what is needed.
  struct departure {
    Item& item;
    /// `none`: with the result at `position` of the batch that was completed just now.
    errc outcome = errc::none;
    /// The batch that its worker still holds though nobody waits for its item at `position` any
    /// more (tell the function), or 0.
    batch_id batch = 0;
    std::uint32_t position = 0;
    /// Whether the departure after this one gets the same result, so that this gets a copy.
    bool shares_result = false;
  };

  /// A batch on its way to a worker. The items stay inside the core: take what the worker needs out
  /// of them and leave what the reply needs. Valid until the next call of the core.
  struct batch {
    batch_id id = 0;
    worker_id worker = 0;
    /// Which run of these items it is: 1, 2, ...
    std::size_t attempt = 1;
    /// How many more items the backend expects (`allowed_batch_items`).
    std::size_t padding_items = 0;
    /// What its items have in common.
    std::string_view key;
    std::span<Item* const> items;
  };

  struct admission {
    /// `none`, or why the item is still the caller's.
    errc refused = errc::none;
    /// What `cancel` wants.
    item_id id = 0;
  };

  // -- construction -------------------------------------------------------------------------------

  /// Precondition: `validate(opts)` is empty. `seed` is that of the restarts' jitter. `shared`: what
  /// it keeps together with others, if it is one of several shards.
  explicit batcher_core(options opts, std::uint64_t seed = 0, coalescing<Item> same = {},
                        std::shared_ptr<shared_limits> shared = {})
    : rules_{std::move(opts), seed, abandoned_check(), std::move(shared)}, same_{std::move(same)} {}

  // -- requests -----------------------------------------------------------------------------------

  /// Takes a request in. Owns the item from then on, or leaves it with the caller, to be answered
  /// with the code returned: one of the refusals, or the code that `abandon` was given. A refused
  /// item counts as replied. Others may depart instead (`overload::drop_oldest`). Cost: O(1) on
  /// average, with a deadline O(log items).
  [[nodiscard]] admission admit(time_point now, Item&& item, const placement& where = {}) {
    if constexpr (can_be_abandoned)
      if (item.is_abandoned()) return {rules_.refuse(now, errc::cancelled), 0};
    auto hash = same_.hash ? same_.hash(item) : 0;
    auto leader = same_.hash ? find_same(hash, item, where.key) : no_slot;
    auto [refused, slot, id] = rules_.admit(now, where, leader);
    if (refused == errc::none) {
      auto& own = seats_.add(slot);
      own.item.emplace(std::move(item));
      if (same_.hash) {
        own.hash = hash;
        if (leader == no_slot) by_hash_.emplace(hash, slot);
      }
    }
    collect();
    return {refused, id};
  }

  /// Takes several requests in that ask for the same, as `admit` would one after the other but
  /// cheaper: the first of them, as far as there is simply room and no batch is full. Each item is
  /// made in its place by `make(i)`, i = 0, 1, ..., which must not throw. Returns how many: `admit`
  /// the next one by itself.
  template <class Make>
  [[nodiscard]] std::size_t admit_run(time_point now, const placement& where, std::size_t items,
                                      Make make) {
    if (same_.hash) return 0;
    auto slots = rules_.admit_run(now, where, items);
    for (std::size_t i = 0; i < slots.size(); ++i) seats_.add(slots[i], make, i);
    return slots.size();
  }

  /// Counts a request that the driver itself refuses, with `why`.
  void refuse(time_point now, errc why) { rules_.refuse(now, why); }

  /// Lets an item depart with `errc::cancelled`, wherever it is; others that share its place stay.
  /// Returns whether it was there.
  bool cancel(time_point now, item_id id) {
    auto found = rules_.cancel(now, id);
    collect();
    return found;
  }

  /// Asks for room for `items` items under a ticket of the caller's choice
  /// (`overload::wait_for_credit`).
  void ask_credit(time_point now, std::uint64_t ticket, std::size_t items) {
    rules_.ask_credit(now, ticket, items);
  }

  /// Hands out, once, what was granted; no items if new requests are refused. Call until empty,
  /// after every other command and at `next_deadline`.
  [[nodiscard]] std::optional<credit_line::grant> next_grant(time_point now) {
    return rules_.next_grant(now);
  }

  /// Takes the latest grant back, whose asker has ended; the next one gets the room.
  void revoke_grant() noexcept { rules_.revoke_grant(); }

  // -- batches ------------------------------------------------------------------------------------

  /// Forms the next batch if one is due and a worker has credit. Call until it returns nothing,
  /// after every other command and at `next_deadline`.
  [[nodiscard]] std::optional<batch> next_batch(time_point now) {
    auto due = rules_.next_batch(now);
    collect();
    if (!due) return std::nullopt;
    batch_items_.resize(due->slots.size());
    for (std::size_t i = 0; i < batch_items_.size(); ++i)
      batch_items_[i] = &*seats_[due->slots[i]].item;
    return batch{due->id, due->worker, due->attempt, due->padding_items, due->key, batch_items_};
  }

  /// Returns whether more is queued than is enough for a batch, in one lane at least if there is but
  /// one: ask `next_batch` before more is admitted, or a queue may be full while a worker is free.
  [[nodiscard]] bool has_full_batch() const noexcept { return rules_.has_full_batch(); }

  /// Settles a batch whose function returned. With one result per item its items depart with
  /// `none`; otherwise it has failed with `result_count_mismatch`, as in `fail`. Returns false if
  /// nobody waits for it any more: it was settled, given up or lost before.
  bool complete(time_point now, batch_id id, const batch_report& report) {
    auto is_in_time = rules_.complete(now, id, report);
    collect();
    return is_in_time;
  }

  /// Settles a batch without results: `batch_failed` if the function threw, `worker_lost` if the
  /// batch never reached it. Its items run again if `options::on_failure` says so, or depart with
  /// `why`. Returns as `complete`.
  bool fail(time_point now, batch_id id, errc why, duration executed = duration::zero()) {
    auto is_in_time = rules_.fail(now, id, why, executed);
    collect();
    return is_in_time;
  }

  /// Hands out, once, a batch past `batch_timeout` that its worker still holds though nobody waits
  /// for it any more (tell the function). Call until empty, after `expire`.
  [[nodiscard]] std::optional<batch_id> take_given_up() { return rules_.take_given_up(); }

  /// Returns what has departed since the last `clear_departures`, in order.
  [[nodiscard]] std::vector<departure>& departures() noexcept { return departures_; }
  void clear_departures() noexcept {
    for (auto& left : rules_.departures()) seats_[left.slot].item.reset();
    rules_.clear_departures();
    departures_.clear();
  }

  // -- workers ------------------------------------------------------------------------------------

  /// Hands out, once, a worker to be started, the first time or again; `worker_up` or `worker_down`
  /// is to tell how that went. Call until empty, as `next_batch`.
  [[nodiscard]] std::optional<worker_id> next_start(time_point now) {
    return rules_.next_start(now);
  }

  /// Returns whether `next_start` has anything to do. O(1).
  [[nodiscard]] bool has_start(time_point now) const noexcept { return rules_.has_start(now); }

  /// Hands out, once, a worker to be ended, since there are more than the options ask for.
  [[nodiscard]] std::optional<worker_id> take_retired() { return rules_.take_retired(); }

  /// The worker is ready and takes up to `credit` batches at once, at least 1.
  void worker_up(time_point now, worker_id id, std::size_t credit) {
    rules_.worker_up(now, id, credit);
  }

  /// The worker died or could not be started. Every batch that it held has failed with
  /// `worker_lost`. Unknown ids: nothing.
  void worker_down(time_point now, worker_id id) {
    rules_.worker_down(now, id);
    collect();
  }

  /// A worker that came by itself is going: it gets no more batches, and when it holds none
  /// `take_retired` names it. Unknown ids: nothing.
  void worker_leave(time_point now, worker_id id) { rules_.worker_leave(now, id); }

  // -- life ---------------------------------------------------------------------------------------

  /// Lets depart what has run out of time: items past their deadline, batches past
  /// `batch_timeout`, everything left at a drain's timeout or after too long without workers.
  void expire(time_point now) {
    rules_.expire(now);
    collect();
  }

  /// Dispatches nothing until `resume` or `drain`; requests are admitted and expire as usual.
  void pause() noexcept { rules_.pause(); }
  void resume() noexcept { rules_.resume(); }
  [[nodiscard]] bool is_paused() const noexcept { return rules_.is_paused(); }

  /// Takes new options from now on; name and observer stay. What is queued or in flight stays, even
  /// beyond new limits. Surplus workers come out of `take_retired`, missing ones out of
  /// `next_start`. Precondition: `validate(opts)` is empty.
  void reconfigure(time_point now, options opts) { rules_.reconfigure(now, std::move(opts)); }

  /// Refuses new requests from now on, dispatches what is queued without waiting for windows, and
  /// lets `expire` answer what is left at `now + timeout`. A second call can only shorten the
  /// timeout.
  void drain(time_point now, duration timeout) { rules_.drain(now, timeout); }

  /// Closes the batcher at once: every item departs with `why`, and every later request is refused
  /// with it. Only the first call counts.
  void abandon(time_point now, errc why) {
    rules_.abandon(now, why);
    collect();
  }

  // -- queries ------------------------------------------------------------------------------------

  /// Returns when to call `next_start`, `expire`, `next_batch` and `next_grant` again, in this
  /// order, if nothing else happens before.
  [[nodiscard]] std::optional<time_point> next_deadline() { return rules_.next_deadline(); }

  /// Returns what a request would be refused with before the queue is looked at, `none` if nothing.
  [[nodiscard]] errc refusal() const noexcept { return rules_.refusal(); }

  /// Returns whether no item is inside.
  [[nodiscard]] bool is_idle() const noexcept { return rules_.is_idle(); }

  /// Returns whether every request is refused for good.
  [[nodiscard]] bool is_closed() const noexcept { return rules_.is_closed(); }

  /// Returns whether a drain has nothing left to wait for; true as well once the batcher is closed.
  [[nodiscard]] bool is_drained() const noexcept { return rules_.is_drained(); }

  /// Returns how long what is queued now takes to be dispatched at the rate of late.
  [[nodiscard]] duration retry_after(time_point now) const noexcept {
    return rules_.retry_after(now);
  }

  /// Returns how long a batch of a lane takes from its dispatch to its results, but for few; zero
  /// while too little is known. An item that has less time left departs with `errc::expired` where
  /// another can take its place.
  [[nodiscard]] duration turnaround(std::string_view key = {}) const {
    return rules_.turnaround(key);
  }

  [[nodiscard]] batcher_stats stats(time_point now) { return rules_.stats(now); }

  [[nodiscard]] std::size_t queue_items() const noexcept { return rules_.queue_items(); }
  /// Returns how much of `max_queue_items` is taken: `queue_items`, and where the limit is shared,
  /// what the others hold of it.
  [[nodiscard]] std::size_t room_taken() const noexcept { return rules_.room_taken(); }
  [[nodiscard]] std::size_t in_flight_items() const noexcept { return rules_.in_flight_items(); }
  [[nodiscard]] std::size_t following_items() const noexcept { return rules_.following_items(); }
  [[nodiscard]] const worker_table& workers() const noexcept { return rules_.workers(); }
  [[nodiscard]] const options& opts() const noexcept { return rules_.opts(); }

  /// Returns the counters, which may be read from any thread and outlive the core.
  [[nodiscard]] std::shared_ptr<const live_counters> counters() const noexcept {
    return rules_.counters();
  }

private:
  static constexpr bool can_be_abandoned = requires(const Item& x) {
    { x.is_abandoned() } -> std::convertible_to<bool>;
  };

  batch_scheduler::abandoned_check abandoned_check() {
    if constexpr (can_be_abandoned)
      return {[](const void* self, slot_number slot) {
                auto& core = *static_cast<const batcher_core*>(self);
                return static_cast<bool>(core.seats_[slot].item->is_abandoned());
              },
              this};
    else
      return {};
  }

  slot_number find_same(std::size_t hash, const Item& item, std::string_view key) const {
    auto [begin, end] = by_hash_.equal_range(hash);
    for (auto it = begin; it != end; ++it) {
      auto& there = seats_[it->second].item;
      auto* lane = rules_.items()[it->second].lane;
      if (lane->key() == key && same_.equal(*there, item)) return it->second;
    }
    return no_slot;
  }

  // Lists what has departed since the last call.
  void collect() {
    bool may_share = same_.hash != nullptr;
    for (auto& gone : rules_.departures().subspan(departures_.size())) {
      auto& from = seats_[gone.slot];
      if (may_share) forget_same(from.hash, gone.slot, gone.heir);
      departures_.push_back(
        {*from.item, gone.outcome, gone.batch, gone.position, gone.shares_result});
    }
  }

  void forget_same(std::size_t hash, slot_number slot, slot_number heir) {
    auto [begin, end] = by_hash_.equal_range(hash);
    auto it = std::find_if(begin, end, [&](auto& entry) { return entry.second == slot; });
    if (it == end) return;
    if (heir == no_slot)
      by_hash_.erase(it);
    else
      it->second = heir;
  }

  item_seats<Item> seats_;
  batch_scheduler rules_;
  coalescing<Item> same_;
  std::unordered_multimap<std::size_t, slot_number> by_hash_; // who has a place that can be shared
  std::vector<departure> departures_;
  std::vector<Item*> batch_items_; // of the last one
};

} // namespace batcher
