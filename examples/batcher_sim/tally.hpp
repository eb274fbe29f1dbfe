// SPDX-License-Identifier: BSD-3-Clause
//
// Counts what happens in a simulation. Decides nothing.

#pragma once

#include "batcher_sim/result.hpp"
#include "batcher_sim/scenario.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sim {

/// A request on its way.
struct request {
  batcher::duration arrived = batcher::duration::zero(); ///< Since the start.
  std::uint64_t number = 0;                              ///< 0, 1, ...
};

/// All instants count from the start and never decrease from call to call.
class tally {
public:
  explicit tally(const scenario& what);

  void arrived(const request& r);

  /// The latest arrival was the last one.
  void no_more_arrivals();

  void answered(batcher::duration now, const request& r, batcher::errc with);

  void dispatched(batcher::duration now, std::size_t items);

  /// A worker was busy from `begin` to `end`, which is over.
  void worked(batcher::duration begin, batcher::duration end);

  /// Items that wait for dispatch from now on.
  void queued(batcher::duration now, std::size_t items);

  void finished(const batch_record& batch) { out_.batches_in_order.push_back(batch); }

  /// Returns the result of a run that ended at `now`.
  [[nodiscard]] result take(batcher::duration now);

private:
  struct group {
    std::uint64_t values = 0;
    double sum = 0; // ns
  };

  [[nodiscard]] bool is_in_window(batcher::duration now) const noexcept;
  [[nodiscard]] batcher::duration mean_error() const;

  const scenario* what_;
  result out_;
  std::uint64_t first_ = 0;   // measured request
  std::uint64_t planned_ = 0; // requests
  batcher::duration last_arrival_ = batcher::duration::zero();
  std::optional<batcher::duration> begin_; // of the window
  std::optional<batcher::duration> end_;
  std::array<group, 20> groups_ = {};
  timeline queue_;
  double queue_area_ = 0; // within the window, items times ns
  batcher::duration queue_since_ = batcher::duration::zero();
  std::size_t queue_items_ = 0;
  std::uint64_t items_ = 0;
  std::uint64_t served_ = 0;
  std::uint64_t in_time_ = 0;
  double busy_ = 0; // ns
};

} // namespace sim
