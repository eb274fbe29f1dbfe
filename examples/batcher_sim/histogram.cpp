// SPDX-License-Identifier: BSD-3-Clause
//
// Buckets, see histogram.hpp. Bucket `i` holds the values whose first `precision` + 1 bits, from
// the highest that is set, are the same.

#include "batcher_sim/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sim {

namespace {

constexpr int precision = 11;
constexpr std::size_t per_doubling = std::size_t{1} << precision;

std::size_t bucket_of(std::uint64_t value) {
  auto shift = std::max(0, static_cast<int>(std::bit_width(value)) - precision - 1);
  return static_cast<std::size_t>(shift) * per_doubling + static_cast<std::size_t>(value >> shift);
}

batcher::duration middle_of(std::size_t bucket) {
  if (bucket < 2 * per_doubling)
    return batcher::duration{static_cast<batcher::duration::rep>(bucket)};
  auto shift = bucket / per_doubling - 1;
  auto low = (bucket - shift * per_doubling) << shift;
  auto width = std::size_t{1} << shift;
  return batcher::duration{static_cast<batcher::duration::rep>(low + (width - 1) / 2)};
}

} // namespace

void latency_histogram::add(batcher::duration latency) {
  auto at = bucket_of(static_cast<std::uint64_t>(latency.count()));
  if (at >= counts_.size()) counts_.resize(at + 1);
  ++counts_[at];
  ++values_;
  sum_ += static_cast<double>(latency.count());
  largest_ = std::max(largest_, latency);
}

batcher::duration latency_histogram::mean() const noexcept {
  if (values_ == 0) return batcher::duration::zero();
  return batcher::duration{std::llround(sum_ / static_cast<double>(values_))};
}

batcher::duration latency_histogram::quantile(double q) const {
  auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(values_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen > 0 && seen >= rank) return std::min(middle_of(i), largest_);
  }
  return largest_;
}

std::vector<latency_histogram::bucket> latency_histogram::buckets() const {
  std::vector<bucket> result;
  for (std::size_t i = 0; i < counts_.size(); ++i)
    if (counts_[i] != 0) result.push_back({middle_of(i), counts_[i]});
  return result;
}

} // namespace sim
