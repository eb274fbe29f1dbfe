// SPDX-License-Identifier: BSD-3-Clause
//
// Buckets: made from edges, read back as cumulative counts.

#include "histogram.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace batcher::monitoring {

prometheus::ClientMetric::Histogram cumulative(std::span<const double> edges,
                                               std::span<const std::uint64_t> counts, double sum) {
  prometheus::ClientMetric::Histogram out;
  out.bucket.reserve(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    out.sample_count += counts[i];
    auto edge = i < edges.size() ? edges[i] : std::numeric_limits<double>::infinity();
    out.bucket.push_back({out.sample_count, edge});
  }
  out.sample_sum = sum;
  return out;
}

histogram::histogram(std::vector<double> edges, double scale)
  : edges_{std::move(edges)}, counts_(edges_.size() + 1), scale_{scale} {
  for (auto edge : edges_) limits_.push_back(std::llround(edge * scale));
  limits_.push_back(std::numeric_limits<std::int64_t>::max());
}

void histogram::observe(std::int64_t value, std::size_t times) noexcept {
  counts_[bucket_of(value, 0)] += times;
  sum_ += static_cast<double>(value) * static_cast<double>(times);
}

prometheus::ClientMetric::Histogram histogram::read() const {
  return cumulative(edges_, counts_, sum_ / scale_);
}

} // namespace batcher::monitoring
