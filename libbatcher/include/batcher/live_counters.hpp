// SPDX-License-Identifier: BSD-3-Clause
//
// Plain counters that the core keeps on its hot path and that anybody may read: a monitor pulls
// them at each scrape, so that gauges are true at that moment and no request pays for a metric.
//
// Thread rule: one writer at a time (whoever calls the core), any number of readers. A store is a
// plain move on x86. Readers see each counter no older than the ones it derives from, so that no
// difference ever turns negative; two counters of one reading may still be a few requests apart.

#pragma once

#include "batcher/errc.hpp"
#include "batcher/time.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace batcher {

/// How a request was answered. Every request ends in exactly one of these.
enum class outcome : std::uint8_t {
  /// With the batch function's result.
  ok,
  /// With the error that the batch function gave to this very item.
  item_error,
  /// With the code of the same name in `errc`, from here on.
  queue_full,
  draining,
  shut_down,
  no_workers,
  worker_lost,
  batch_failed,
  result_count_mismatch,
  expired,
  cancelled,
  dropped,
  too_costly,
  too_many_lanes,
  batch_timeout,
  invalid_request,
};

/// Why a batch was closed.
enum class close_reason : std::uint8_t {
  /// It holds `max_batch_items`, or `preferred_batch_items` and a worker was free.
  size,
  /// It holds `max_batch_cost`, or the next item would not fit.
  cost,
  /// Its oldest item has waited `max_delay`.
  deadline,
  /// A worker was idle and the batcher does not wait for more (`when_idle::immediate`), or waiting
  /// for more did not pay (`when_idle::adaptive`).
  idle,
  /// The batcher drains and waits for no window.
  drain,
  /// It has run before and failed.
  retry,
};

/// How a batch failed as a whole.
enum class failure : std::uint8_t {
  /// With the code of the same name in `errc`.
  worker_lost,
  batch_failed,
  result_count_mismatch,
  batch_timeout,
};

/// What a worker is doing.
enum class worker_stage : std::uint8_t {
  /// It is dead and waits to be started again.
  down,
  /// It was started and is not ready yet.
  starting,
  /// It takes batches.
  serving,
  /// It failed too often and gets no batches for a while.
  aside,
  /// It was aside and gets a single batch to prove itself.
  probation,
  /// It finishes what it holds and ends.
  retiring,
};

inline constexpr std::array all_outcomes{
  outcome::ok,
  outcome::item_error,
  outcome::queue_full,
  outcome::draining,
  outcome::shut_down,
  outcome::no_workers,
  outcome::worker_lost,
  outcome::batch_failed,
  outcome::result_count_mismatch,
  outcome::expired,
  outcome::cancelled,
  outcome::dropped,
  outcome::too_costly,
  outcome::too_many_lanes,
  outcome::batch_timeout,
  outcome::invalid_request,
};

inline constexpr std::array all_close_reasons{
  close_reason::size, close_reason::cost,  close_reason::deadline,
  close_reason::idle, close_reason::drain, close_reason::retry,
};

inline constexpr std::array all_failures{
  failure::worker_lost,
  failure::batch_failed,
  failure::result_count_mismatch,
  failure::batch_timeout,
};

inline constexpr std::array all_worker_stages{
  worker_stage::down,  worker_stage::starting,  worker_stage::serving,
  worker_stage::aside, worker_stage::probation, worker_stage::retiring,
};

/// Returns the enumerator's name. The text lives for ever.
[[nodiscard]] std::string_view to_string(outcome x) noexcept;
[[nodiscard]] std::string_view to_string(close_reason x) noexcept;
[[nodiscard]] std::string_view to_string(failure x) noexcept;
[[nodiscard]] std::string_view to_string(worker_stage x) noexcept;

/// Returns the outcome that a request answered with `code` counts under.
/// Precondition: `is_of_batcher(code)`.
[[nodiscard]] outcome outcome_of(errc code) noexcept;

/// Returns the failure that a batch with that outcome counts under; nothing if it did not fail by
/// itself.
[[nodiscard]] std::optional<failure> failure_of(errc code) noexcept;

/// One reading of the counters. All but the gauges only ever grow.
struct counter_values {
  /// Requests that reached the batcher.
  std::uint64_t requests = 0;
  /// Requests answered, by outcome, in the order of `all_outcomes`.
  std::array<std::uint64_t, all_outcomes.size()> replies = {};
  /// Batches dispatched, by reason, in the order of `all_close_reasons`.
  std::array<std::uint64_t, all_close_reasons.size()> batches = {};
  /// Batches that failed, by kind, in the order of `all_failures`. Those that run again count each
  /// time.
  std::array<std::uint64_t, all_failures.size()> failures = {};
  /// Failed batches that were halved.
  std::uint64_t bisections = 0;
  /// Failed batches that would have run again, had the budget not been used up.
  std::uint64_t retries_denied = 0;
  /// Items that were executed although nobody waited for them any more.
  std::uint64_t wasted_items = 0;
  /// Items that batches lacked to a size that the backend takes.
  std::uint64_t padding_items = 0;
  /// Answers of workers that came after their batch was given up.
  std::uint64_t late_answers = 0;
  /// Requests that shared the place of an identical one.
  std::uint64_t coalesced = 0;
  /// Workers that were started again.
  std::uint64_t restarts = 0;

