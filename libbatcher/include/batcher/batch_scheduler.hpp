// SPDX-License-Identifier: BSD-3-Clause
//
// The batcher's decisions: who is admitted, which items leave together, when, to whom, and what
// becomes of them. It works on slots, not on items: `batcher_core` keeps the items beside it and is
// what a driver uses; the rules of both are written there.
//
//     admit --> lane --next_batch--> flight --complete--> departure with a result
//                                      |  ^
//                                 fail |  | next_batch
//                                      v  |
//                                 retry batch             everything else --> departure with a code
//
// An item that leaves becomes a departure at once and its slot is free only after
// `clear_departures`, so that the owner of the items can take it out.

#pragma once

#include "batcher/batch.hpp"
#include "batcher/batch_queue.hpp"
#include "batcher/credit_line.hpp"
#include "batcher/deadlines.hpp"
#include "batcher/drain_rate.hpp"
#include "batcher/errc.hpp"
#include "batcher/flight.hpp"
#include "batcher/item.hpp"
#include "batcher/item_table.hpp"
#include "batcher/live_counters.hpp"
#include "batcher/options.hpp"
#include "batcher/retry.hpp"
#include "batcher/sharding.hpp"
#include "batcher/stats.hpp"
#include "batcher/time.hpp"
#include "batcher/worker_outlook.hpp"
#include "batcher/worker_table.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

namespace batcher {

/// Single-threaded by contract, tied to no thread. No clock, no lock, no I/O.
class batch_scheduler {
public:
  /// An item that has left.
  struct departure {
    slot_number slot = no_slot;
    /// `none`: with the result at `position` of the batch that is being completed.
    errc outcome = errc::none;
    /// The batch that its worker still holds, 0 if there is none or others still want the result.
    batch_id batch = 0;
    std::uint32_t position = 0;
    /// Whether the next departure is to get a copy of the same result.
    bool shares_result = false;
    /// Who has taken its place: an identical item that shared it.
    slot_number heir = no_slot;
  };

  struct admission {
    errc refused = errc::none;
    slot_number slot = no_slot;
    item_id id = 0;
  };

  /// A batch to be handed to a worker. The spans are valid until it is settled.
  struct batch {
    batch_id id = 0;
    worker_id worker = 0;
    std::size_t attempt = 1;
    std::size_t padding_items = 0;
    std::string_view key;
    std::span<const slot_number> slots;
  };

  /// Says of a slot whether whoever sent its item wants no answer any more. A plain function and what
  /// it is about: it is asked for each item.
  struct abandoned_check {
    bool (*ask)(const void* about, slot_number slot) = nullptr;
    const void* about = nullptr;
  };

  /// Precondition: `validate(opts)` is empty. `seed` as in `worker_table`. `shared`: of the shards of
  /// one batcher, if this is one.
  batch_scheduler(options opts, std::uint64_t seed, abandoned_check is_abandoned,
                  std::shared_ptr<shared_limits> shared = {});
  batch_scheduler(const batch_scheduler&) = delete;
  batch_scheduler& operator=(const batch_scheduler&) = delete;

  // -- requests -----------------------------------------------------------------------------------

  /// `leader`: an item in the same lane whose place is to be shared.
  [[nodiscard]] admission admit(time_point now, const placement& where,
                                slot_number leader = no_slot);
  /// Admits the first of `items` items, and returns their slots, valid until the next call.
  [[nodiscard]] std::span<const slot_number> admit_run(time_point now, const placement& where,
                                                       std::size_t items);
  errc refuse(time_point now, errc why);
  bool cancel(time_point now, item_id id);
  void ask_credit(time_point now, std::uint64_t ticket, std::size_t items);
  [[nodiscard]] std::optional<credit_line::grant> next_grant(time_point now);
  void revoke_grant() noexcept { credit_.revoke(); }

  // -- batches ------------------------------------------------------------------------------------

