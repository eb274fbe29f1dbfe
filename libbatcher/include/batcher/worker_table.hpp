// SPDX-License-Identifier: BSD-3-Clause
//
// Which workers there are, how many batches each may still take, when a dead one is started again,
// and which are put aside because they keep failing. Knows nothing of batches but how many a worker
// holds; starts nothing itself.
//
//            next_start            up                failed, too often
//     down ------------> starting ----> serving ---------------------------> aside
//      ^                     |             ^  |                              |  ^
//      |                     |   succeeded |  |         the wait is over and |  | failed
//      |      down(id)       |             |  |             it holds nothing v  |
//      +---------------------+--<----------+--+----------<-------------- on probation
//
// `down` leads from everywhere back to down. `retire`, and `down` of a worker that came by itself,
// lead out of the table. An unknown worker that comes up is serving at once.
//
// Invariants:
// 1. For every worker, batches held <= credit granted. One on probation holds at most one.
// 2. A worker that is down, starting, aside or retiring is never assigned.
// 3. The last serving worker is not put aside, and while none serves no wait counts for those that
//    are aside: while a worker is up that holds nothing, some worker has credit.
// 4. Every wait of the k-th failure in a row lies in [d/2, d], d = min(base * 2^(k-1),
//    max_restart_delay): exponential back-off with equal jitter (half fixed, half random).
//
// Trace (restart_delay 100 ms, breaker_failures 2): 0 ms add(1), next_start -> 1, up(1, 4). 5 ms
// down(1): due again between 55 and 105 ms, say 80. 80 ms next_start -> 1, up(1, 4), its first
// batch kills it: down(1), due between 180 and 280 ms after that, since nothing has succeeded yet.
//
// Not safe for concurrent use; no clock, lock or thread.

#pragma once

#include "batcher/live_counters.hpp"
#include "batcher/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher {

/// Names a worker for as long as the batcher lives. Chosen by whoever adds the worker.
using worker_id = std::uint64_t;

/// The part of the options that concerns workers; `options.hpp` says more of each.
struct supervision {
  /// Longest wait before the first restart, doubled with each failure in a row. 0: dead workers are
  /// not restarted, and waits of those put aside start from 100 ms.
  duration restart_delay = std::chrono::milliseconds{100};

  /// What the doubling stops at. Range: `restart_delay` and up.
  duration max_restart_delay = std::chrono::seconds{30};

  /// Failed batches in a row that put a worker aside. Unit: batches. 0: never.
  std::size_t breaker_failures = 5;
};

/// The workers of one batcher and their credit. Operations cost O(log workers) at most, `assign` as
/// many steps as the worker holds batches; that and `release` of a serving worker allocate nothing
/// once a worker has held as many. `now` counts from the clock's epoch and never lies before it.
class worker_table {
public:
  /// Makes an empty table. `seed` is that of the jitter: the same seed draws the same waits, so
  /// give every batcher its own, or their restarts keep step.
  explicit worker_table(supervision rules, std::uint64_t seed = 0);

  // -- life ---------------------------------------------------------------------------------------

  /// Adds a worker that the batcher itself starts; its start is due at once. Precondition: `id` is
  /// not in the table.
  void add(worker_id id);

  /// Hands out, once, a worker whose start or restart is due, the longest due first; it is starting
  /// from then on, and `up` or `down` is to tell how that went. Also ends the waits that are over
  /// of workers put aside. Call until empty, whenever `next_deadline` has come.
  [[nodiscard]] std::optional<worker_id> next_start(time_point now);

  /// Returns whether `next_start` has anything to do. O(1).
  [[nodiscard]] bool has_start(time_point now) const noexcept {
    return is_trial_due(now) || (!starts_.empty() && starts_.begin()->first <= now);
  }

  /// A starting worker is ready, or an unknown one came by itself: it may hold `credit` batches at
  /// once. Ignored for any other (a late answer of one that has died meanwhile). Precondition:
  /// `credit` is at least 1.
  void up(worker_id id, std::size_t credit);

  /// The worker died or could not be started. One that was added backs off and becomes due again;
  /// it leaves for good if `restart_delay` is 0 or if it came by itself. What it held is the
  /// caller's to settle: here it is forgotten, so its batches must not be released after the worker
  /// is up again. Ignored for unknown workers and those that are dead already.
  void down(time_point now, worker_id id);

  /// The worker gets no more batches, and leaves for good when it holds none: `take_retired` then
  /// names it. Unknown ids are ignored.
  void retire(worker_id id);

  /// Hands out, once, a worker that has retired and left. Call until empty.
  [[nodiscard]] std::optional<worker_id> take_retired() {
    if (retired_.empty()) return std::nullopt;
    auto id = retired_.back();
    retired_.pop_back();
    return id;
  }

  /// Sets the credit of every worker that was added; those that came by themselves keep what they
  /// came with. Batches that are held beyond it stay.
  /// Precondition: at least 1.
  void set_credit(std::size_t credit);

  /// Takes new rules for what happens from now on; waits that were drawn already stay.
  void configure(supervision rules) noexcept { rules_ = rules; }

  // -- batches ------------------------------------------------------------------------------------

  /// Takes one credit of the worker that holds the fewest batches, the last to have become so among
  /// equals (its caches are the warmest); `avoid` only if nobody else has credit. Empty: nobody
  /// has.
  [[nodiscard]] std::optional<worker_id> assign(time_point now,
                                                std::optional<worker_id> avoid = {});

