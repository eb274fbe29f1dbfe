// SPDX-License-Identifier: BSD-3-Clause
//
// One batcher and its workers in virtual time: turns what the core wants into instants at which it
// is to be called again. Knows no event loop.

#pragma once

#include "batcher_sim/cost.hpp"
#include "batcher_sim/scenario.hpp"
#include "batcher_sim/tally.hpp"

#include <batcher/batcher_core.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sim {

/// A batch with a worker.
struct running_batch {
  batcher::batch_id id = 0;
  std::size_t items = 0;
  batcher::duration dispatched = batcher::duration::zero(); ///< All since the start.
  batcher::duration begins = batcher::duration::zero();     ///< When its worker runs it.
  batcher::duration ends = batcher::duration::zero();       ///< When it no longer does.
  batcher::duration returns = batcher::duration::zero();    ///< When the batcher knows.
  bool fails = false;
};

class shard {
public:
  /// All but `number` must outlive it. Its workers are up. `limits`: those of all shards together,
  /// null if it is the only one.
  shard(const scenario& what, std::size_t number, const std::vector<std::string>& keys,
        cost_draws& costs, tally& counts, std::shared_ptr<batcher::shared_limits> limits);

  /// A request arrives, with the key of that number.
  void arrive(batcher::duration now, const request& r, std::size_t key);

  /// A batch comes back.
  void finish(batcher::duration now, const running_batch& batch);

  /// Does what `next_deadline` has asked for.
  void wake(batcher::duration now);

  /// Returns the batches that were handed to workers since the last `clear_started`.
  [[nodiscard]] const std::vector<running_batch>& started() const noexcept { return started_; }
  void clear_started() noexcept { started_.clear(); }

  /// Returns when to call `wake`, if nothing happens before.
  [[nodiscard]] std::optional<batcher::duration> next_deadline();

  [[nodiscard]] std::size_t queue_items() const noexcept { return core_.queue_items(); }
  [[nodiscard]] batcher::work_load load() const noexcept { return core_.counters()->read_load(); }
  [[nodiscard]] bool is_idle() const noexcept { return core_.is_idle() && askers_.empty(); }

private:
  struct asker {
    request who;
    std::size_t key = 0;
  };

  void start_workers(batcher::duration now);
  void admit(batcher::duration now, const request& r, std::size_t key, bool on_credit);
  void settle(batcher::duration now);
  void dispatch(batcher::duration now);
  bool grant(batcher::duration now);
  void answer_departed(batcher::duration now);

  const std::vector<std::string>* keys_;
  cost_draws* costs_;
  tally* counts_;
  batcher::batcher_core<request> core_;
  batcher::duration wire_;
  bool waits_for_credit_ = false;
  bool keeps_batches_ = false;
  std::vector<batcher::duration> free_at_; // by worker
  std::deque<asker> askers_;               // in the order in which they are granted room
  std::vector<running_batch> started_;
};

} // namespace sim