  /// Gauge: items that wait for dispatch, those of failed batches that will run again included.
  std::uint64_t queue_items = 0;
  /// Gauge: their cost.
  std::uint64_t queue_cost = 0;
  /// Gauge: items that workers hold.
  std::uint64_t in_flight_items = 0;
  /// Gauge: lanes with items or batches.
  std::uint64_t lanes = 0;
  /// Gauge: workers by what they do, in the order of `all_worker_stages`.
  std::array<std::uint64_t, all_worker_stages.size()> workers = {};

  /// Returns the sum of `replies`. Requests minus this are pending.
  [[nodiscard]] std::uint64_t replied() const noexcept;

  /// Adds what another batcher has counted; `add_totals` all but the gauges, `add_gauges` those.
  void add_totals(const counter_values& other) noexcept;
  void add_gauges(const counter_values& other) noexcept;
};

/// What a batcher has to do just now.
struct work_load {
  std::uint64_t queue_items = 0;
  std::uint64_t in_flight_items = 0;
  /// What the latest batch took inside the batch function; zero before there was one.
  duration batch_time = duration::zero();
  /// Whether a worker is up.
  bool is_served = false;
};

/// The counters themselves.
class live_counters {
public:
  // -- the core's side: one caller at a time ------------------------------------------------------

  void on_request(std::size_t items = 1) noexcept { add(requests_, items); }
  void on_admitted(std::size_t items = 1) noexcept { add(admitted_, items); }
  void on_coalesced() noexcept { add(coalesced_, 1); }
  void on_dispatched(close_reason reason, std::size_t items, std::size_t padding) noexcept;
  /// Counts queued items that leave without being dispatched.
  void on_dequeued(std::size_t items) noexcept { add(dequeued_, items); }
  /// Counts items that workers no longer hold.
  void on_returned(std::size_t items) noexcept { add(returned_, items); }
  /// Counts items of a failed batch that wait for dispatch again.
  void on_requeued(std::size_t items) noexcept { add(admitted_, items); }
  void on_replied(outcome how, std::size_t items) noexcept;
  void on_failure(failure how) noexcept { add(failures_[static_cast<std::size_t>(how)], 1); }
  void on_bisection() noexcept { add(bisections_, 1); }
  void on_retry_denied() noexcept { add(retries_denied_, 1); }
  void on_wasted(std::size_t items) noexcept { add(wasted_, items); }
  void on_late_answer() noexcept { add(late_, 1); }
  void on_restart() noexcept { add(restarts_, 1); }
  void set_batch_time(duration executed) noexcept {
    set(batch_time_, static_cast<std::uint64_t>(executed.count()));
  }
  void set_queue_cost(std::size_t cost) noexcept { set(queue_cost_, cost); }
  void set_lanes(std::size_t lanes) noexcept { set(lanes_, lanes); }
  void set_workers(worker_stage stage, std::size_t workers) noexcept {
    set(workers_[static_cast<std::size_t>(stage)], workers);
  }

  // -- any thread ---------------------------------------------------------------------------------

  [[nodiscard]] counter_values read() const noexcept;
  /// Costs less than the whole reading.
  [[nodiscard]] work_load read_load() const noexcept;

private:
  using counter = std::atomic<std::uint64_t>;

  static void add(counter& to, std::uint64_t n) noexcept {
    to.store(to.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }

  static void set(counter& to, std::uint64_t n) noexcept { to.store(n, std::memory_order_release); }

  counter requests_ = 0;
  counter admitted_ = 0; // once more for each time that an item is queued again
  counter dequeued_ = 0;
  counter dispatched_ = 0;
  counter returned_ = 0;
  counter coalesced_ = 0;
  counter bisections_ = 0;
  counter retries_denied_ = 0;
  counter wasted_ = 0;
  counter padding_ = 0;
  counter late_ = 0;
  counter restarts_ = 0;
  counter batch_time_ = 0; // in nanoseconds
  counter queue_cost_ = 0;
  counter lanes_ = 0;
  std::array<counter, all_outcomes.size()> replies_ = {};
  std::array<counter, all_close_reasons.size()> batches_ = {};
  std::array<counter, all_failures.size()> failures_ = {};
  std::array<counter, all_worker_stages.size()> workers_ = {};
};

} // namespace batcher
