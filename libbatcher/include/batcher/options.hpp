// SPDX-License-Identifier: BSD-3-Clause
//
// Every knob of a batcher, with its unit, default, range and the effect of 0. A plain struct: copy
// it, change it, hand it over. Nothing here is repaired silently; `validate` says what is wrong.

#pragma once

#include "batcher/retry.hpp"
#include "batcher/time.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace batcher {

class observer;

/// What a batcher does with a partial batch while a worker is idle.
enum class when_idle : std::uint8_t {
  /// Keep collecting until the batch is full or its oldest item has waited `max_delay`. Fullest
  /// batches; every lone request pays the whole window.
  fill,
  /// Dispatch at once: an idle worker never waits. Batches form by themselves while workers are
  /// busy and `max_delay` has no effect. Lowest latency at low load.
  immediate,
  /// Wait only as long as that pays, by what was learned of the arrivals and the workers
  /// (adaptive_window.hpp): until the batch holds what arrives between two returns of workers that
  /// run in turn, never so long that an item's deadline would be missed, and never beyond
  /// `max_delay`, which is best set to what a full batch takes, or more. One worker never waits.
  adaptive,
};

/// What a backend that takes only certain sizes is given when the batch at hand has another.
enum class size_rounding : std::uint8_t {
  /// The largest allowed size that can be filled; the rest waits. Below the smallest one, and where
  /// `max_batch_cost`, a retry or items that nobody wants any more leave a batch short: the next
  /// larger size, with the function told how much to pad.
  down,
  /// Everything at hand, and the function is told how much to pad up to the next allowed size.
  pad,
};

/// What happens to a request when the queue is full.
enum class overload : std::uint8_t {
  /// It is refused with `errc::queue_full`.
  refuse_newest,
  /// It takes the place of the oldest request of its tenant, if that is full, or else of the tenant
  /// that holds most by its weight in the lane that is full, or in the longest one if the whole
  /// queue is; that one is answered with `errc::dropped`. With shards it is one of the shard that the
  /// newcomer goes to, which is refused if that has none.
  drop_oldest,
  /// It is refused as well, unless it comes on credit: clients ask for credit first, which is
  /// granted in the order of asking, as soon as there is room in the queue, and holds that room
  /// for `credit_lease`. Limits of lanes and tenants are not looked at until the request comes.
  wait_for_credit,
};

/// Which shard of a batcher gets a request.
enum class shard_by : std::uint8_t {
  /// One with as few full batches waiting as any, or, where batches take their time, with a free
  /// worker; among those the one that the sender's thread uses by preference. Requests of one sender may be dispatched in
  /// another order than they were sent in, and a key has a lane in each shard.
  load,
  /// That of its key, so that lanes are whole and order is kept. Requests without a key share one.
  key,
};

/// How workers run.
enum class worker_execution : std::uint8_t {
  /// Each worker owns a thread; its function may block or compute for long.
  detached,
  /// Workers share the actor system's scheduler; their functions must be short and never block.
  cooperative,
};

/// The knobs of one batcher.
struct options {
  // -- identity -----------------------------------------------------------------------------------

  /// Names the batcher in error texts and in the label `batcher` of its metrics. Not empty.
  std::string name = "batcher";

  // -- what a batch is (affects latency and throughput) -------------------------------------------

  /// Most items in one batch. Unit: items. Range: 1 and up; 1 turns batching off; 0 is refused.
  std::size_t max_batch_items = 64;

  /// Items that are enough to close a batch while a worker is free; with all workers busy it grows
  /// on, up to `max_batch_items`. Unit: items. Range: 0 to `max_batch_items`. 0: the same as
  /// `max_batch_items`.
  std::size_t preferred_batch_items = 0;

  /// The only sizes that the backend takes, ascending, each once, the last one equal to
  /// `max_batch_items`. Unit: items. Range of each: 1 to `max_batch_items`; 0 is refused. Empty:
  /// every size.
  std::vector<std::size_t> allowed_batch_items = {};

  /// What happens to batches of other sizes. `pad` needs `allowed_batch_items`; without, `down` has
  /// no effect.
  batcher::size_rounding size_rounding = batcher::size_rounding::down;

  /// Most cost in one batch, in whatever unit the cost function counts (bytes, tokens, rows);
  /// without one every item costs 1. An item that would overflow the batch waits in front for the
  /// next one; one that alone costs more is refused with `errc::too_costly`. Range: any. 0: no
  /// limit.
  std::size_t max_batch_cost = 0;

  /// Longest time that an item waits for others to join its batch, counted from the oldest item's
  /// arrival. With a worker free no item waits longer; with all workers busy the batch keeps
  /// growing until one is free. Range: 0 to 1 hour. 0: never wait, the same as
  /// `when_idle::immediate`.
  duration max_delay = std::chrono::milliseconds{2};

  /// What happens to a partial batch while a worker is idle.
  batcher::when_idle when_idle = batcher::when_idle::fill;

  /// Longest time that a worker may take for a batch. One that takes longer fails its batch with
  /// `errc::batch_timeout`, keeps its credit in use until it returns, and counts as failing. Range:
  /// 0 to 24 hours. 0: no limit.
  duration batch_timeout = duration::zero();

  // -- deadlines ----------------------------------------------------------------------------------

  /// How long a request may take, counted from its arrival; then it is answered with
  /// `errc::expired`, wherever it is. It is so earlier if others could take its place in a batch
  /// and the time that is left is less than batches of its lane take (`turnaround.hpp`): work that
  /// comes too late costs those that could be in time. A request may ask for less. One that is
  /// shorter than `max_delay` ends before the window of a lone request does. Range: 0 to 24 hours.
  /// 0: no limit.
  duration request_timeout = duration::zero();

