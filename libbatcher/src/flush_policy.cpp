// SPDX-License-Identifier: BSD-3-Clause
//
// The rules for closing a batch.

#include "batcher/flush_policy.hpp"

#include <algorithm>
#include <limits>

namespace batcher {

std::size_t trigger_items(const options& opts) noexcept {
  return opts.preferred_batch_items == 0 ? opts.max_batch_items : opts.preferred_batch_items;
}

std::size_t trigger_cost(const options& opts) noexcept {
  return opts.max_batch_cost == 0 ? std::numeric_limits<std::size_t>::max() : opts.max_batch_cost;
}

namespace {

bool pays_no_more(const lane_view& queued, time_point now) noexcept {
  return queued.items >= queued.window.enough_items || queued.window.until <= now;
}

} // namespace

flush_decision decide_flush(const lane_view& queued, const options& opts,
                            std::optional<time_point> draining_since, time_point now) noexcept {
  flush_decision decision;
  if (queued.items == 0) return decision;
  // The conditions are visited from the least to the most telling reason; the earliest of those
  // that hold says since when the batch was ready.
  auto close = [&](close_reason reason, time_point since) {
    decision.ready_at = decision.close ? std::min(decision.ready_at, since) : since;
    decision.reason = reason;
    decision.close = true;
  };
  auto window_end = queued.oldest + opts.max_delay;
  bool is_adaptive = opts.when_idle == when_idle::adaptive;
  if (opts.when_idle == when_idle::immediate) close(close_reason::idle, queued.oldest);
  if (is_adaptive && pays_no_more(queued, now))
    close(close_reason::idle, std::clamp(queued.window.until, queued.oldest, now));
  if (opts.when_idle != when_idle::immediate && window_end <= now)
    close(close_reason::deadline, window_end);
  if (draining_since) close(close_reason::drain, std::max(queued.oldest, *draining_since));
  if (queued.cost >= trigger_cost(opts)) close(close_reason::cost, queued.filled);
  if (queued.items >= trigger_items(opts)) close(close_reason::size, queued.filled);
  if (!decision.close)
    decision.next = is_adaptive ? std::min(window_end, queued.window.until) : window_end;
  return decision;
}

std::size_t batch_limit(std::size_t queued, const options& opts) noexcept {
  auto most = std::min(queued, opts.max_batch_items);
  auto& allowed = opts.allowed_batch_items;
  if (allowed.empty() || opts.size_rounding == size_rounding::pad) return most;
  auto above = std::upper_bound(allowed.begin(), allowed.end(), most);
  return above == allowed.begin() ? most : *std::prev(above);
}

std::size_t padding_of(std::size_t items, const options& opts) noexcept {
  auto& allowed = opts.allowed_batch_items;
  auto next = std::lower_bound(allowed.begin(), allowed.end(), items);
  return next == allowed.end() ? 0 : *next - items;
}

} // namespace batcher
