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

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
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
};

/// Why a batch was closed.
enum class close_reason : std::uint8_t {
  /// It holds `max_batch_items`.
  size,
  /// Its oldest item has waited `max_delay`.
  deadline,
  /// A worker was idle and the batcher does not wait for more (`when_idle::immediate`).
  idle,
  /// The batcher drains and waits for no window.
  drain,
};

inline constexpr std::array all_outcomes{
  outcome::ok,          outcome::item_error,   outcome::queue_full,
  outcome::draining,    outcome::shut_down,    outcome::no_workers,
  outcome::worker_lost, outcome::batch_failed, outcome::result_count_mismatch,
};

inline constexpr std::array all_close_reasons{
  close_reason::size,
  close_reason::deadline,
  close_reason::idle,
  close_reason::drain,
};

/// Returns the enumerator's name. The text lives for ever.
[[nodiscard]] std::string_view to_string(outcome x) noexcept;
[[nodiscard]] std::string_view to_string(close_reason x) noexcept;

/// Returns the outcome that a request answered with `code` counts under.
/// Precondition: `code` is not `none`.
[[nodiscard]] outcome outcome_of(errc code) noexcept;

/// One reading of the counters. All but the two gauges only ever grow.
struct counter_values {
  /// Requests that reached the batcher.
  std::uint64_t requests = 0;
  /// Requests answered, by outcome, in the order of `all_outcomes`.
  std::array<std::uint64_t, all_outcomes.size()> replies = {};
  /// Batches dispatched, by reason, in the order of `all_close_reasons`.
  std::array<std::uint64_t, all_close_reasons.size()> batches = {};
  /// Gauge: items that wait for dispatch.
  std::uint64_t queue_items = 0;
  /// Gauge: items that workers hold.
  std::uint64_t in_flight_items = 0;

  /// Returns the sum of `replies`. Requests minus this are pending.
  [[nodiscard]] std::uint64_t replied() const noexcept;
};

/// The counters themselves.
class live_counters {
public:
  // -- the core's side: one caller at a time ------------------------------------------------------

  void on_request() noexcept { add(requests_, 1); }
  void on_admitted() noexcept { add(admitted_, 1); }
  void on_dispatched(close_reason reason, std::size_t items) noexcept;
  /// Counts queued items that leave without being dispatched.
  void on_dequeued(std::size_t items) noexcept { add(dequeued_, items); }
  /// Counts items that workers no longer hold.
  void on_returned(std::size_t items) noexcept { add(returned_, items); }
  void on_replied(outcome how, std::size_t items) noexcept;

  // -- any thread ---------------------------------------------------------------------------------

  [[nodiscard]] counter_values read() const noexcept;

private:
  using counter = std::atomic<std::uint64_t>;

  static void add(counter& to, std::uint64_t n) noexcept {
    to.store(to.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }

  counter requests_ = 0;
  counter admitted_ = 0;
  counter dequeued_ = 0;
  counter dispatched_ = 0;
  counter returned_ = 0;
  std::array<counter, all_outcomes.size()> replies_ = {};
  std::array<counter, all_close_reasons.size()> batches_ = {};
};

} // namespace batcher
