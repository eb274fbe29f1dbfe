// SPDX-License-Identifier: BSD-3-Clause
//
// Looks up single values in what a `metrics` object collects. A value that is not there, or there
// more than once, is a failure of its own and never a 0.

#pragma once

#include "batcher/monitoring/metric_names.hpp"
#include "batcher/monitoring/metrics.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace batcher::monitoring {

using label_map = std::map<std::string, std::string>;

/// Returns a batch that nobody executed: its items wait until they leave at `finished_at`.
inline batch_record unexecuted(std::span<const time_point> arrivals, time_point finished_at) {
  batch_record record;
  record.items = arrivals.size();
  record.arrivals = arrivals;
  record.ready_at = finished_at;
  record.dispatched_at = finished_at;
  record.finished_at = finished_at;
  return record;
}

/// One collection, taken when it is made.
class collected {
public:
  explicit collected(const metrics& from) : families_{from.Collect()} {}

  [[nodiscard]] const std::vector<prometheus::MetricFamily>& families() const { return families_; }

  /// Returns all children of the family, which must be there exactly once.
  [[nodiscard]] const std::vector<prometheus::ClientMetric>&
  children(const metric_info& info) const {
    const prometheus::MetricFamily* found = nullptr;
    for (auto& family : families_) {
      if (family.name != info.name) continue;
      REQUIRE(found == nullptr);
      found = &family;
    }
    REQUIRE(found != nullptr);
    return found->metric;
  }

  /// Returns the child with exactly these labels, which must be there exactly once.
  [[nodiscard]] const prometheus::ClientMetric& child(const metric_info& info,
                                                      const label_map& labels) const {
    const prometheus::ClientMetric* found = nullptr;
    for (auto& candidate : children(info)) {
      label_map has;
      for (auto& label : candidate.label) has[label.name] = label.value;
      if (has != labels) continue;
      REQUIRE(found == nullptr);
      found = &candidate;
    }
    INFO(info.name << " with " << Catch::Detail::stringify(labels));
    REQUIRE(found != nullptr);
    return *found;
  }

  [[nodiscard]] double gauge(const metric_info& info, const std::string& batcher) const {
    return child(info, {{"batcher", batcher}}).gauge.value;
  }

  [[nodiscard]] double counter(const metric_info& info, const std::string& batcher) const {
    return child(info, {{"batcher", batcher}}).counter.value;
  }

  [[nodiscard]] double requests(const std::string& batcher) const {
    return counter(requests_total, batcher);
  }

  [[nodiscard]] double replies(const std::string& batcher, outcome how) const {
    return child_of(replies_total, batcher, "outcome", how).counter.value;
  }

  [[nodiscard]] double batches(const std::string& batcher, close_reason why) const {
    return child_of(batches_total, batcher, "reason", why).counter.value;
  }

  [[nodiscard]] double failures(const std::string& batcher, failure kind) const {
    return child_of(batch_failures_total, batcher, "kind", kind).counter.value;
  }

  [[nodiscard]] double workers_at(const std::string& batcher, worker_stage stage) const {
    return child_of(workers, batcher, "stage", stage).gauge.value;
  }

  [[nodiscard]] const prometheus::ClientMetric::Histogram&
  histogram(const metric_info& info, const std::string& batcher) const {
    return child(info, {{"batcher", batcher}}).histogram;
  }

private:
  template <class Value>
  [[nodiscard]] const prometheus::ClientMetric&
  child_of(const metric_info& info, const std::string& batcher, const std::string& label,
           Value value) const {
    return child(info, {{"batcher", batcher}, {label, std::string{to_string(value)}}});
  }

  std::vector<prometheus::MetricFamily> families_;
};

/// Returns how many values the bucket with that upper edge holds, smaller ones not included.
inline std::uint64_t in_bucket(const prometheus::ClientMetric::Histogram& from, double edge) {
  std::uint64_t below = 0;
  for (auto& bucket : from.bucket) {
    if (bucket.upper_bound == edge) return bucket.cumulative_count - below;
    below = bucket.cumulative_count;
  }
  FAIL("no bucket with the upper edge " << edge);
  return 0;
}

/// Returns the upper edges, +Inf left out.
inline std::vector<double> edges_of(const prometheus::ClientMetric::Histogram& from) {
  std::vector<double> edges;
  for (auto& bucket : from.bucket) edges.push_back(bucket.upper_bound);
  REQUIRE_FALSE(edges.empty());
  REQUIRE(std::isinf(edges.back()));
  edges.pop_back();
  return edges;
}

} // namespace batcher::monitoring
