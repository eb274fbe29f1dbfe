// SPDX-License-Identifier: BSD-3-Clause
//
// The rules for closing a batch.

#include "batcher/flush_policy.hpp"

#include <algorithm>

namespace batcher {

flush_decision decide_flush(const queue_view& queue, const options& opts,
                            std::optional<time_point> draining_since, time_point now) noexcept {
  flush_decision decision;
  if (queue.items == 0) return decision;
  // The conditions are visited from the least to the most telling reason; the earliest of those
  // that hold says since when the batch was ready.
  auto close = [&](close_reason reason, time_point since) {
    decision.ready_at = decision.close ? std::min(decision.ready_at, since) : since;
    decision.reason = reason;
    decision.close = true;
  };
  auto window_end = queue.oldest + opts.max_delay;
  if (opts.when_idle == when_idle::immediate)
    close(close_reason::idle, queue.oldest);
  else if (window_end <= now)
    close(close_reason::deadline, window_end);
  if (draining_since) close(close_reason::drain, std::max(queue.oldest, *draining_since));
  if (queue.items >= opts.max_batch_items) close(close_reason::size, queue.filled);
  if (!decision.close) decision.next = window_end;
  return decision;
}

} // namespace batcher
