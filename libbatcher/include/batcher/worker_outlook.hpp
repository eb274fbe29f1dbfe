// SPDX-License-Identifier: BSD-3-Clause
//
// When the batches that workers hold are expected back, and how fast each worker is. Kept only for
// `when_idle::adaptive`.
//
// A worker that holds several batches runs them one after the other: one that is dispatched to a
// busy worker is expected its own time after the one before it, and what it took counts from the
// return of that one. A worker's speed is the mean of what its batches took by what the model of
// their lane predicted.

#pragma once

#include "batcher/time.hpp"
#include "batcher/worker_table.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace batcher {

/// O(batches in flight) for the bytes that one insertion moves, all else O(1). Not safe for
/// concurrent use.
class worker_outlook {
public:
  /// `workers` must outlive it.
  explicit worker_outlook(const worker_table& workers) : workers_{&workers} {}

  /// A batch goes to a worker; by its lane it takes `predicted`, zero if that is unknown. Returns
  /// when it is expected back, the clock's largest if nobody knows.
  [[nodiscard]] time_point expect(time_point now, worker_id id, duration predicted);

  /// It is back, or lost, and was `expected` then. Returns how long its worker was at it.
  duration forget(time_point now, worker_id id, time_point dispatched, time_point expected);

  /// Learns from a batch that went well.
  void learn(worker_id id, duration took, duration predicted);

  /// The worker is gone.
  void erase(worker_id id) { known_.erase(id); }

  /// Returns all expected returns, ascending, those that are overdue included.
  [[nodiscard]] std::span<const time_point> returns() const noexcept { return returns_; }

  /// Returns how many batches could be dispatched.
  [[nodiscard]] std::size_t free_credit(time_point now) const noexcept;

  /// Returns how many workers take batches.
  [[nodiscard]] std::size_t workers() const noexcept {
    return workers_->count(worker_stage::serving);
  }

  /// Returns a number that differs whenever any of that may have changed.
  [[nodiscard]] std::uint64_t version() const noexcept {
    return changes_ + workers_->credit_changes();
  }

private:
  struct worker {
    time_point returned;   // its latest batch
    time_point busy_until; // as expected
    double slowness = 1;   // what it takes by what is predicted
  };

  const worker_table* workers_;
  std::vector<time_point> returns_;
  std::unordered_map<worker_id, worker> known_;
  std::uint64_t changes_ = 0;
};

} // namespace batcher
