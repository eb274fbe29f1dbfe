// SPDX-License-Identifier: BSD-3-Clause
//
// Draws arrivals, see arrivals.hpp.

#include "batcher_sim/arrivals.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace sim {

namespace {

constexpr auto never = std::numeric_limits<double>::infinity();
constexpr std::uint32_t stream = 1;

batcher::duration from_seconds(double s) {
  return batcher::duration{static_cast<batcher::duration::rep>(std::llround(s * 1e9))};
}

} // namespace

arrival_process::arrival_process(const arrivals& what, const std::vector<change>& changes,
                                 std::uint64_t seed)
  : what_{&what}, changes_{&changes}, random_{seed, stream} {
  change_at_ = changes.empty() ? never : batcher::to_seconds(changes.front().at);
  burst_ends_ = never;
  if (what.kind != arrival_kind::bursts) return;
  is_burst_ = !random_.happens(what.burst_share); // turned round at once
  burst_ends_ = 0;
}

std::optional<batcher::duration> arrival_process::next() {
  if (what_->kind == arrival_kind::trace) {
    if (recorded_ == what_->instants.size()) return std::nullopt;
    return from_seconds(batcher::to_seconds(what_->instants[recorded_++]) / what_->speed);
  }
  for (;;) {
    auto boundary = std::min(burst_ends_, change_at_);
    auto most = rate();
    auto gap = most > 0 ? random_.exponential() / most : never;
    if (now_ + gap >= boundary) {
      now_ = boundary;
      cross_boundary();
      continue;
    }
    now_ += gap;
    if (!random_.happens(surplus())) return from_seconds(now_);
  }
}

// The largest until the next boundary.
double arrival_process::rate() const noexcept {
  auto& w = *what_;
  auto mean = w.rate * factor_;
  if (w.kind == arrival_kind::diurnal) return mean * (1 + w.amplitude);
  if (w.kind != arrival_kind::bursts) return mean;
  if (is_burst_) return mean * w.burst_factor;
  return mean * std::max(0.0, 1 - w.burst_share * w.burst_factor) / (1 - w.burst_share);
}

// The share of what `rate` says that is too much just now.
double arrival_process::surplus() const noexcept {
  if (what_->kind != arrival_kind::diurnal) return 0;
  auto wave = std::sin(2 * std::numbers::pi * now_ / batcher::to_seconds(what_->period));
  return 1 - (1 + what_->amplitude * wave) / (1 + what_->amplitude);
}

void arrival_process::cross_boundary() {
  if (change_at_ <= now_) {
    factor_ = (*changes_)[changed_++].rate_factor;
    change_at_ =
      changed_ < changes_->size() ? batcher::to_seconds((*changes_)[changed_].at) : never;
  }
  if (burst_ends_ > now_) return;
  is_burst_ = !is_burst_;
  auto burst = batcher::to_seconds(what_->burst_length);
  auto mean = is_burst_ ? burst : burst * (1 - what_->burst_share) / what_->burst_share;
  burst_ends_ = now_ + mean * random_.exponential();
}

} // namespace sim
