// SPDX-License-Identifier: BSD-3-Clause
//
// Histograms: batches made by hand, and what the formulas of `observer.hpp` make of them.

#include "batcher/monitoring/metrics.hpp"

#include "collected.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace batcher;
using namespace batcher::monitoring;
using namespace std::chrono_literals;

namespace {

constexpr time_point t0{100s};

/// A batcher called "b" that a test hands batches to.
struct fixture {
  metrics all;
  std::shared_ptr<observer> watcher = all.new_observer();
  std::shared_ptr<live_counters> counters = std::make_shared<live_counters>();

  explicit fixture(std::size_t max_batch_items = 64) {
    watcher->on_start("b", max_batch_items, counters);
  }

  [[nodiscard]] prometheus::ClientMetric::Histogram read(const metric_info& info) const {
    return collected{all}.histogram(info, "b");
  }
};

std::vector<double> edges_in_table(const metric_info& info) {
  return {info.bucket_edges.begin(), info.bucket_edges.end()};
}

} // namespace

TEST_CASE("a batch is taken apart by the formulas of the observer") {
  fixture f;
  // The third item came when the batch could have left already, but no worker was free.
  std::array arrivals{t0, t0 + 1ms, t0 + 3ms};
  f.watcher->on_batch({.items = 3,
                       .arrivals = arrivals,
                       .ready_at = t0 + 2ms,
                       .dispatched_at = t0 + 5ms,
                       .finished_at = t0 + 9ms,
                       .executed = 2ms});

  auto fill = f.read(fill_wait_seconds); // 2 ms, 1 ms, 0
  CHECK(fill.sample_count == 3);
  CHECK(fill.sample_sum == 0.003);
  CHECK(in_bucket(fill, 50e-6) == 1);
  CHECK(in_bucket(fill, 1e-3) == 1);
  CHECK(in_bucket(fill, 2.5e-3) == 1);

  auto capacity = f.read(capacity_wait_seconds); // 3 ms, 3 ms, 2 ms
  CHECK(capacity.sample_count == 3);
  CHECK(capacity.sample_sum == 0.008);
  CHECK(in_bucket(capacity, 2.5e-3) == 1);
  CHECK(in_bucket(capacity, 5e-3) == 2);

  auto execute = f.read(execute_seconds); // 2 ms for each of the three
  CHECK(execute.sample_count == 3);
  CHECK(execute.sample_sum == 0.006);
  CHECK(in_bucket(execute, 2.5e-3) == 3);

  auto request = f.read(request_seconds); // 9 ms, 8 ms, 6 ms
  CHECK(request.sample_count == 3);
  CHECK(request.sample_sum == 0.023);
  CHECK(in_bucket(request, 10e-3) == 3);

  auto items = f.read(batch_items);
  CHECK(items.sample_count == 1);
  CHECK(items.sample_sum == 3);
  CHECK(in_bucket(items, 4) == 1);
}

TEST_CASE("a value on an edge belongs to the bucket that ends there") {
  for (auto edge : time_edges) {
    INFO(edge);
    fixture f;
    auto exact = std::chrono::nanoseconds{std::llround(edge * 1e9)};
    std::array arrivals{t0 - 1ns, t0};
    f.watcher->on_batch(unexecuted(arrivals, t0 + exact));
    CHECK(in_bucket(f.read(request_seconds), edge) == 1);
    CHECK(f.read(request_seconds).sample_count == 2);
  }
}

TEST_CASE("longer than the last edge is counted under +Inf and in the sum") {
  fixture f;
  std::array arrivals{t0};
  f.watcher->on_batch(unexecuted(arrivals, t0 + 1h));
  auto request = f.read(request_seconds);
  CHECK(in_bucket(request, std::numeric_limits<double>::infinity()) == 1);
  CHECK(request.sample_sum == 3600);
}

TEST_CASE("every bucket is found from every other") {
  // Arrivals jump from the longest wait to the shortest and back.
  fixture f;
  auto last = std::llround(time_edges.back() * 1e9);
  std::vector<time_point> arrivals;
  for (auto edge : time_edges) {
    arrivals.push_back(t0 - std::chrono::nanoseconds{std::llround(edge * 1e9)});
    arrivals.push_back(t0 - std::chrono::nanoseconds{last + 1});
    arrivals.push_back(t0);
  }
  f.watcher->on_batch(unexecuted(arrivals, t0));
  auto request = f.read(request_seconds);
  for (auto edge : time_edges)
    CHECK(in_bucket(request, edge) == (edge == time_edges.front() ? time_edges.size() + 1 : 1));
  CHECK(in_bucket(request, std::numeric_limits<double>::infinity()) == time_edges.size());
}

TEST_CASE("the edges are those of the table") {
  fixture f{64};
  for (auto& info : {fill_wait_seconds, capacity_wait_seconds, execute_seconds, request_seconds})
    CHECK(edges_of(f.read(info)) == edges_in_table(info));
}

TEST_CASE("the largest batch and the one below it have edges of their own") {
  struct example {
    std::size_t max_batch_items;
    std::vector<double> more;
  };
  auto [max_batch_items, more] = GENERATE(values<example>({
    {1, {}},
    {2, {}},
    {4, {3}},
    {100, {99, 100}},
    {1025, {1025}},
    {5000, {4999, 5000}},
  }));
  auto expected = edges_in_table(batch_items);
  expected.insert(expected.end(), more.begin(), more.end());
  std::sort(expected.begin(), expected.end());
  CHECK(edges_of(fixture{max_batch_items}.read(batch_items)) == expected);
}

