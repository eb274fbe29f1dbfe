// SPDX-License-Identifier: BSD-3-Clause
//
// Readings turned into Prometheus families, one family per row of the table.

#include "batcher/monitoring/metrics.hpp"

#include "batcher/monitoring/metric_names.hpp"
#include "node_series.hpp"
#include "series.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <chrono>
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

template <class Values>
struct single_value {
  const metric_info* info;
  std::uint64_t Values::*value;
};
template <class Values> // clang 14 deduces nothing for aggregates by itself
single_value(const metric_info*, std::uint64_t Values::*)->single_value<Values>;

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

// What has no label but the batcher's and the node's.
constexpr std::array single_values_of_nodes{
  single_value{&node_in_flight_batches, &node_values::in_flight_batches},
  single_value{&node_in_flight_items, &node_values::in_flight_items},
  single_value{&node_connects_total, &node_values::connects},
  single_value{&node_losses_total, &node_values::losses},
  single_value{&node_retries_total, &node_values::retries},
  single_value{&node_late_answers_total, &node_values::late_answers},
};

// One number for each name, which is the value of one label more.
template <class Names, class Values>
void add_each(families& to, const metric_info& info, label_values labels, const Names& names,
              const Values& values) {
  labels.emplace_back();
  for (std::size_t i = 0; i < names.size(); ++i) {
    labels.back() = to_string(names[i]);
    to.add_number(info, labels, values[i]);
  }
}

void add_reading(families& to, std::string_view batcher, series_reading from) {
  auto& counters = from.counters;
  for (auto [info, value] : single_values) to.add_number(*info, {batcher}, counters.*value);
  add_each(to, workers, {batcher}, all_worker_stages, counters.workers);
  add_each(to, replies_total, {batcher}, all_outcomes, counters.replies);
  add_each(to, batches_total, {batcher}, all_close_reasons, counters.batches);
  add_each(to, batch_failures_total, {batcher}, all_failures, counters.failures);
  to.add_histogram(batch_items, {batcher}, std::move(from.batch_items));
  to.add_histogram(fill_wait_seconds, {batcher}, std::move(from.fill_wait));
  to.add_histogram(capacity_wait_seconds, {batcher}, std::move(from.capacity_wait));
  to.add_histogram(execute_seconds, {batcher}, std::move(from.execute));
  to.add_histogram(request_seconds, {batcher}, std::move(from.request));
}

void add_times(families& to, const metric_info& info, const label_values& labels,
               const node_times& from) {
  auto seconds = std::chrono::duration<double>(from.sum).count();
  to.add_histogram(info, labels, cumulative(info.bucket_edges, from.by_edge, seconds));
}

void add_reading(families& to, std::string_view batcher, const node_series_reading& from) {
  std::array<std::uint64_t, all_node_roles.size()> connected{from.clients.connected, 0};
  for (auto& [node, values] : from.workers) {
    connected[static_cast<std::size_t>(node_role::worker)] += values.connected;
    label_values labels{batcher, node};
    for (auto [info, value] : single_values_of_nodes) to.add_number(*info, labels, values.*value);
    add_each(to, node_workers, labels, all_node_worker_states, values.workers);
    add_each(to, node_batches_total, labels, all_node_results, values.batches);
    add_times(to, node_wire_seconds, labels, values.wire);
    add_times(to, node_wait_seconds, labels, values.wait);
    add_times(to, node_execute_seconds, labels, values.execute);
  }
  add_each(to, nodes, {batcher}, all_node_roles, connected);
  to.add_number(nodes_refused_total, {batcher}, from.refused);
  to.add_number(node_requests_total, {batcher}, from.clients.requests);
}

} // namespace

// Shared with the observers, so that neither side has to outlive the other. A name is never
// removed: its counters must not start again from 0.
class metrics::state {
public:
  struct all_of_name {
    explicit all_of_name(std::size_t max_batch_items) : batches{max_batch_items} {}

    series batches;
    node_series nodes;
  };

  all_of_name& start(std::string_view name, std::size_t max_batch_items,
                     std::shared_ptr<const live_counters> counters) {
    std::lock_guard guard{mutex_};
    auto& named = by_name_.try_emplace(std::string{name}, max_batch_items).first->second;
    named.batches.adopt(std::move(counters));
    return named;
  }

  std::vector<prometheus::MetricFamily> collect() {
    families out;
    std::lock_guard guard{mutex_};
    for (auto& [name, named] : by_name_) {
      add_reading(out, name, named.batches.read());
      add_reading(out, name, named.nodes.read());
    }
    return out.take();
  }

private:
  std::mutex mutex_;
  std::map<std::string, all_of_name> by_name_; // what is in it never moves
};

class metrics::batcher_observer final : public observer {
public:
  explicit batcher_observer(std::shared_ptr<state> to) : state_{std::move(to)} {}

  void on_start(std::string_view batcher_name, std::size_t max_batch_items,
                std::shared_ptr<const live_counters> counters) noexcept override {
    mine_ = &state_->start(batcher_name, max_batch_items, std::move(counters));
  }

  void on_batch(const batch_record& record) noexcept override {
    auto* mine = mine_.load();
    assert(mine != nullptr);
    mine->batches.observe(record);
  }

  void on_node(std::string_view name,
               std::shared_ptr<const node_counters> counters) noexcept override {
    if (auto* mine = mine_.load()) mine->nodes.adopt(name, std::move(counters));
  }

  void on_node_refused() noexcept override {
    if (auto* mine = mine_.load()) mine->nodes.count_refused();
  }

private:
  std::shared_ptr<state> state_;
  std::atomic<state::all_of_name*> mine_ = nullptr;
};

metrics::metrics() : state_{std::make_shared<state>()} {}

metrics::~metrics() = default;

std::shared_ptr<observer> metrics::new_observer() {
  return std::make_shared<batcher_observer>(state_);
}

std::vector<prometheus::MetricFamily> metrics::Collect() const { return state_->collect(); }

std::string metrics::text() const { return prometheus::TextSerializer{}.Serialize(Collect()); }

} // namespace batcher::monitoring
