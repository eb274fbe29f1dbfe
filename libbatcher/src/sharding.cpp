// SPDX-License-Identifier: BSD-3-Clause
//
// Division of a batcher, see sharding.hpp.

#include "batcher/sharding.hpp"

#include <cassert>
#include <functional>
#include <limits>

namespace batcher {

shared_limits::shared_limits(const options& opts)
  : queue_items{opts.max_queue_items, opts.shards}, following_items{opts.max_queue_items,
                                                                    opts.shards},
    // A lane is rare and may stay for long: none is held to spare.
    lanes{opts.max_lanes, std::numeric_limits<std::size_t>::max()} {}

void shared_limits::update(const options& opts) noexcept {
  queue_items.set_limit(opts.max_queue_items);
  following_items.set_limit(opts.max_queue_items);
  lanes.set_limit(opts.max_lanes);
}

options share_of(const options& opts, std::size_t shard) {
  assert(shard < opts.shards);
  auto share = opts;
  share.shards = 1;
  share.workers = opts.workers / opts.shards + (shard < opts.workers % opts.shards ? 1 : 0);
  return share;
}

std::size_t shard_of(std::string_view key, std::size_t shards) noexcept {
  return std::hash<std::string_view>{}(key) % shards;
}

} // namespace batcher
