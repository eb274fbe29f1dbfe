// SPDX-License-Identifier: BSD-3-Clause
//
// Runs of the simulator: a trace by hand, the same again, and everything that can go wrong with a
// request.

#include "batcher_sim/simulate.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

using namespace sim;
using namespace std::chrono_literals;
using batcher::errc;

namespace {

/// Two workers at half load.
scenario ordinary() {
  scenario s{.arrivals = {.rate = 15'000}, .workers = 2, .requests = 20'000};
  s.opts.max_batch_items = 32;
  return s;
}

/// One worker, 10 ms a batch of up to 10 items, and twice the load that it bears.
scenario overloaded() {
  scenario s{.arrivals = {.rate = 2'000},
             .cost = {.per_batch = 10ms, .per_item = 0ms},
             .requests = 20'000,
             .warm_up = 0.2};
  s.opts.max_batch_items = 10;
  s.opts.max_queue_items = 100;
  return s;
}

std::uint64_t answers(const result& r) {
  return std::accumulate(r.outcomes.begin(), r.outcomes.end(), std::uint64_t{0});
}

std::uint64_t most_queued(const result& r) {
  std::uint64_t most = 0;
  for (auto& step : r.queue) most = std::max(most, step.largest);
  return most;
}

/// Mean time from dispatch to end of the batches that were dispatched in [from, to).
double mean_turnaround_ms(const result& r, batcher::duration from, batcher::duration to) {
  double sum = 0;
  double batches = 0;
  for (auto& b : r.batches_in_order) {
    if (b.dispatched < from || b.dispatched >= to) continue;
    sum += batcher::to_seconds(b.finished - b.dispatched) * 1e3;
    ++batches;
  }
  return sum / batches;
}

} // namespace

TEST_CASE("the trace of batcher_core.hpp comes out as it is written there") {
  scenario s{.arrivals = {.kind = arrival_kind::trace, .instants = {0ms, 3ms, 4ms, 4ms, 4ms}},
             .cost = {.per_batch = 17ms, .per_item = 0ms},
             .warm_up = 0,
             .keeps_batches = true};
  s.opts.max_batch_items = 2;
  s.opts.max_delay = 10ms;
  s.opts.when_idle = batcher::when_idle::fill;
  auto r = simulate(s);
  REQUIRE(r.batches_in_order.size() == 3);
  struct {
    batcher::duration dispatched, finished;
    std::size_t items;
    batcher::duration mean_latency;
  } const expected[]{
    {3ms, 20ms, 2, 18'500us}, // a waited 20 ms, b 17
    {20ms, 37ms, 2, 33ms},    // c and d
    {37ms, 54ms, 1, 50ms},    // e, whose window was over at 14 ms
  };
  for (std::size_t i = 0; i < 3; ++i) {
    auto& b = r.batches_in_order[i];
    CHECK(b.dispatched == expected[i].dispatched);
    CHECK(b.finished == expected[i].finished);
    CHECK(b.items == expected[i].items);
    CHECK(b.mean_latency == expected[i].mean_latency);
  }
  CHECK(r.mean == 30'600us);
  CHECK(r.max == 50ms);
  CHECK(r.length == 54ms);
  CHECK(r.requests == 5);
}

TEST_CASE("a partial batch leaves when its window ends though nothing else happens") {
  scenario s{.arrivals = {.kind = arrival_kind::trace, .instants = {0ms, 1ms, 100ms}},
             .cost = {.per_batch = 1ms, .per_item = 1ms},
             .warm_up = 0,
             .keeps_batches = true};
  s.opts.max_delay = 10ms;
  s.opts.when_idle = batcher::when_idle::fill;
  auto r = simulate(s);
  REQUIRE(r.batches_in_order.size() == 2);
  CHECK(r.batches_in_order[0].dispatched == 10ms);
  CHECK(r.batches_in_order[0].finished == 13ms);
  CHECK(r.batches_in_order[1].dispatched == 110ms);
  CHECK(r.length == 112ms);
}

TEST_CASE("the same scenario gives the same result, another seed another one") {
  auto s = ordinary();
  s.cost.noise = 0.5;
  s.cost.failure_share = 0.01;
  s.keys = 5;
  auto same = [](const result& x, const result& y) {
    return x.mean == y.mean && x.max == y.max && x.outcomes == y.outcomes && x.length == y.length
           && x.batches_by_items == y.batches_by_items && x.queue_items == y.queue_items;
  };
  CHECK(same(simulate(s), simulate(s)));
  auto other = s;
  other.seed = 2;
  CHECK_FALSE(same(simulate(s), simulate(other)));
}

TEST_CASE("two settings of one seed see the same requests") {
  auto s = ordinary();
  auto filled = simulate(s);
  s.opts.when_idle = batcher::when_idle::immediate;
  s.opts.max_batch_items = 8;
  s.workers = 4;
  auto eager = simulate(s);
  CHECK(filled.window == eager.window);
  CHECK(filled.offered == eager.offered);
  CHECK(filled.mean != eager.mean);
}

TEST_CASE("every request is answered once, whatever goes wrong") {
  auto s = overloaded();
  s.workers = 4;
  s.arrivals.rate = 5'000;
  s.keys = 6;
  s.cost.noise = 0.5;
  s.cost.stall_share = 0.02;
  s.cost.stall = 200ms;
  s.cost.failure_share = 0.05;
  s.cost.wire = 100us;
  s.opts.worker_credit = 2;
  s.opts.batch_timeout = 60ms;
  s.opts.request_timeout = 150ms;
  s.opts.on_failure = batcher::retry::idempotent{};
  using batcher::overload;
  for (auto policy : {overload::refuse_newest, overload::drop_oldest, overload::wait_for_credit})
    for (auto shards : {1, 3})
      for (auto way : {batcher::shard_by::load, batcher::shard_by::key}) {
        // Shards give no credit.
        if (policy == overload::wait_for_credit && shards > 1) continue;
        s.opts.overload = policy;
        s.opts.shards = static_cast<std::size_t>(shards);
        s.opts.shard_by = way;
        REQUIRE(validate(s).empty());
        auto r = simulate(s);
        CHECK(r.arrived == 20'000);
        CHECK(r.requests == 16'000);
        CHECK(answers(r) == r.requests);
        CHECK(r.latencies.values() == r.answered_with(errc::none));
        CHECK(r.answered_with(errc::none) > 0);
        CHECK(r.answered_with(errc::expired) > 0);
      }
}

TEST_CASE("at twice the load half is refused, and the rest fills the worker") {
  auto r = simulate(overloaded());
  CHECK(r.served == Approx(1'000).epsilon(0.01));
  CHECK(r.utilisation == Approx(1).epsilon(0.001));
  CHECK(r.fill == Approx(10).epsilon(0.001));
  CHECK(r.answered_with(errc::queue_full) == Approx(0.5 * 16'000).epsilon(0.05));
  CHECK(most_queued(r) == 100);
  // A full queue is ten batches long.
  CHECK(r.max <= 120ms);
}

TEST_CASE("drop_oldest keeps the latest, at the cost of those that wait") {
  auto s = overloaded();
  s.opts.overload = batcher::overload::drop_oldest;
  auto r = simulate(s);
  CHECK(r.answered_with(errc::queue_full) == 0);
  CHECK(r.answered_with(errc::dropped) == Approx(0.5 * 16'000).epsilon(0.05));
  CHECK(r.p50 < simulate(overloaded()).p50);
}

TEST_CASE("clients that wait for credit are never refused, and the queue stays short") {
  auto s = overloaded();
  s.opts.overload = batcher::overload::wait_for_credit;
  auto r = simulate(s);
  CHECK(r.refused_or_failed() == 0);
  CHECK(most_queued(r) <= 100);
  // 20,000 requests at 1,000/s: the last one came after 10 s and is answered after 20.
  CHECK(batcher::to_seconds(r.max) == Approx(10).epsilon(0.05));
}

TEST_CASE("no result is later than the request's time, and goodput counts those in time only") {
  auto s = overloaded();
  s.in_time = 60ms;
  auto slow = simulate(s);
  CHECK(slow.served == Approx(1'000).epsilon(0.01));
  CHECK(slow.goodput < 100);
  s.opts.request_timeout = 60ms;
  auto r = simulate(s);
  CHECK(r.max <= 60ms);
  CHECK(r.goodput == r.served);
  CHECK(r.goodput > 900);
  CHECK(r.answered_with(errc::expired) > 1'000);
}

TEST_CASE("failures cost their batches, and retries mend them") {
  auto s = ordinary();
  s.requests = 400'000;
  s.cost.failure_share = 0.05;
  s.opts.breaker_failures = 0;
  auto r = simulate(s);
  auto share = static_cast<double>(r.answered_with(errc::batch_failed)) / 360'000;
  CHECK(share == Approx(0.05).epsilon(0.1));
  s.opts.on_failure = batcher::retry::idempotent{.max_attempts = 3, .bisect = false};
  // Three failures in a row are one in 8,000.
  CHECK(static_cast<double>(simulate(s).answered_with(errc::batch_failed)) / 360'000 < 0.0005);
}

TEST_CASE("a batch that stalls is given up at its timeout, and its worker goes on") {
  auto s = ordinary();
  s.cost.stall_share = 0.01;
  s.cost.stall = 100ms;
  s.opts.batch_timeout = 20ms;
  auto r = simulate(s);
  CHECK(r.answered_with(errc::batch_timeout) > 0);
  CHECK(answers(r) == r.requests);
  auto without = ordinary();
  CHECK(r.utilisation > simulate(without).utilisation);
}

TEST_CASE("noise keeps the mean of a batch's time and spreads it") {
  auto s = ordinary();
  s.requests = 400'000;
  s.keeps_batches = true;
  s.cost = {.per_batch = 2ms, .per_item = 0ms, .noise = 0.5};
  auto r = simulate(s);
  double sum = 0;
  double squares = 0;
  auto n = static_cast<double>(r.batches_in_order.size());
  for (auto& b : r.batches_in_order) {
    auto x = batcher::to_seconds(b.finished - b.dispatched);
    sum += x;
    squares += x * x;
  }
  auto mean = sum / n;
  CHECK(mean == Approx(2e-3).epsilon(0.02));
  CHECK(std::sqrt(squares / n - mean * mean) == Approx(0.5 * mean).epsilon(0.05));
}

TEST_CASE(
  "more credit hides the way to the worker, and the worker still runs one batch at a time") {
  auto s = overloaded();
  s.cost.wire = 5ms;
  auto r = simulate(s);
  CHECK(r.served == Approx(500).epsilon(0.01)); // 10 ms, and twice 5 on the way
  CHECK(r.utilisation == Approx(0.5).epsilon(0.01));
  s.opts.worker_credit = 4;
  CHECK(simulate(s).served == Approx(1'000).epsilon(0.01));
}

TEST_CASE("a change of cost holds from its instant on") {
  auto s = ordinary();
  s.keeps_batches = true;
  s.cost = {.per_batch = 1ms, .per_item = 0ms};
  s.changes = {{.at = 300ms, .rate_factor = 1, .cost_factor = 2},
               {.at = 600ms, .rate_factor = 1, .cost_factor = 1}};
  auto r = simulate(s);
  CHECK(mean_turnaround_ms(r, 0ms, 300ms) == Approx(1));
  CHECK(mean_turnaround_ms(r, 300ms, 600ms) == Approx(2));
  CHECK(mean_turnaround_ms(r, 600ms, 900ms) == Approx(1));
}

TEST_CASE("backends that take certain sizes are given no others and pay for the padding") {
  auto s = ordinary();
  s.keeps_batches = true;
  s.cost = {.per_batch = 0ms, .per_item = 100us};
  s.workers = 4;
  s.opts.allowed_batch_items = {8, 32};
  s.opts.size_rounding = batcher::size_rounding::pad;
  auto r = simulate(s);
  for (auto& b : r.batches_in_order) {
    auto took = b.finished - b.dispatched;
    CHECK(took == (b.items <= 8 ? 800us : 3'200us));
  }
  CHECK(r.fill < 32);
}

TEST_CASE("shards share the load, and a queue for each of them is no better than one for all") {
  auto s = ordinary();
  s.workers = 8;
  s.arrivals.rate = 80'000;
  s.opts.when_idle = batcher::when_idle::immediate;
  auto one = simulate(s);
  s.opts.shards = 4;
  auto by_load = simulate(s);
  s.keys = 400;
  s.opts.shard_by = batcher::shard_by::key;
  auto by_key = simulate(s);
  CHECK(by_load.refused_or_failed() == 0);
  CHECK(by_load.mean >= one.mean);
  CHECK(by_load.utilisation == Approx(one.utilisation).epsilon(0.3));
  // Items of different keys share no batch.
  CHECK(by_key.fill < by_load.fill * 0.9);
  CHECK(by_key.mean > by_load.mean);
}

TEST_CASE("ten thousand workers in two shards are all there") {
  auto s = overloaded();
  s.workers = 10'000;
  s.opts.shards = 2;
  s.cost.per_batch = 1ms;
  s.arrivals.rate = 200e6;
  s.requests = 1'000'000;
  s.opts.max_queue_items = 10'000;
  auto r = simulate(s);
  CHECK(r.refused_or_failed() > 0);
  CHECK(r.utilisation > 0.95);
  CHECK(r.served == Approx(100e6).epsilon(0.1));
}

TEST_CASE("the error of the mean says how far another seed's mean may lie") {
  auto s = ordinary();
  s.opts.when_idle = batcher::when_idle::immediate;
  std::vector<result> runs;
  double mean = 0;
  for (s.seed = 1; s.seed <= 20; ++s.seed) {
    runs.push_back(simulate(s));
    mean += static_cast<double>(runs.back().mean.count()) / 20;
  }
  auto is_near = [&](const result& r) {
    return std::abs(static_cast<double>(r.mean.count()) - mean)
           <= static_cast<double>(r.mean_error.count());
  };
  // 95 of 100; of 20, all but a few.
  CHECK(std::count_if(runs.begin(), runs.end(), is_near) >= 16);
  CHECK(runs.front().mean_error < runs.front().mean / 20);
}
