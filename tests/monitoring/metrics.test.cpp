// SPDX-License-Identifier: BSD-3-Clause
//
// Counters and gauges: true at each scrape, and each under its own name.

#include "batcher/monitoring/metrics.hpp"

#include "batcher/batcher_core.hpp"
#include "collected.hpp"
#include "fake_batcher.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace batcher;
using namespace batcher::monitoring;
using namespace std::chrono_literals;

namespace {

prometheus::MetricType exported(metric_type type) {
  switch (type) {
    case metric_type::counter: return prometheus::MetricType::Counter;
    case metric_type::gauge: return prometheus::MetricType::Gauge;
    case metric_type::histogram: return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

label_map labels_of(const prometheus::ClientMetric& child) {
  label_map labels;
  for (auto& label : child.label) labels[label.name] = label.value;
  return labels;
}

} // namespace

TEST_CASE("what is exported is the table and the other way round") {
  metrics all;
  auto batchers = GENERATE(0u, 1u, 3u);
  std::vector<fake_batcher> running;
  for (unsigned i = 0; i < batchers; ++i) {
    running.emplace_back(all, "b" + std::to_string(i));
    running.back().watcher->on_node("a", std::make_shared<node_counters>(node_role::worker, 1));
  }
  collected now{all};
  REQUIRE(now.families().size() == all_metrics.size());
  for (std::size_t i = 0; i < all_metrics.size(); ++i) {
    auto& family = now.families()[i];
    INFO(family.name);
    CHECK(family.name == all_metrics[i].name);
    CHECK(family.help == all_metrics[i].help);
    CHECK(family.type == exported(all_metrics[i].type));
    std::set<label_map> seen;
    for (auto& child : family.metric) {
      std::set<std::string> names;
      for (auto& label : child.label) names.emplace(label.name);
      CHECK(names
            == std::set<std::string>(all_metrics[i].labels.begin(), all_metrics[i].labels.end()));
      CHECK(seen.insert(labels_of(child)).second);
    }
    CHECK(family.metric.empty() == (batchers == 0));
  }
}

TEST_CASE("the table keeps the rules for names") {
  std::set<std::string_view> names;
  for (auto& info : all_metrics) {
    INFO(info.name);
    CHECK(names.insert(info.name).second);
    CHECK(info.name.starts_with("batcher_"));
    CHECK(info.name.ends_with("_total") == (info.type == metric_type::counter));
    if (info.unit == "seconds") CHECK(info.name.ends_with("_seconds"));
    CHECK(info.labels.front() == batcher_label);
    CHECK(info.help.ends_with('.'));
    CHECK(info.bucket_edges.empty() == (info.type != metric_type::histogram));
    CHECK(std::is_sorted(info.bucket_edges.begin(), info.bucket_edges.end()));
  }
}

TEST_CASE("everything is there with 0 as soon as a batcher starts") {
  metrics all;
  fake_batcher one{all, "b"};
  collected now{all};
  CHECK(now.children(replies_total).size() == all_outcomes.size());
  for (auto how : all_outcomes) CHECK(now.replies("b", how) == 0);
  CHECK(now.children(batches_total).size() == all_close_reasons.size());
  for (auto why : all_close_reasons) CHECK(now.batches("b", why) == 0);
  CHECK(now.children(batch_failures_total).size() == all_failures.size());
  for (auto kind : all_failures) CHECK(now.failures("b", kind) == 0);
  CHECK(now.children(workers).size() == all_worker_stages.size());
  for (auto stage : all_worker_stages) CHECK(now.workers_at("b", stage) == 0);
  CHECK(now.requests("b") == 0);
  for (auto& info : counted_by_count_each) CHECK(now.counter(info, "b") == 0);
  for (auto& info : {queue_items, queue_cost, in_flight_items, lanes})
    CHECK(now.gauge(info, "b") == 0);
  for (auto& info :
       {batch_items, fill_wait_seconds, capacity_wait_seconds, execute_seconds, request_seconds}) {
    CHECK(now.histogram(info, "b").sample_count == 0);
    CHECK(now.histogram(info, "b").sample_sum == 0);
  }
}

TEST_CASE("each scrape shows the counters of its moment") {
  metrics all;
  fake_batcher one{all, "b"};
  one.queue(5);
  collected queued{all};
  CHECK(queued.requests("b") == 5);
  CHECK(queued.gauge(queue_items, "b") == 5);
  CHECK(queued.gauge(in_flight_items, "b") == 0);
  one.dispatch(3);
  collected dispatched{all};
  CHECK(dispatched.gauge(queue_items, "b") == 2);
  CHECK(dispatched.gauge(in_flight_items, "b") == 3);
  CHECK(dispatched.batches("b", close_reason::deadline) == 1);
  CHECK(dispatched.replies("b", outcome::ok) == 0);
  one.answer(3);
  collected answered{all};
  CHECK(answered.gauge(in_flight_items, "b") == 0);
  CHECK(answered.replies("b", outcome::ok) == 3);
  CHECK(answered.requests("b") == 5);
}

TEST_CASE("every outcome, reason, failure and stage is counted under its own name") {
  metrics all;
  fake_batcher one{all, "b"};
  for (std::size_t i = 0; i < all_outcomes.size(); ++i)
    one.counters->on_replied(all_outcomes[i], i + 1);
  for (std::size_t i = 0; i < all_close_reasons.size(); ++i)
    for (std::size_t n = 0; n <= i; ++n) one.counters->on_dispatched(all_close_reasons[i], 1, 0);
  for (std::size_t i = 0; i < all_failures.size(); ++i)
    for (std::size_t n = 0; n <= i; ++n) one.counters->on_failure(all_failures[i]);
  for (std::size_t i = 0; i < all_worker_stages.size(); ++i)
    one.counters->set_workers(all_worker_stages[i], i + 1);
  collected now{all};
  for (std::size_t i = 0; i < all_outcomes.size(); ++i)
    CHECK(now.replies("b", all_outcomes[i]) == static_cast<double>(i + 1));
  for (std::size_t i = 0; i < all_close_reasons.size(); ++i)
    CHECK(now.batches("b", all_close_reasons[i]) == static_cast<double>(i + 1));
  for (std::size_t i = 0; i < all_failures.size(); ++i)
    CHECK(now.failures("b", all_failures[i]) == static_cast<double>(i + 1));
  for (std::size_t i = 0; i < all_worker_stages.size(); ++i)
    CHECK(now.workers_at("b", all_worker_stages[i]) == static_cast<double>(i + 1));
}

TEST_CASE("everything without a label of its own is counted under its own name") {
  metrics all;
  fake_batcher one{all, "b"};
  count_each(*one.counters, 0);
  one.counters->set_queue_cost(8);
  one.counters->set_lanes(9);
  collected now{all};
  for (std::size_t i = 0; i < counted_by_count_each.size(); ++i) {
    INFO(counted_by_count_each[i].name);
    CHECK(now.counter(counted_by_count_each[i], "b") == static_cast<double>(i + 1));
  }
  CHECK(now.gauge(queue_cost, "b") == 8);
  CHECK(now.gauge(lanes, "b") == 9);
}

TEST_CASE("batchers of different names do not mix") {
  metrics all;
  fake_batcher a{all, "a"};
  fake_batcher b{all, "b"};
  a.queue(2);
  b.queue(7);
  b.observe_batch(3);
  collected now{all};
  CHECK(now.requests("a") == 2);
  CHECK(now.requests("b") == 7);
  CHECK(now.histogram(batch_items, "a").sample_count == 0);
  CHECK(now.histogram(batch_items, "b").sample_sum == 3);
}

TEST_CASE("batchers of one name are one series with their sum") {
  metrics all;
  fake_batcher one{all, "b"};
  fake_batcher two{all, "b"};
  one.queue(2);
  two.queue(7);
  two.dispatch(4);
  one.observe_batch(1);
  two.observe_batch(4);
  count_each(*one.counters, 0);
  count_each(*two.counters, 10);
  for (std::size_t n : {1, 2}) {
    auto& counters = n == 1 ? *one.counters : *two.counters;
    counters.on_failure(failure::worker_lost);
    counters.set_queue_cost(n);
    counters.set_lanes(n * 2);
    counters.set_workers(worker_stage::serving, n * 3);
  }
  collected now{all};
  for (std::size_t i = 0; i < counted_by_count_each.size(); ++i) {
    INFO(counted_by_count_each[i].name);
    CHECK(now.counter(counted_by_count_each[i], "b") == static_cast<double>(10 + 2 * (i + 1)));
  }
  CHECK(now.failures("b", failure::worker_lost) == 2);
  CHECK(now.gauge(queue_cost, "b") == 3);
  CHECK(now.gauge(lanes, "b") == 6);
  CHECK(now.workers_at("b", worker_stage::serving) == 9);
  CHECK(now.requests("b") == 9);
  CHECK(now.gauge(queue_items, "b") == 5);
  CHECK(now.gauge(in_flight_items, "b") == 4);
  CHECK(now.histogram(batch_items, "b").sample_count == 2);
  CHECK(now.histogram(batch_items, "b").sample_sum == 5);
}

TEST_CASE("a core's counters and its batches tell the same story") {
  metrics all;
  options opts{.name = "core",
               .max_batch_items = 4,
               .max_delay = 10ms,
               .max_queue_items = 6,
               .observer = all.new_observer()};
  batcher_core<int> core{opts};
  time_point t0{1s};
  auto worker = core.next_start(t0);
  REQUIRE(worker.has_value());
  core.worker_up(t0, *worker, 1);
  for (int i = 0; i < 8; ++i) static_cast<void>(core.admit(t0, int{i})); // two are refused
  auto batch = core.next_batch(t0 + 1ms);
  REQUIRE(batch.has_value());
  core.complete(t0 + 5ms, batch->id, {.results = 4, .failed = {2}, .executed = 3ms});
  CHECK_FALSE(core.next_batch(t0 + 5ms).has_value());
  collected now{all};
  CHECK(now.requests("core") == 8);
  CHECK(now.replies("core", outcome::ok) == 3);
  CHECK(now.replies("core", outcome::item_error) == 1);
  CHECK(now.replies("core", outcome::queue_full) == 2);
  CHECK(now.batches("core", close_reason::size) == 1);
  CHECK(now.gauge(queue_items, "core") == 2);
  CHECK(now.gauge(queue_cost, "core") == 2);
  CHECK(now.gauge(lanes, "core") == 1);
  CHECK(now.workers_at("core", worker_stage::serving) == 1);
  CHECK(now.histogram(request_seconds, "core").sample_count == 4);
  CHECK(now.histogram(request_seconds, "core").sample_sum == 0.020);
  CHECK(now.histogram(execute_seconds, "core").sample_sum == 0.012);
}

TEST_CASE("the text has each family once and spells odd names so that Prometheus reads them") {
  metrics all;
  fake_batcher plain{all, "plain"};
  fake_batcher odd{all, "a\"b\\c\nd"};
  auto text = all.text();
  for (auto& info : all_metrics) {
    auto header = "# TYPE " + std::string{info.name} + ' ';
    auto first = text.find(header);
    CHECK(first != std::string::npos);
    CHECK(text.find(header, first + 1) == std::string::npos);
  }
  CHECK(text.find("batcher_requests_total{batcher=\"plain\"} 0\n") != std::string::npos);
  CHECK(text.find("batcher_requests_total{batcher=\"a\\\"b\\\\c\\nd\"} 0\n") != std::string::npos);
}
