// SPDX-License-Identifier: BSD-3-Clause
//
// What batcher_core promises, kept in the plainest way: every item, the place that it has or shares,
// and what must become of it. What the core may choose (whose turn it is, how long a wait is) the
// model takes from the core and only checks. What leaves goes to `leaving`, for the schedule to
// compare.

#pragma once

#include "batcher/batcher_core.hpp"
#include "random_options.hpp"
#include "worker_model.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>
#include <vector>

namespace batcher::test {

using number = std::uint32_t; // names an item

struct entry {
  std::size_t content = 0; // equal ones share a place, if they may
  bool is_gone = false;    // nobody waits for it any more
  bool is_inside = false;
  std::size_t place = 0;
  item_id id = 0;
  time_point deadline = time_point::max();
  time_point arrival = {};
};

// What identical items share: they wait, fly and fail together, and leave one by one.
struct place {
  item_place at = item_place::queued;
  std::size_t key = 0;
  std::size_t tenant = 0;
  std::uint8_t priority = 0;
  std::size_t cost = 1;
  std::size_t content = 0;
  time_point since = {};
  std::uint64_t batch = 0; // the flight's or the retry's
  std::uint32_t position = 0;
  std::size_t runs = 0;
  std::vector<number> members;
};

struct left {
  number who;
  errc why;
  batch_id batch = 0;
  std::uint32_t position = 0;
  auto operator<=>(const left&) const = default;
};

using places = std::vector<std::size_t>;

struct lane_model {
  places queued; // oldest first
  std::size_t batches = 0;
  duration turnaround = duration::zero();
  // While it is due: how many batches each other lane got.
  std::array<std::size_t, key_names.size()> passed_by = {};
};

struct flight_model {
  worker_id worker = 0;
  std::size_t key = 0;
  std::size_t attempt = 1;
  time_point timeout_at = time_point::max();
  places seats = {};
  bool is_given_up = false;
};

struct retry_model {
  std::size_t key = 0;
  std::size_t attempt = 2;
  worker_id failed_at = 0;
  time_point oldest = {};
  places seats = {};
};

// A batch as the core handed it out.
struct seen_batch {
  batch_id id;
  worker_id worker;
  std::size_t attempt;
  std::size_t padding;
  std::size_t key;
  std::vector<number> numbers;
};

// What is to be known of a lane before the core is asked for a batch.
struct lane_before {
  std::size_t items = 0;
  std::optional<close_reason> due = {};
};

struct core_model {
  using all_lanes_before = std::array<lane_before, key_names.size()>;

  // -- requests -----------------------------------------------------------------------------------

  errc refusal() const;
  // The place that an item would share.
  std::optional<std::size_t> twin(std::size_t content, std::size_t key) const;
  bool is_full(bool on_credit) const;
  bool is_lane_full(std::size_t key) const;
  bool is_tenant_full(std::size_t key, std::size_t tenant) const;
  errc why_refused(const entry& e, const placement& where, std::size_t key,
                   std::size_t tenant) const;
  // Who gives way to a request is the oldest of its tenant, its lane or one of the longest lanes.
  std::optional<std::size_t> loser(const placement& where, std::size_t key, std::size_t tenant,
                                   std::optional<number> dropped) const;
  void admit(number who, const placement& where, std::size_t key, std::size_t tenant);

  // -- credit -------------------------------------------------------------------------------------

  std::optional<credit_line::grant> next_grant();
  void use_credit();
  std::size_t held() const;

  // -- departure ----------------------------------------------------------------------------------

  void leave(number who, errc why);
  void depart(const left& l);
  // Everybody who shares a place leaves.
  void empty(std::size_t which, errc why, std::uint32_t position = 0);
  void vacate(std::size_t which);
  places live(const places& seats) const;
  // Who left while a batch was being formed was waiting, and nobody wanted it any more.
  void leave_unwanted(number who, errc why);
  bool is_hopeless(const entry& e) const;

  // -- dispatch -----------------------------------------------------------------------------------

