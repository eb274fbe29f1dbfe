// SPDX-License-Identifier: BSD-3-Clause
//
// A batcher in virtual time: `batcher_core` itself, driven by an event loop instead of by actors.
// Nothing of its rules is imitated here. What is idealised is the rest: reading the clock,
// messages (but for `cost_model::wire`) and timers cost nothing and are never late.
//
//     batcher::options opts{.max_batch_items = 64, .when_idle = batcher::when_idle::immediate};
//     auto r = sim::simulate({.opts = opts, .arrivals = {.rate = 20'000}, .workers = 2});
//     std::cout << r.p95.count() << " ns\n";
//
// A worker runs its batches one after the other, in the order in which they were handed to it, and
// never stops before its time, even if its batch was given up. None dies. An arrival comes after
// all else that happens at the same instant.
//
// Cost: O(log workers) for each batch and, by load, O(shards) for each request.
// Single-threaded; runs of different threads do not touch each other.

#pragma once

#include "batcher_sim/result.hpp"
#include "batcher_sim/scenario.hpp"

namespace sim {

/// Runs the scenario until every request has been answered. Precondition: `validate(what)` is
/// empty. The same scenario gives the same result.
[[nodiscard]] result simulate(const scenario& what);

} // namespace sim