TEST_CASE("full batches can be counted") {
  fixture f{100};
  for (std::size_t items : {100u, 99u, 100u, 1u, 65u, 100u}) {
    std::vector<time_point> arrivals(items, t0);
    f.watcher->on_batch(unexecuted(arrivals, t0));
  }
  auto items = f.read(batch_items);
  CHECK(in_bucket(items, 100) == 3);
  CHECK(in_bucket(items, 99) == 2); // 65 and 99
  CHECK(in_bucket(items, 64) == 0);
  CHECK(items.sample_sum == 465);
}

TEST_CASE("a name keeps the edges of its first batcher") {
  fixture f{100};
  auto other = std::make_shared<live_counters>();
  auto watcher = f.all.new_observer();
  watcher->on_start("b", 10, other);
  std::vector<time_point> arrivals(10, t0);
  watcher->on_batch(unexecuted(arrivals, t0));
  auto items = f.read(batch_items);
  CHECK(edges_of(items) == edges_of(fixture{100}.read(batch_items)));
  CHECK(in_bucket(items, 16) == 1);
}

TEST_CASE("the parts of latency add up to the request") {
  fixture f;
  std::mt19937 random{20240229};
  auto up_to = [&](int most) {
    return std::chrono::nanoseconds{std::uniform_int_distribution{0, most}(random)};
  };
  duration rest{};
  std::uint64_t items = 0;
  for (int batch = 0; batch < 500; ++batch) {
    std::vector<time_point> arrivals{t0};
    while (arrivals.size() < 1 + static_cast<std::size_t>(batch % 64))
      arrivals.push_back(arrivals.back() + up_to(100'000));
    auto record = unexecuted(arrivals, t0);
    record.ready_at = t0 + up_to(5'000'000); // before, between or after the arrivals
    record.dispatched_at = std::max(arrivals.back(), record.ready_at) + up_to(20'000'000);
    record.executed = up_to(1'000'000'000) + 1ns;
    auto way = up_to(100'000);
    record.finished_at = record.dispatched_at + record.executed + way;
    rest += way * static_cast<int>(arrivals.size());
    items += arrivals.size();
    f.watcher->on_batch(record);
  }
  auto sum = [&](const metric_info& info) { return f.read(info).sample_sum; };
  auto parts = sum(fill_wait_seconds) + sum(capacity_wait_seconds) + sum(execute_seconds);
  CHECK(parts + to_seconds(rest) == Approx(sum(request_seconds)).epsilon(1e-12));
  for (auto& info : {fill_wait_seconds, capacity_wait_seconds, execute_seconds, request_seconds})
    CHECK(f.read(info).sample_count == items);
}

TEST_CASE("a run counts all its items, and times only of those that leave with it") {
  fixture f;
  std::array arrivals{t0, t0 + 1ms};
  f.watcher->on_batch({.outcome = errc::batch_failed, // its items run again
                       .items = 4,
                       .arrivals = {},
                       .ready_at = t0 + 1ms,
                       .dispatched_at = t0 + 2ms,
                       .finished_at = t0 + 4ms,
                       .executed = 1ms});
  CHECK(f.read(batch_items).sample_sum == 4);
  for (auto& info : {fill_wait_seconds, capacity_wait_seconds, execute_seconds, request_seconds})
    CHECK(f.read(info).sample_count == 0);

  f.watcher->on_batch({.reason = close_reason::retry, // two have left before
                       .attempt = 2,
                       .items = 4,
                       .arrivals = arrivals,
                       .ready_at = t0 + 4ms,
                       .dispatched_at = t0 + 5ms,
                       .finished_at = t0 + 9ms,
                       .executed = 3ms});
  CHECK(f.read(batch_items).sample_count == 2);
  CHECK(f.read(batch_items).sample_sum == 8);
  CHECK(in_bucket(f.read(batch_items), 4) == 2);
  for (auto& info : {fill_wait_seconds, capacity_wait_seconds, execute_seconds, request_seconds})
    CHECK(f.read(info).sample_count == 2);
  CHECK(f.read(execute_seconds).sample_sum == 0.006);
  CHECK(f.read(request_seconds).sample_sum == 0.017);
}

TEST_CASE("more may leave with a run than it had items, since some share a place") {
  fixture f;
  std::array arrivals{t0, t0, t0 + 1ms};
  auto record = unexecuted(arrivals, t0 + 2ms);
  record.items = 1;
  f.watcher->on_batch(record);
  CHECK(f.read(batch_items).sample_sum == 1);
  CHECK(f.read(request_seconds).sample_count == 3);
}

TEST_CASE("an item that came while its place was executed has waited for nothing") {
  fixture f;
  std::array arrivals{t0 + 6ms};
  f.watcher->on_batch({.items = 1,
                       .arrivals = arrivals,
                       .ready_at = t0 + 2ms,
                       .dispatched_at = t0 + 5ms,
                       .finished_at = t0 + 9ms});
  for (auto& info : {fill_wait_seconds, capacity_wait_seconds}) {
    CHECK(f.read(info).sample_count == 1);
    CHECK(f.read(info).sample_sum == 0);
  }
  CHECK(f.read(request_seconds).sample_sum == 0.003);
}

TEST_CASE("a batch that no worker reported on says nothing of execution") {
  fixture f;
  std::array arrivals{t0, t0};
  auto record = unexecuted(arrivals, t0 + 1s);
  record.outcome = errc::worker_lost;
  f.watcher->on_batch(record);
  CHECK(f.read(execute_seconds).sample_count == 0);
  CHECK(f.read(request_seconds).sample_sum == 2);
}
