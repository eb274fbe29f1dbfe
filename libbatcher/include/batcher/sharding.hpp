// SPDX-License-Identifier: BSD-3-Clause
//
// How a batcher is divided into several that run side by side: what each gets, which limits they
// keep together, and which of them takes a request.

#pragma once

#include "batcher/live_counters.hpp"
#include "batcher/options.hpp"
#include "batcher/shared_room.hpp"
#include "batcher/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace batcher {

/// The limits that the shards of a batcher keep together.
struct shared_limits {
  /// Precondition: `validate(opts)` is empty.
  explicit shared_limits(const options& opts);

  void update(const options& opts) noexcept;

  shared_room queue_items;
  shared_room following_items;
  /// By key only: by load, a key may have a lane in each shard and counts in each by itself.
  shared_room lanes;
};

/// Returns the options of shard number `shard`, counted from 0, which has its part of the workers.
/// Precondition: `shard < opts.shards`.
[[nodiscard]] options share_of(const options& opts, std::size_t shard);

/// Returns the shard of a key.
[[nodiscard]] std::size_t shard_of(std::string_view key, std::size_t shards) noexcept;

/// Where batches take less, a free worker of another shard is no reason to go there: it costs as much,
/// since senders of all threads would meet in every shard. Measured with a function that does nothing
/// (bench_hot_path): half of the rate of staying.
inline constexpr duration least_worth_leaving = std::chrono::microseconds{50};

/// Returns a number that is less for a shard that should get a request rather than another one, and
/// the same where that would not pay: batches that wait for a worker are a reason to leave a shard,
/// and a busy worker if it takes its time; a batch that begins to fill is none.
[[nodiscard]] constexpr std::uint64_t pressure(const work_load& load,
                                               std::size_t max_batch_items) noexcept {
  if (!load.is_served) return std::numeric_limits<std::uint64_t>::max();
  bool is_busy = load.in_flight_items > 0 && load.batch_time >= least_worth_leaving;
  return load.queue_items / max_batch_items + (is_busy ? 1 : 0);
}

/// Returns the shard with the least pressure, the first one from `home` on. `pressure_of(shard)`
/// returns that of a shard. Precondition: `home < shards`.
template <class F>
[[nodiscard]] std::size_t least_pressed(std::size_t shards, std::size_t home, F pressure_of) {
  auto best = home;
  auto least = pressure_of(home);
  for (std::size_t i = 1; i < shards && least > 0; ++i) {
    auto other = (home + i) % shards;
    auto pressure = pressure_of(other);
    if (pressure >= least) continue;
    best = other;
    least = pressure;
  }
  return best;
}

} // namespace batcher
