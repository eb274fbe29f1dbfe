// SPDX-License-Identifier: BSD-3-Clause
//
// Which workers there are and how many batches each may still take. Knows nothing of batches but
// how many a worker holds.
//
// Invariant: for every worker, batches held <= credit granted.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

namespace batcher {

/// Names a worker for as long as the batcher lives. Chosen by whoever adds the worker.
using worker_id = std::uint64_t;

/// The workers of one batcher. All operations cost O(log workers).
class worker_table {
public:
  /// Adds a worker that may hold `credit` batches at once.
  /// Preconditions: `id` is not in the table; `credit` is at least 1.
  void join(worker_id id, std::size_t credit);

  /// Removes a worker; what it held is the caller's to settle. Unknown ids are ignored.
  void leave(worker_id id);

  /// Takes one credit of the worker that holds the fewest batches, the last to have become so among
  /// equals (its caches are the warmest). Empty: nobody has credit.
  [[nodiscard]] std::optional<worker_id> assign();

  /// Gives one credit back. Workers that have left are ignored.
  void release(worker_id id);

  /// Returns whether `assign` would find a worker.
  [[nodiscard]] bool has_credit() const noexcept { return !ready_.empty(); }

  /// Returns the number of workers.
  [[nodiscard]] std::size_t workers() const noexcept { return entries_.size(); }

  /// Returns the number of batches that a worker holds, 0 for an unknown one.
  [[nodiscard]] std::size_t held(worker_id id) const noexcept;

private:
  struct entry {
    std::size_t credit = 0;
    std::size_t held = 0;
    std::uint64_t since = 0;
  };

  // Fewest batches first, then latest; `since` counts down, so that the latest sorts first.
  using rank = std::pair<std::size_t, std::uint64_t>;

  void enter_ready(worker_id id, entry& e);

  std::unordered_map<worker_id, entry> entries_;
  std::set<std::pair<rank, worker_id>> ready_;
  std::uint64_t next_since_ = UINT64_MAX;
};

} // namespace batcher
