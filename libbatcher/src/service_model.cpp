// SPDX-License-Identifier: BSD-3-Clause
//
// The fit of batch times.

#include "batcher/service_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace batcher {

namespace {

constexpr double kept = 0.98;

// Squared: the spread of n, as a share of its mean, below which the slope is drawn to 0.
constexpr double ridge = 0.02 * 0.02;

// With fewer samples the deviation says too little to call anything an outlier.
constexpr int least_known = 8;

// Unit: mean deviations. For a normal distribution 4 of them are 3.2 standard deviations.
constexpr double farthest = 4;

// Deviations below this share of the time are not worth being called outliers.
constexpr double negligible = 0.05;

constexpr double deviation_step = 0.05;

} // namespace

void service_model::add(std::size_t items, duration took) noexcept {
  sample s{static_cast<double>(items), to_seconds(took)};
  if (known_ >= least_known) {
    auto expected = at(s.items);
    auto limit = std::max(farthest * deviation_, negligible * expected);
    auto off = s.seconds - expected;
    auto side = off > limit ? 1 : off < -limit ? -1 : 0;
    if (side == 0 || side * row_ < 0) row_ = 0;
    if (side != 0) {
      odd_[static_cast<std::size_t>(std::abs(row_))] = s;
      row_ += side;
      if (std::abs(row_) == static_cast<int>(odd_.size())) return start_anew();
    }
    off = std::clamp(off, -limit, limit);
    s.seconds = expected + off;
    deviation_ += deviation_step * (std::abs(off) - deviation_);
  } else {
    if (known_ > 0) deviation_ += (std::abs(s.seconds - at(s.items)) - deviation_) / known_;
    ++known_;
  }
  take_in(s);
  fit();
}

duration service_model::predict(std::size_t items) const noexcept {
  return duration{static_cast<duration::rep>(at(static_cast<double>(items)) * 1e9)};
}

double service_model::relative_deviation(std::size_t items) const noexcept {
  auto expected = at(static_cast<double>(items));
  return expected > 0 ? deviation_ / expected : 0;
}

void service_model::take_in(sample s) noexcept {
  weight_ = kept * weight_ + 1;
  sum_.items = kept * sum_.items + s.items;
  sum_.seconds = kept * sum_.seconds + s.seconds;
  items_squared_ = kept * items_squared_ + s.items * s.items;
  items_times_seconds_ = kept * items_times_seconds_ + s.items * s.seconds;
}

void service_model::fit() noexcept {
  auto items = sum_.items / weight_;
  auto seconds = sum_.seconds / weight_;
  auto variance = std::max(0.0, items_squared_ / weight_ - items * items);
  auto covariance = items_times_seconds_ / weight_ - items * seconds;
  per_item_ = std::max(0.0, covariance / (variance + ridge * items * items));
  per_batch_ = seconds - per_item_ * items;
  if (per_batch_ >= 0) return;
  per_batch_ = 0;
  per_item_ = seconds / items;
}

void service_model::start_anew() noexcept {
  auto latest = odd_;
  *this = {};
  for (auto s : latest) take_in(s);
  fit();
  known_ = static_cast<int>(latest.size());
  for (auto s : latest) deviation_ += std::abs(s.seconds - at(s.items)) / known_;
}

} // namespace batcher