  // -- how much may wait (affects memory and overload) --------------------------------------------

  /// Most items that wait for dispatch, those being executed not counted; with one more, `overload`
  /// decides. Those of failed batches that run again come on top, and as many again may share the
  /// places of identical ones. Unit: items. Range: `max_batch_items` and up; 0 is refused.
  std::size_t max_queue_items = 65'536;

  /// The same for each lane, so that one key cannot fill the queue. Unit: items. Range:
  /// `max_batch_items` to `max_queue_items`. 0: no limit of its own.
  std::size_t max_lane_items = 0;

  /// The same for each tenant of a lane, so that one tenant cannot fill it. Unit: items. Range: up
  /// to `max_queue_items`. 0: no limit of its own.
  std::size_t max_tenant_items = 0;

  /// Most lanes (different keys) at once; idle ones are dropped by themselves. A request with one
  /// more key is refused with `errc::too_many_lanes`. Range: 1 and up; 0 is refused.
  std::size_t max_lanes = 1'024;

  /// Batches that one lane may have with the workers at once, so that a slow key leaves workers for
  /// the others. One past its `batch_timeout` counts until its worker comes back. Unit: batches.
  /// Range: any. 0: no limit.
  std::size_t max_lane_batches = 0;

  /// What happens to a request when the queue, its lane or its tenant is full.
  batcher::overload overload = batcher::overload::refuse_newest;

  /// How long room that was granted to a client is kept for it. Matters for
  /// `overload::wait_for_credit` only. Range: 1 ms to 1 hour; 0 is refused.
  duration credit_lease = std::chrono::seconds{1};

  // -- who comes first (affects fairness) ---------------------------------------------------------

  /// The head start of each priority over the next lower one, within one tenant of one lane: an
  /// item is overtaken only by items of a priority `n` higher that arrive less than `n` times this
  /// after it. Range: 0 to 1 hour. 0: priorities have no effect.
  duration priority_head_start = std::chrono::milliseconds{100};

  /// Shares of the tenants of a lane, in cost, while they compete; a tenant that is not listed has
  /// 1. Range of each: 1 to 1,000; 0 is refused.
  std::map<std::string, std::uint32_t> tenant_weights = {};

  // -- failure ------------------------------------------------------------------------------------

  /// What becomes of a batch whose worker died, threw, took too long or returned the wrong number
  /// of results. Ranges: see `retry.hpp`.
  retry_policy on_failure = retry::never{};

  // -- workers (affects parallelism) --------------------------------------------------------------

  /// Number of workers that the batcher starts; others may join it from other nodes. Range: 0 to
  /// 4,096. 0: it starts none, all of them join. Until the first one does, and whenever the last one
  /// has gone, requests wait for `max_outage`.
  std::size_t workers = 1;

  /// Batches that one worker may hold at once: the one it runs and those that wait for it to be
  /// free. More than 1 hides the way to the worker but binds items earlier. Range: 1 to 1,024; 0 is
  /// refused.
  std::size_t worker_credit = 1;

  /// Whether workers own a thread each or share the scheduler's.
  batcher::worker_execution worker_execution = batcher::worker_execution::detached;

  /// How long a dead worker waits for its replacement, the first time; doubled with each failure in
  /// a row up to `max_restart_delay`, and drawn anew from the upper half of that each time. Range:
  /// 1 ms to `max_restart_delay`. 0: dead workers are not replaced, and those put aside wait as
  /// with 100 ms.
  duration restart_delay = std::chrono::milliseconds{100};

  /// Longest such wait. Range: `restart_delay` to 1 hour. 0, with a `restart_delay` of 0 only:
  /// those put aside do not wait.
  duration max_restart_delay = std::chrono::seconds{30};

  /// How long after the last worker went requests still wait for one; later, unless one is just
  /// being started, everything that waits, and every newcomer, is answered with `errc::no_workers`
  /// until a worker is up. Where dead workers are not replaced that comes at once. Range: 0 to 1
  /// hour. 0: at once.
  duration max_outage = std::chrono::seconds{1};

  /// Batches in a row that a worker may fail before it is put aside, for as long as a dead one
  /// would be, and then tried with a single batch (a circuit breaker). The last worker is never put
  /// aside. Unit: batches. Range: any. 0: never.
  std::size_t breaker_failures = 5;

  // -- shards (affects throughput) ----------------------------------------------------------------

  /// Batcher actors behind the one handle, for when a single one is the limit: each has its part of
  /// the workers and its own queue, so that batches are less full than with one; `max_queue_items`
  /// and, by key, `max_lanes` hold for all together. More than 1 goes neither with
  /// `overload::wait_for_credit` nor, by load, with `max_lane_items`, `max_tenant_items` or
  /// `max_lane_batches`. Cannot be changed later. Range: 1 to 64, and to `workers`; 0 is refused.
  std::size_t shards = 1;

  /// Which of them gets a request.
  batcher::shard_by shard_by = batcher::shard_by::load;

  // -- who watches --------------------------------------------------------------------------------

  /// Receives the events of this batcher. Empty: nobody watches. See `observer.hpp` for threads.
  std::shared_ptr<batcher::observer> observer = {};
};

/// Returns one sentence for every problem of `opts`, each naming the knob, its value and the range.
/// Empty: the options are good. Never stops at the first problem.
[[nodiscard]] std::vector<std::string> validate(const options& opts);

/// Returns `wanted` as a batcher that runs takes it: with the name, the observer and the shards of
/// `running`, which cannot be changed.
[[nodiscard]] options reconfigured(const options& running, options wanted);

} // namespace batcher
