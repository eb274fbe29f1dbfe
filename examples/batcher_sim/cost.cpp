// SPDX-License-Identifier: BSD-3-Clause
//
// Draws batch costs, see cost.hpp.

#include "batcher_sim/cost.hpp"

#include <algorithm>
#include <cmath>

namespace sim {

namespace {

constexpr std::uint32_t stream = 2;

} // namespace

double capacity(const cost_model& cost, std::size_t workers, std::size_t items) {
  auto n = static_cast<double>(items);
  auto seconds = batcher::to_seconds(cost.per_batch) + n * batcher::to_seconds(cost.per_item);
  return static_cast<double>(workers) * n / seconds;
}

// A log-normal factor exp(s Z - s^2 / 2) has mean 1 and variance exp(s^2) - 1.
cost_draws::cost_draws(const cost_model& what, const std::vector<change>& changes,
                       std::uint64_t seed)
  : what_{&what}, changes_{&changes}, random_{seed, stream}, sigma_{std::sqrt(std::log1p(
                                                               what.noise * what.noise))} {}

batcher::duration cost_draws::draw(batcher::duration now, std::size_t items) {
  for (; changed_ < changes_->size() && (*changes_)[changed_].at <= now; ++changed_)
    factor_ = (*changes_)[changed_].cost_factor;
  auto& w = *what_;
  auto took = static_cast<double>(w.per_batch.count())
              + static_cast<double>(w.per_item.count()) * static_cast<double>(items);
  if (sigma_ > 0) took *= std::exp(sigma_ * random_.normal() - sigma_ * sigma_ / 2);
  took *= factor_;
  if (random_.happens(w.stall_share)) took += static_cast<double>(w.stall.count());
  return std::max(batcher::duration{1}, batcher::duration{std::llround(took)});
}

} // namespace sim
