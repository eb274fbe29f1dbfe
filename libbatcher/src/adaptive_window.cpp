// SPDX-License-Identifier: BSD-3-Clause
//
// The rule of adaptive timing.

#include "batcher/adaptive_window.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace batcher {

namespace {

// The gap changes slowly with j, so that of many returns every k-th will do.
constexpr std::size_t most_looked_at = 64;

constexpr double least_slack = 0.25;

std::size_t items_in(double items) noexcept {
  constexpr double most = 1e15;
  return items < most ? static_cast<std::size_t>(std::ceil(items))
                      : std::numeric_limits<std::size_t>::max();
}

duration part_of(duration whole, double parts) noexcept {
  return duration{static_cast<duration::rep>(static_cast<double>(whole.count()) / parts)};
}

} // namespace

adaptive_window window_of(const timing_facts& facts, time_point now) noexcept {
  if (facts.slack < least_slack) return {};
  auto& returns = facts.returns;
  auto step = (returns.size() + most_looked_at - 1) / most_looked_at;
  auto gap = duration::zero();
  auto wait = duration::zero();
  for (auto i = step; i != 0 && i <= returns.size(); i += step) {
    auto at = returns[i - 1];
    auto opportunities = static_cast<double>(facts.free_credit + i - 1);
    gap = std::max(gap, part_of(at - now, opportunities));
    wait = std::max(wait, part_of(at - facts.oldest, opportunities + 1));
  }
  return {.enough_items = items_in(facts.arrivals_per_second * to_seconds(gap)),
          .until = facts.oldest + wait};
}

adaptive_window in_time(adaptive_window window, time_point deadline, duration service) noexcept {
  if (deadline != time_point::max()) window.until = std::min(window.until, deadline - service);
  return window;
}

} // namespace batcher
