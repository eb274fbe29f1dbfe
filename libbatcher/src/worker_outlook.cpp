// SPDX-License-Identifier: BSD-3-Clause
//
// Expected returns.

#include "batcher/worker_outlook.hpp"

#include <algorithm>

namespace batcher {

namespace {

// Weight of a worker's latest batch in its speed.
constexpr double step = 0.1;

// One batch says no more than that of a worker's speed: it may have been held up.
constexpr double least_slowness = 0.25;
constexpr double most_slowness = 4;

duration times(duration d, double factor) noexcept {
  return duration{static_cast<duration::rep>(static_cast<double>(d.count()) * factor)};
}

} // namespace

time_point worker_outlook::expect(time_point now, worker_id id, duration predicted) {
  if (predicted <= duration::zero()) return time_point::max();
  auto& w = known_[id];
  w.busy_until = std::max(w.busy_until, now) + times(predicted, w.slowness);
  returns_.insert(std::upper_bound(returns_.begin(), returns_.end(), w.busy_until), w.busy_until);
  ++changes_;
  return w.busy_until;
}

duration worker_outlook::forget(time_point now, worker_id id, time_point dispatched,
                                time_point expected) {
  auto& w = known_[id];
  auto began = std::max(dispatched, w.returned);
  w.returned = now;
  if (expected != time_point::max()) {
    auto it = std::lower_bound(returns_.begin(), returns_.end(), expected);
    if (it != returns_.end() && *it == expected) returns_.erase(it);
    if (w.busy_until == expected) w.busy_until = now; // it was the last
    ++changes_;
  }
  return now - began;
}

void worker_outlook::learn(worker_id id, duration took, duration predicted) {
  if (predicted <= duration::zero()) return;
  auto ratio = to_seconds(took) / to_seconds(predicted);
  auto& slowness = known_[id].slowness;
  slowness += step * (std::clamp(ratio, least_slowness, most_slowness) - slowness);
}

std::size_t worker_outlook::free_credit(time_point now) const noexcept {
  // One put aside may get a single batch.
  if (!workers_->has_credit(now)) return 0;
  return std::max<std::size_t>(workers_->free_credit(), 1);
}

} // namespace batcher
