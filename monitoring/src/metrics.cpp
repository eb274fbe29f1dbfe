// SPDX-License-Identifier: BSD-3-Clause
//
// Readings turned into Prometheus families, one family per row of the table.

#include "batcher/monitoring/metrics.hpp"

#include "batcher/monitoring/metric_names.hpp"
#include "series.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <map>
#include <mutex>
#include <utility>

namespace batcher::monitoring {

namespace {

using label_values = std::vector<std::string_view>;

prometheus::MetricType type_of(const metric_info& info) {
  switch (info.type) {
    case metric_type::counter: return prometheus::MetricType::Counter;
    case metric_type::gauge: return prometheus::MetricType::Gauge;
    case metric_type::histogram: return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

// The families of one collection. A family is there even if no batcher has started yet.
class families {
public:
  families() {
    for (auto& info : all_metrics)
      all_.push_back({std::string{info.name}, std::string{info.help}, type_of(info), {}});
  }

  void add_gauge(const metric_info& info, const label_values& values, std::uint64_t value) {
    add(info, values).gauge.value = static_cast<double>(value);
  }

  void add_counter(const metric_info& info, const label_values& values, std::uint64_t value) {
    add(info, values).counter.value = static_cast<double>(value);
  }

  void add_histogram(const metric_info& info, const label_values& values,
                     prometheus::ClientMetric::Histogram value) {
    add(info, values).histogram = std::move(value);
  }

  std::vector<prometheus::MetricFamily> take() { return std::move(all_); }

private:
  prometheus::ClientMetric& add(const metric_info& info, const label_values& values) {
    assert(values.size() == info.labels.size());
    auto family =
      std::find_if(all_.begin(), all_.end(), [&](auto& f) { return f.name == info.name; });
    assert(family != all_.end());
    auto& child = family->metric.emplace_back();
    for (std::size_t i = 0; i < values.size(); ++i)
      child.label.push_back({std::string{info.labels[i]}, std::string{values[i]}});
    return child;
  }

  std::vector<prometheus::MetricFamily> all_;
};

void add_reading(families& to, std::string_view batcher, series_reading from) {
  auto& counters = from.counters;
  to.add_gauge(queue_items, {batcher}, counters.queue_items);
  to.add_gauge(in_flight_items, {batcher}, counters.in_flight_items);
  to.add_counter(requests_total, {batcher}, counters.requests);
  for (std::size_t i = 0; i < all_outcomes.size(); ++i)
    to.add_counter(replies_total, {batcher, to_string(all_outcomes[i])}, counters.replies[i]);
  for (std::size_t i = 0; i < all_close_reasons.size(); ++i)
    to.add_counter(batches_total, {batcher, to_string(all_close_reasons[i])}, counters.batches[i]);
  to.add_histogram(batch_items, {batcher}, std::move(from.batch_items));
  to.add_histogram(fill_wait_seconds, {batcher}, std::move(from.fill_wait));
  to.add_histogram(capacity_wait_seconds, {batcher}, std::move(from.capacity_wait));
  to.add_histogram(execute_seconds, {batcher}, std::move(from.execute));
  to.add_histogram(request_seconds, {batcher}, std::move(from.request));
}

} // namespace

// Shared with the observers, so that neither side has to outlive the other. A name is never
// removed: its counters must not start again from 0.
class metrics::state {
public:
  series& start(std::string_view name, std::size_t max_batch_items,
                std::shared_ptr<const live_counters> counters) {
    std::lock_guard guard{mutex_};
    auto& named = by_name_.try_emplace(std::string{name}, max_batch_items).first->second;
    named.adopt(std::move(counters));
    return named;
  }

  std::vector<prometheus::MetricFamily> collect() {
    families out;
    std::lock_guard guard{mutex_};
    for (auto& [name, named] : by_name_) add_reading(out, name, named.read());
    return out.take();
  }

private:
  std::mutex mutex_;
  std::map<std::string, series> by_name_; // its nodes never move
};

class metrics::batcher_observer final : public observer {
public:
  explicit batcher_observer(std::shared_ptr<state> to) : state_{std::move(to)} {}

  void on_start(std::string_view batcher_name, std::size_t max_batch_items,
                std::shared_ptr<const live_counters> counters) noexcept override {
    series_ = &state_->start(batcher_name, max_batch_items, std::move(counters));
  }

  void on_batch(const batch_record& record) noexcept override {
    auto* started = series_.load();
    assert(started != nullptr);
    started->observe(record);
  }

private:
  std::shared_ptr<state> state_;
  std::atomic<series*> series_ = nullptr;
};

metrics::metrics() : state_{std::make_shared<state>()} {}

metrics::~metrics() = default;

std::shared_ptr<observer> metrics::new_observer() {
  return std::make_shared<batcher_observer>(state_);
}

std::vector<prometheus::MetricFamily> metrics::Collect() const { return state_->collect(); }

std::string metrics::text() const { return prometheus::TextSerializer{}.Serialize(Collect()); }

} // namespace batcher::monitoring