  /// Gives back the credit of one batch. Precondition: if the worker is up, it holds one. Ignored
  /// for unknown and dead workers. Order with `succeeded` and `failed` does not matter.
  void release(worker_id id);

  /// A batch of the worker went well: its failures in a row are over, for the breaker and for the
  /// next restart. On probation it is back with its whole credit; aside it still waits (the batch
  /// was an older one). Ignored for unknown and dead workers.
  void succeeded(worker_id id);

  /// A batch of the worker failed. With `breaker_failures` in a row, or one on probation, it is put
  /// aside unless no other worker serves: it keeps what it holds and gets nothing new until its
  /// wait is over and it holds nothing; then it has a credit of one. Ignored for unknown and dead
  /// workers, and for those aside already (the batch was an older one).
  void failed(time_point now, worker_id id);

  /// Returns whether `assign` would find a worker. O(1).
  [[nodiscard]] bool has_credit(time_point now) const noexcept;

  // -- queries ------------------------------------------------------------------------------------

  /// Returns the earliest instant at which a start becomes due or a worker that is aside may be
  /// tried; the clock's epoch for at once. While workers are not `wanted`, only first starts and
  /// first restarts count: one that dies again and again must not keep an idle batcher busy for
  /// ever. Once `next_start` came back empty it is later than the `now` of that call, until
  /// something else happens. Empty: nothing waits. O(1), O(workers) while not wanted.
  [[nodiscard]] std::optional<time_point> next_deadline(bool wanted = true) const noexcept;

  /// Returns whether any worker is up or starting: false when all are dead, or not yet handed out
  /// by `next_start`.
  [[nodiscard]] bool is_serviceable() const noexcept { return entries_.size() > starts_.size(); }

  /// Returns whether any worker is up, be it aside.
  [[nodiscard]] bool is_any_up() const noexcept {
    return entries_.size() > starts_.size() + count(worker_stage::starting);
  }

  /// Returns whether there is a worker of that name.
  [[nodiscard]] bool contains(worker_id id) const noexcept { return entries_.contains(id); }

  /// Returns the number of workers at a stage.
  [[nodiscard]] std::size_t count(worker_stage stage) const noexcept {
    return by_stage_[static_cast<std::size_t>(stage)];
  }

  /// Returns the number of workers in the table, the dead ones that will be started again included.
  [[nodiscard]] std::size_t workers() const noexcept { return entries_.size(); }

  /// Returns the number of batches that a worker holds, 0 for an unknown one.
  [[nodiscard]] std::size_t held(worker_id id) const noexcept;

  /// Returns the number of batches that all workers hold.
  [[nodiscard]] std::size_t credit_in_use() const noexcept { return credit_in_use_; }

  /// Returns how many batches `assign` would find a worker for, trials left aside.
  [[nodiscard]] std::size_t free_credit() const noexcept { return free_credit_; }

  /// Returns a number that grows whenever `free_credit` may have changed.
  [[nodiscard]] std::uint64_t credit_changes() const noexcept { return credit_changes_; }

private:
  struct entry;
  using ready_list = std::list<entry*>; // the latest first
  using wait_list = std::set<std::pair<time_point, worker_id>>;

  struct entry {
    worker_id id = 0;
    worker_stage stage = worker_stage::down;
    bool added = false; // by the batcher, which will start it again
    std::size_t credit = 0;
    std::size_t held = 0;
    std::size_t deaths = 0;          // without a success in between
    std::size_t failures = 0;        // of batches in a row, for the breaker
    std::size_t times_aside = 0;     // without a success on probation in between
    time_point wait_end = {};        // while due or aside
    ready_list seat = {this};        // its node of a list in `ready_` while it is not there
    ready_list::iterator place = {}; // and where it is while it is
    [[nodiscard]] bool is_up() const noexcept { return stage >= worker_stage::serving; }
    [[nodiscard]] std::size_t allowance() const noexcept;
  };

  using entries = std::unordered_map<worker_id, entry>;

  // Each worker is on the one list that its stage and what it holds ask for, or on none. Whoever
  // changes either takes it off before and puts it on again after.
  void list(entry& e);
  void unlist(entry& e);
  void move_to(worker_stage next, entry& e);
  void enter(worker_stage next, entry& e); // one that is on no list
  void erase(entries::iterator it);
  void leave_if_idle(entries::iterator it);

  [[nodiscard]] entry& least_busy(std::optional<worker_id> avoid);
  [[nodiscard]] entry* find_up(worker_id id) noexcept;
  [[nodiscard]] bool is_trial_due(time_point now) const noexcept;
  void start_trials(time_point now);
  [[nodiscard]] duration draw_wait(duration base, std::size_t failures) noexcept;

  supervision rules_;
  std::uint64_t jitter_;
  entries entries_;
  std::vector<ready_list> ready_; // who has credit, by the number of batches held
  wait_list starts_;              // who is due
  wait_list trials_;              // who is aside and holds nothing
  std::array<std::size_t, all_worker_stages.size()> by_stage_ = {};
  std::vector<worker_id> retired_;
  std::size_t credit_in_use_ = 0;
  std::size_t free_credit_ = 0;
  std::uint64_t credit_changes_ = 0;
};

} // namespace batcher
