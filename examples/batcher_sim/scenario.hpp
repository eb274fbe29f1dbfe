// SPDX-License-Identifier: BSD-3-Clause
//
// What is simulated: who asks, who answers, and the batcher in between. A plain struct: copy it,
// change it, hand it to `simulate`.

#pragma once

#include "batcher_sim/arrivals.hpp"
#include "batcher_sim/cost.hpp"

#include <batcher/options.hpp>
#include <batcher/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sim {

struct scenario {
  /// The batcher, shards included. Its `workers` and `observer` are not looked at. With
  /// `overload::wait_for_credit` every client asks for room first, and its time counts from then.
  batcher::options opts = {};

  sim::arrivals arrivals = {};

  sim::cost_model cost = {};

  /// Changes of rate and cost, ascending. A trace takes no change of rate.
  std::vector<change> changes = {};

  /// Workers of all shards together. Range: 1 to 1,000,000.
  std::size_t workers = 1;

  /// Keys that requests have, all equally often. Items of different keys never share a batch.
  /// Range: 1 and up.
  std::size_t keys = 1;

  /// Requests that arrive, unless a trace ends before. Range: 1 and up.
  std::size_t requests = 100'000;

  /// Share of them that comes first and is not measured. Range: 0 to 0.99.
  double warm_up = 0.1;

  /// A result that takes no longer is in time. 0: every one is.
  batcher::duration in_time = batcher::duration::zero();

  /// The same seed draws the same run.
  std::uint64_t seed = 1;

  /// Whether `result::batches` is wanted.
  bool keeps_batches = false;
};

/// Returns one sentence for every problem, those of the batcher's options included. Empty: it can
/// be simulated.
[[nodiscard]] std::vector<std::string> validate(const scenario& what);

/// Returns the options of shard number `shard`, which has its part of the workers. Those beyond the
/// range of `options::workers` are to come up by themselves.
[[nodiscard]] batcher::options options_of(const scenario& what, std::size_t shard);

/// Returns how many workers shard number `shard` has.
[[nodiscard]] std::size_t workers_of(const scenario& what, std::size_t shard) noexcept;

} // namespace sim