  [[nodiscard]] std::optional<batch> next_batch(time_point now);
  [[nodiscard]] bool has_full_batch() const noexcept {
    return queue_items() >= trigger_items(opts_);
  }
  bool complete(time_point now, batch_id id, const batch_report& report);
  bool fail(time_point now, batch_id id, errc why, duration executed);
  [[nodiscard]] std::optional<batch_id> take_given_up() {
    if (given_up_.empty()) return std::nullopt;
    auto id = given_up_.back();
    given_up_.pop_back();
    return id;
  }
  [[nodiscard]] std::span<const departure> departures() const noexcept { return departures_; }
  void clear_departures();

  // -- workers ------------------------------------------------------------------------------------

  [[nodiscard]] std::optional<worker_id> next_start(time_point now);
  [[nodiscard]] bool has_start(time_point now) const noexcept {
    return !is_closed() && (own_workers_.size() < opts_.workers || workers_.has_start(now));
  }
  [[nodiscard]] std::optional<worker_id> take_retired() { return workers_.take_retired(); }
  void worker_up(time_point now, worker_id id, std::size_t credit);
  void worker_down(time_point now, worker_id id);
  void worker_leave(time_point now, worker_id id);

  // -- life ---------------------------------------------------------------------------------------

  void expire(time_point now);
  void pause() noexcept { is_paused_ = true; }
  void resume() noexcept { is_paused_ = false; }
  void reconfigure(time_point now, options opts);
  void drain(time_point now, duration timeout);
  void abandon(time_point now, errc why);

  // -- queries ------------------------------------------------------------------------------------

  [[nodiscard]] std::optional<time_point> next_deadline() {
    auto at = deadline();
    return at == time_point::max() ? std::nullopt : std::optional{at};
  }
  [[nodiscard]] errc refusal() const noexcept;
  [[nodiscard]] bool is_idle() const noexcept { return table_.items() == departures_.size(); }
  [[nodiscard]] bool is_closed() const noexcept { return closed_ != errc::none; }
  [[nodiscard]] bool is_paused() const noexcept { return is_paused_; }
  [[nodiscard]] bool is_drained() const noexcept {
    return is_closed() || (draining_since_ && is_idle());
  }
  [[nodiscard]] duration retry_after(time_point now) const noexcept;
  [[nodiscard]] duration turnaround(std::string_view key) const;
  [[nodiscard]] batcher_stats stats(time_point now);

  [[nodiscard]] std::size_t queue_items() const noexcept { return queue_.items() + retry_items_; }
  [[nodiscard]] std::size_t room_taken() const noexcept {
    return queue_room_.taken_by_all(queue_items());
  }
  [[nodiscard]] std::size_t in_flight_items() const noexcept { return in_flight_items_; }
  [[nodiscard]] std::size_t following_items() const noexcept { return following_items_; }
  [[nodiscard]] const worker_table& workers() const noexcept { return workers_; }
  [[nodiscard]] const item_table& items() const noexcept { return table_; }
  [[nodiscard]] const options& opts() const noexcept { return opts_; }
  [[nodiscard]] std::shared_ptr<const live_counters> counters() const noexcept { return counters_; }

private:
  using flights = std::map<batch_id, flight>; // in the order of dispatch
  using retries = std::map<batch_id, retry_batch>;

  // A clock that runs backwards is held at the latest instant seen.
  time_point forward(time_point now) { return last_now_ = std::max(last_now_, now); }

  // admission
  [[nodiscard]] errc check(const placement& where) const noexcept;
  [[nodiscard]] bool is_queue_full() noexcept;
  [[nodiscard]] std::size_t plain_room(const placement& where, const lane& in, std::size_t items);
  void enter(time_point now, const placement& where, slot_number slot);
  [[nodiscard]] bool has_deadline(const placement& where) const noexcept {
    return opts_.request_timeout > duration::zero() || where.timeout > duration::zero();
  }
  void set_deadline(time_point now, const placement& where, slot_number slot, slot_number leader);
  [[nodiscard]] errc find_room(const placement& where, lane*& to, slot_number& loser);
  [[nodiscard]] errc find_room_to_follow() noexcept;
  void drop(time_point now, slot_number loser);
  void follow(slot_number leader, slot_number slot, bool on_credit);

