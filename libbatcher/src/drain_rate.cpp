// SPDX-License-Identifier: BSD-3-Clause
//
// The rate of dispatch.

#include "batcher/drain_rate.hpp"

#include <algorithm>
#include <cmath>

namespace batcher {

namespace {

constexpr duration shortest = std::chrono::milliseconds{1};
constexpr duration longest = std::chrono::minutes{1};
constexpr duration unknown = std::chrono::seconds{1};

// What comes so soon after the last reckoning counts as of that moment: an exponential for each lone
// item would cost more than it says.
constexpr duration negligible = std::chrono::milliseconds{1};

// A sum so small that what it is of is long ago. Unit: items.
constexpr double forgotten = 1e-3;

} // namespace

void drain_rate::add(time_point now, std::size_t items) noexcept {
  if (since_ && now - updated_ < negligible) {
    sum_ += static_cast<double>(items);
    return;
  }
  auto before = decayed(now);
  if (!since_ || before < forgotten) since_ = now;
  sum_ = before + static_cast<double>(items);
  updated_ = now;
}

duration drain_rate::time_for(time_point now, std::size_t items) const noexcept {
  auto sum = decayed(now);
  if (sum < forgotten) return unknown;
  // A constant rate r, counted for t seconds, sums up to r * (1 - e^-t).
  auto covered = 1 - std::exp(-std::max(to_seconds(now - *since_), 1e-3));
  auto seconds = static_cast<double>(items) * covered / sum;
  if (seconds >= to_seconds(longest)) return longest;
  return std::max(shortest, duration{static_cast<duration::rep>(seconds * 1e9)});
}

double drain_rate::decayed(time_point now) const noexcept {
  return sum_ * std::exp(-to_seconds(now - updated_));
}

} // namespace batcher
