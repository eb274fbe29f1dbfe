// SPDX-License-Identifier: BSD-3-Clause
//
// Readings turned into Prometheus families, one family per row of the table.

#include "batcher/monitoring/metrics.hpp"

#include "batcher/monitoring/metric_names.hpp"
#include "series.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
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

  // A gauge or a counter.
  void add_number(const metric_info& info, const label_values& values, std::uint64_t value) {
    auto& child = add(info, values);
    auto& number = info.type == metric_type::gauge ? child.gauge.value : child.counter.value;
    number = static_cast<double>(value);
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

struct single_value {
  const metric_info* info;
  std::uint64_t counter_values::*value;
};

// What has no label but the batcher's.
constexpr std::array single_values{
  single_value{&queue_items, &counter_values::queue_items},
  single_value{&queue_cost, &counter_values::queue_cost},
  single_value{&in_flight_items, &counter_values::in_flight_items},
  single_value{&lanes, &counter_values::lanes},
  single_value{&requests_total, &counter_values::requests},
  single_value{&coalesced_requests_total, &counter_values::coalesced},
  single_value{&bisections_total, &counter_values::bisections},
  single_value{&retries_denied_total, &counter_values::retries_denied},
  single_value{&worker_restarts_total, &counter_values::restarts},
  single_value{&wasted_items_total, &counter_values::wasted_items},
  single_value{&padding_items_total, &counter_values::padding_items},
  single_value{&late_answers_total, &counter_values::late_answers},
};

void add_reading(families& to, std::string_view batcher, series_reading from) {
  auto& counters = from.counters;
  for (auto [info, value] : single_values) to.add_number(*info, {batcher}, counters.*value);
  auto add_each = [&](const metric_info& info, const auto& names, const auto& values) {
    for (std::size_t i = 0; i < names.size(); ++i)
      to.add_number(info, {batcher, to_string(names[i])}, values[i]);
  };
  add_each(workers, all_worker_stages, counters.workers);
  add_each(replies_total, all_outcomes, counters.replies);
  add_each(batches_total, all_close_reasons, counters.batches);
  add_each(batch_failures_total, all_failures, counters.failures);
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
