// SPDX-License-Identifier: BSD-3-Clause
//
// One random schedule: the core and its model side by side, in virtual time. After every call what
// departed is compared, after every step everything that can be asked.

#pragma once

#include "batcher/batcher_core.hpp"
#include "batcher/observer.hpp"
#include "core_model.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace batcher::test {

// How many schedules reached what.
using reached = std::map<std::pair<std::string_view, std::string_view>, int>;

struct test_item {
  std::unique_ptr<number> who;
  const entry* known = nullptr;
  bool is_abandoned() const { return known->is_gone; }
};

// Counts the batches that it is told of.
struct counting_observer : observer {
  void on_batch(const batch_record& record) noexcept override {
    ++batches;
    arrivals += record.arrivals.size();
    is_in_order = is_in_order && record.ready_at <= record.dispatched_at
                  && record.dispatched_at <= record.finished_at;
  }
  std::uint64_t batches = 0;
  std::uint64_t arrivals = 0;
  bool is_in_order = true;
};

class schedule {
public:
  explicit schedule(std::uint64_t bits);

  // What one step does is drawn from its bits.
  void take(std::uint64_t bits);

  // Nothing more is asked, every worker is well and time passes: everything that is still inside
  // leaves, though the core is called only when it wants to be.
  void finish();

  void add_to(reached& all) const;

private:
  using core_type = batcher_core<test_item>;

  // requests
  void admit(dice& d);
  void cancel(dice& d);
  void lose_sender(dice& d);
  void ask_credit(dice& d);

  // workers
  void finish_start(dice& d);
  void worker_up(worker_id id, std::size_t credit);
  void worker_down(dice& d);
  void worker_leave(dice& d);

  // batches
  std::optional<batch_id> pick_flight(dice& d) const;
  void complete(dice& d);
  void complete(batch_id id, const batch_report& report);
  void fail(dice& d);

  // life
  void advance(dice& d);
  void wait_for_deadline();
  void live(dice& d);

  // what a driver does after every call
  void drive();
  std::size_t drive_once();
  std::size_t expire();
  std::size_t take_starts();
  std::size_t take_grants();
  std::size_t take_batches();

  // comparison
  std::size_t settle();
  void check_sharing() const;
  void check();
  void check_counters(const counter_values& values);
  void check_wakeup();
  time_point clock() const { return model_.now - skew_; }
  void note(std::string_view what) { notes_.insert(what); }

  std::shared_ptr<counting_observer> observer_ = std::make_shared<counting_observer>();
  core_model model_;
  std::unique_ptr<core_type> core_;
  bool fails_often_ = false;
  worker_id next_guest_ = 1'000; // of those that come by themselves
  std::uint64_t next_ticket_ = 0;
  duration skew_ = duration::zero(); // how far the clock has gone back for one step
  std::set<std::string_view> notes_; // what was reached
};

} // namespace batcher::test