  // departure
  void depart(const departure& left);
  void depart_all(const batch_slots& slots, errc outcome);
  void leave_early(time_point now, slot_number slot, errc why);
  [[nodiscard]] slot_number promote_follower(slot_number leader);
  [[nodiscard]] errc why_unwanted(time_point horizon, slot_number slot) const {
    auto deadline = table_[slot].deadline;
    if (deadline != time_point::max() && deadline <= horizon) return errc::expired;
    bool is_abandoned = is_abandoned_.ask && is_abandoned_.ask(is_abandoned_.about, slot);
    return is_abandoned ? errc::cancelled : errc::none;
  }
  [[nodiscard]] slot_number first_wanted(time_point horizon, slot_number slot);

  // batches
  [[nodiscard]] flights::node_type new_flight();
  void keep(flights::node_type ended);
  void take_due(time_point now, lane& due, flight& f);
  void take_line(time_point now, time_point behind, lane& due, std::size_t limit, batch_slots& to);
  [[nodiscard]] retries::iterator next_retry() noexcept;
  void take_retry(time_point now, retries::iterator it, flight& f);
  const flight& dispatch(time_point now, flights::node_type node, std::optional<worker_id> avoid);
  [[nodiscard]] batch latest(const flight& f) const;
  void forget_retry(time_point now, retries::iterator it);

  // settling
  [[nodiscard]] flights::node_type land(time_point now, batch_id id);
  void note_return(time_point now, flight& f);
  void learn(time_point now, const flight& f);
  void deliver(const flight& f, const batch_report& report);
  void settle_failed(time_point now, flight& f, errc why, duration executed);
  void requeue(time_point now, const flight& f, batch_slots slots);
  void give_up(time_point now, batch_id id);
  void observe(time_point now, const flight& f, errc outcome, std::size_t item_errors,
               duration executed);
  void end_flight(time_point now, flights::node_type node);

  // life
  // Whether no worker will come again.
  [[nodiscard]] bool is_deserted() const noexcept {
    return workers_.workers() == 0 && opts_.workers > 0;
  }
  [[nodiscard]] bool is_out(time_point now) const noexcept;
  void note_outage(time_point now) noexcept;
  [[nodiscard]] std::size_t cost_of(const batch_slots& slots) const noexcept;
  void answer_waiting(errc why);
  void publish() noexcept;
  [[nodiscard]] time_point deadline(); // the clock's largest for never
  [[nodiscard]] bool is_item_deadline(time_point at, std::uint64_t id) const noexcept;
  [[nodiscard]] bool is_flight_deadline(time_point at, std::uint64_t id) const noexcept;

  options opts_;
  std::shared_ptr<shared_limits> shared_;
  room_share queue_room_;
  room_share following_room_;
  abandoned_check is_abandoned_;
  item_table table_;
  worker_table workers_;
  worker_outlook outlook_{workers_};
  batch_queue queue_;
  flights flights_;
  retries retries_;
  retry_budget budget_;
  drain_rate rate_;
  credit_line credit_;
  deadlines item_deadlines_;
  deadlines flight_deadlines_;
  std::vector<departure> departures_;
  std::vector<batch_id> given_up_;
  std::vector<flights::node_type> spare_flights_; // memory of those that have ended
  std::vector<slot_number> run_;                  // what `admit_run` returned
  std::vector<time_point> arrivals_;              // of the batch that is being settled
  std::size_t retry_items_ = 0;
  std::size_t retry_cost_ = 0;
  std::size_t in_flight_items_ = 0;
  std::size_t following_items_ = 0;
  batch_id last_batch_ = 0;
  time_point last_now_;
  std::optional<time_point> out_since_; // since when no worker is up, one that starts left aside
  std::optional<time_point> draining_since_;
  time_point drain_limit_;
  errc closed_ = errc::none;
  bool is_paused_ = false;
  std::vector<worker_id> own_workers_; // those that the options ask for
  worker_id next_worker_ = 0;
  std::set<worker_id> started_;
  std::shared_ptr<live_counters> counters_ = std::make_shared<live_counters>();
};

} // namespace batcher