  bool is_blocked(std::size_t key) const;
  // Whether and why a lane's batch is due, workers left aside. Adaptive timing may close earlier:
  // when, is the core's to choose.
  std::optional<close_reason> why_due(std::size_t key) const;
  all_lanes_before lanes_before();
  void dispatch(const seen_batch& b, const all_lanes_before& before);
  // A batch that runs again is whole but for those that have left, and is the oldest that may.
  void take_retry(const seen_batch& b, flight_model& f);
  void take_fresh(const seen_batch& b, flight_model& f, const lane_before& before);
  // The next of a tenant: who came first, each priority counting as that much earlier.
  std::optional<std::size_t> front_of(std::size_t key, std::size_t tenant) const;
  // Invariant 2. Returns whether the next item was left because it costs too much.
  bool check_limits(const seen_batch& b, std::size_t cost, std::size_t items_before) const;
  std::size_t padding_of(std::size_t n) const;
  // Lanes take turns: no other gets two batches while one is due.
  void take_turn(std::size_t key, const all_lanes_before& before);
  // Nothing was dispatched, so nothing may be left that could be: invariant 3.
  void expect_dry() const;
  // Whether something stays although a worker is free, as adaptive timing may.
  bool waits_by_choice() const;

  // -- settling -----------------------------------------------------------------------------------

  void earn();
  std::optional<flight_model> land(batch_id id);
  bool complete(batch_id id, const batch_report& report);
  bool fail(batch_id id, errc why);
  void settle_failed(const flight_model& f, errc why);
  void requeue(const flight_model& f, places seats);

  // -- life ---------------------------------------------------------------------------------------

  void expire();
  void expire_items();
  void give_up_late_flights();
  void worker_down(worker_id id);
  void worker_leave(worker_id id);
  void note_outage();
  void reconfigure(options next);
  void drain(duration timeout);
  void abandon(errc why);
  void answer_waiting(errc why);

  // -- queries ------------------------------------------------------------------------------------

  bool is_out() const;
  bool is_idle() const;
  bool has_lane(std::size_t key) const;
  std::size_t lanes_in_use() const;
  std::size_t queued_items() const;
  std::size_t queue_items() const;
  std::size_t in_flight_items() const;
  std::size_t following_items() const;
  std::size_t cost_of(const places& seats) const;
  std::size_t queue_cost() const;
  duration oldest_age() const;
  std::optional<time_point> latest_wakeup() const;

  place& at(number who) { return all_places[items.at(who).place]; }

  // -- state --------------------------------------------------------------------------------------

  options opts;
  bool coalesces = false;
  time_point now = {};
  std::deque<entry> items;
  std::deque<place> all_places;
  std::size_t first_inside = 0; // those before it have left
  std::array<lane_model, key_names.size()> lanes = {};
  std::map<batch_id, flight_model> flights;
  std::map<std::uint64_t, retry_model> retries;
  worker_model workers;
  std::deque<credit_line::grant> asked;
  std::deque<std::pair<time_point, std::size_t>> leases;
  std::vector<left> leaving;
  std::vector<batch_id> given_up;

  bool is_paused = false;
  bool draining = false;
  time_point drain_limit = {};
  errc closed = errc::none;
  std::optional<time_point> out_since;
  bool may_repeat = false; // some options allowed it at some time

  // Budget of the retries. Unit: a quarter of a call.
  std::size_t tokens = 4 * 32;
  std::size_t earned = 0;
  std::uint64_t next_retry = 1;

  std::uint64_t requests = 0;
  std::array<std::uint64_t, all_outcomes.size()> replies = {};
  std::array<std::uint64_t, all_close_reasons.size()> batches = {};
  std::array<std::uint64_t, all_failures.size()> failures = {};
  std::uint64_t bisections = 0;
  std::uint64_t retries_denied = 0;
  std::uint64_t retry_calls = 0;
  std::uint64_t wasted = 0;
  std::uint64_t padding = 0;
  std::uint64_t late = 0;
  std::uint64_t coalesced = 0;
  std::uint64_t heirs = 0;
  std::uint64_t ended = 0;          // batches, as the observer is told
  std::uint64_t ended_arrivals = 0; // items that left with them
};

} // namespace batcher::test
